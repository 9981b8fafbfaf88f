"""From a PyTorch module to the graphs that onnxruntime-web gets: exported, quantised, optimised offline."""

from pathlib import Path

import gguf
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import norms
from files import TYPES

OPSET = 20
BLOCK = 32


def variants(out: Path, modules: dict, inputs: dict, kind: str, expected: torch.Tensor) -> list[str]:
    """A graph of each variant, and where weights are quantised one more that multiplies in integers."""
    graphs = [variant_of(out, variant, module, inputs, kind, expected) for variant, module in modules.items()]
    if kind != "f32":
        variant, module = list(modules.items())[-1]
        graphs.append(variant_of(out, f"{variant}-integer", module, inputs, kind, expected, integer=True))
    return [name for name in graphs if name]


def variant_of(out: Path, variant: str, module, inputs: dict, kind: str, expected, integer: bool = False) -> str | None:
    """Exports, quantises and optimises a variant, and checks it against PyTorch. Nothing where integers are too far
    away."""
    raw, name = out / "raw.onnx", f"{variant}.onnx"
    export(module, inputs, raw)
    norms.fuse(raw)
    if kind != "f32":
        quantise(raw, kind, integer)
    optimise(raw, out / name)
    raw.unlink()
    placeholder_free(out / name)
    actual = run(out / name, inputs)
    error = float(np.linalg.norm(actual - expected.numpy()) / np.linalg.norm(expected.numpy()))
    if error < 1e-2:
        return name
    (out / name).unlink()
    if integer:
        return None
    raise SystemExit(f"{out.name}: {name} is {error:.1e} away from PyTorch")


def export(module: torch.nn.Module, inputs: dict[str, torch.Tensor], path: Path) -> None:
    program = torch.onnx.export(
        module, kwargs=inputs, input_names=list(inputs), output_names=["output"], dynamo=True, opset_version=OPSET,
        optimize=True, verbose=False,
    )  # fmt: skip
    program.save(path, external_data=False)


def optimise(path: Path, target: Path) -> None:
    """onnxruntime's own offline passes, but for those that make nodes which only the CPU can run: its layouts, and
    matrix products with a transposition or a factor inside. The browser's session adds the GPU's own passes."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"],
        disabled_optimizers=["MatmulTransposeFusion", "MatMulScaleFusion"],
    )  # fmt: skip


def run(path: Path, inputs: dict[str, torch.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = {given.name for given in session.get_inputs()}
    return session.run(None, {name: value.numpy() for name, value in inputs.items() if name in names})[0]


def quantise(path: Path, kind: str, integer: bool) -> None:
    """Replaces every MatMul with a constant matrix by MatMulNBits that holds the very blocks of GGUF's `kind`. With
    `integer` it may quantise its input to 8 bits too."""
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, added, replaced = [], [], set()
    for node in model.graph.node:
        tensor = constants.get(node.input[1]) if node.op_type in ("MatMul", "Gemm") else None
        if tensor is None or len(tensor.dims) != 2:
            nodes.append(node)
            continue
        transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
        rows = numpy_helper.to_array(tensor) if transposed else numpy_helper.to_array(tensor).T
        quants, scales = blocks(np.ascontiguousarray(rows), kind)
        name = node.input[1]
        given = [node.input[0], f"{name}_quants", f"{name}_scales"]
        if len(node.input) > 2:
            given += ["", "", node.input[2]]
        if name not in replaced:
            added += [numpy_helper.from_array(quants, given[1]), numpy_helper.from_array(scales, given[2])]
            replaced.add(name)
        bits = 4 if kind == "q4_0" else 8
        nodes.append(helper.make_node(
            "MatMulNBits", given, node.output, domain="com.microsoft", name=f"{node.name}_nbits",
            K=rows.shape[1], N=rows.shape[0], bits=bits, block_size=BLOCK,
            accuracy_level=4 if integer else 1,
        ))  # fmt: skip
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in replaced]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept + added)
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)


def blocks(rows: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Quants [n, blocks, bytes] and scales [n · blocks] of MatMulNBits. Its zero point is the middle, as GGUF's is; of
    a byte of Q4_0 the nibbles are values j and j + 16, of MatMulNBits 2j and 2j + 1."""
    n, k = rows.shape
    raw = gguf.quants.quantize(rows, TYPES[kind]).reshape(n, k // BLOCK, -1)
    scales = np.ascontiguousarray(raw[..., :2]).view(np.float16).astype(np.float32).reshape(-1)
    body = raw[..., 2:]
    if kind == "q8_0":
        return body.view(np.int8).astype(np.int16).__add__(128).astype(np.uint8), scales
    values = np.concatenate([body & 15, body >> 4], axis=2)
    return (values[..., 0::2] | values[..., 1::2] << 4).astype(np.uint8), scales


def placeholder_free(path: Path) -> None:
    """Fails where the exporter left an operator that no execution provider has."""
    domains = {node.domain for node in onnx.load(path, load_external_data=False).graph.node}
    unknown = domains - {"", "ai.onnx", "com.microsoft"}
    if unknown:
        raise SystemExit(f"{path}: operators of {unknown}")
