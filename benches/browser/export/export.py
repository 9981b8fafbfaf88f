"""Writes what the browser comparison needs, one folder per row of its table.

    python benches/browser/export/export.py OUT [NAME ...]

OUT/NAME/case.json says what the row is and which files belong to it: weights.gguf for ours and burn, one or more
*.onnx for onnxruntime-web (the page takes the fastest), values.safetensors with inputs and PyTorch's output. A folder
whose case.json is what it would be now is kept.
"""

import json
import sys
from pathlib import Path

import torch

import graph
import networks
import ops
from files import parameters, rounded, write_values, write_weights

HERE = Path(__file__).resolve().parent.parent
VERSION = 1


def operation(case: dict, out: Path) -> list[str]:
    kind = case.get("format", "f32")
    module = ops.MODULES[case["kind"]](case).eval()
    for name, value in module.state_dict().items():
        if "norm" in name:
            value.add_(torch.randn_like(value) * 0.2)
        value.copy_(torch.from_numpy(rounded(name, value.numpy(), kind)))
    inputs = ops.inputs(case)
    expected = module(**inputs)
    write_values(out / "values.safetensors", inputs, {"output": expected})
    write_weights(out / "weights.gguf", "bench", parameters(module), kind)
    variants = {"decomposed": module}
    if case["kind"] == "attention":
        variants["contributed"] = ops.Attention(case, ops.contributed)
    return graph.variants(out, variants, inputs, kind, expected)


def rows() -> list[dict]:
    """One per row of the table: a network in several formats is several rows."""
    cases = json.loads((HERE / "cases.json").read_text())
    listed = [{**case, "group": "ops"} for case in cases["ops"]]
    for group in ("unet", "t5"):
        for case in cases[group]:
            for kind in case["formats"]:
                row = {k: v for k, v in case.items() if k != "formats"}
                listed.append({**row, "group": group, "name": f"{case['name']}-{kind}", "kind": group, "format": kind})
    return listed


@torch.no_grad()
def main() -> None:
    target, wanted = Path(sys.argv[1]), set(sys.argv[2:])
    make = {"ops": operation, "unet": networks.unet, "t5": networks.t5}
    listed = rows()
    target.mkdir(parents=True, exist_ok=True)
    (target / "rows.json").write_text(json.dumps(listed))
    for row in listed:
        if wanted and not wanted & {row["name"], row["group"]}:
            continue
        out = target / row["name"]
        stamp = {**row, "version": VERSION}
        described = out / "case.json"
        if described.exists() and json.loads(described.read_text())["row"] == stamp:
            continue
        print(f"exporting {row['name']}", file=sys.stderr, flush=True)
        out.mkdir(parents=True, exist_ok=True)
        for old in out.iterdir():
            old.unlink()
        # The same weights and inputs whatever else is exported.
        torch.manual_seed(7)
        graphs = make[row["group"]](row, out)
        described.write_text(json.dumps({"row": stamp, "graphs": graphs}))


if __name__ == "__main__":
    main()
