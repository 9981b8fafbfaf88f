"""Root-mean-square norms as one operator: the exporter writes them as seven, and onnxruntime's own fusion expects a
division where the exporter multiplies by the reciprocal."""

import onnx
from onnx import helper, numpy_helper

CHAIN = ["Pow", "ReduceMean", "Add", "Sqrt", "Reciprocal", "Mul", "Mul"]


def fuse(path) -> None:
    """Replaces every chain of Pow … Mul by SimplifiedLayerNormalization."""
    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    users: dict[str, list] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    fused, dropped = {}, set()
    for first in graph.node:
        chain = follow(first, users)
        if chain is None:
            continue
        scale = next((name for name in chain[6].input if name in constants), None)
        eps = next((name for name in chain[2].input if name in constants), None)
        if scale is None or eps is None or first.input[0] not in chain[5].input:
            continue
        dropped.update(id(node) for node in chain)
        fused[id(chain[6])] = helper.make_node(
            "SimplifiedLayerNormalization", [first.input[0], scale], chain[6].output, name=f"{first.name}_rms", axis=-1,
            epsilon=float(numpy_helper.to_array(constants[eps]).item()), stash_type=1,
        )  # fmt: skip
    nodes = [fused.get(id(node), node) for node in graph.node if id(node) in fused or id(node) not in dropped]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)


def follow(first, users: dict) -> list | None:
    """The chain that starts here, each of its results used by the next node alone."""
    chain = [first]
    for expected in CHAIN[1:]:
        next_nodes = users.get(chain[-1].output[0], [])
        if len(next_nodes) != 1 or next_nodes[0].op_type != expected:
            return None
        chain.append(next_nodes[0])
    return chain if first.op_type == CHAIN[0] else None
