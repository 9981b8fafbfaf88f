"""Single operations: a PyTorch module each, whose output is the reference and whose export is onnxruntime's graph."""

import math

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {"silu": F.silu, "gelu": F.gelu, None: lambda x: x}


class Normed(nn.Module):
    """Group norm and activation in front of an operation, both optional."""

    def __init__(self, case: dict):
        super().__init__()
        self.norm = nn.GroupNorm(case["groups"], case["in"], eps=1e-5) if "groups" in case else None
        self.activation = ACTIVATIONS[case.get("activation")]

    def normed(self, x):
        return x if self.norm is None else self.activation(self.norm(x))


class Conv(Normed):
    def __init__(self, case: dict):
        super().__init__(case)
        self.conv = nn.Conv2d(case["in"], case["out"], case["kernel"], padding=case["kernel"] // 2)
        self.upsample = case.get("upsample", False)

    def forward(self, x):
        x = self.normed(x)
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest") if self.upsample else x)


class Pool(Normed):
    def forward(self, x):
        return F.avg_pool2d(self.normed(x), 2)


class Nearest(nn.Module):
    def __init__(self, _case: dict):
        super().__init__()

    def forward(self, x):
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


class Linear(nn.Module):
    def __init__(self, case: dict):
        super().__init__()
        self.linear = nn.Linear(case["in"], case["out"])

    def forward(self, x):
        return self.linear(x)


class RmsNorm(nn.Module):
    def __init__(self, case: dict):
        super().__init__()
        self.norm = nn.RMSNorm(case["in"], eps=1e-6)

    def forward(self, x):
        return self.norm(x)


def decomposed(q, k, v, heads: int, scale: float, bias):
    """MatMul, Softmax, MatMul."""
    split = lambda x: x.unflatten(2, (heads, -1)).transpose(1, 2)
    scores = split(q) @ split(k).transpose(2, 3) * scale
    if bias is not None:
        scores = scores + bias
    return (scores.softmax(-1) @ split(v)).transpose(1, 2).flatten(2)


def contributed(q, k, v, heads: int, scale: float, bias):
    """onnxruntime's own fused operator, for export alone."""
    inputs = [q, k, v] if bias is None else [q, k, v, None, None, bias]
    attributes = {"num_heads": heads, "scale": scale}
    return torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention", inputs, attributes, dtype=q.dtype, shape=q.shape, version=1
    )


class Attention(nn.Module):
    """Over one or two segments of keys, which the peers concatenate."""

    def __init__(self, case: dict, attend=decomposed):
        super().__init__()
        self.heads, self.attend = case["heads"], attend
        # T5 has no factor: it is part of its weights.
        self.scale = 1.0 if case.get("bias") else 1.0 / math.sqrt(case["head"])

    def forward(self, q, k0, v0, k1=None, v1=None, bias=None):
        if k1 is not None:
            k0, v0 = torch.cat([k0, k1], 1), torch.cat([v0, v1], 1)
        return self.attend(q, k0, v0, self.heads, self.scale, bias)


MODULES = {
    "conv": Conv, "pool": Pool, "nearest": Nearest, "linear": Linear, "rms_norm": RmsNorm, "attention": Attention,
}  # fmt: skip


def inputs(case: dict) -> dict[str, torch.Tensor]:
    """Random inputs, pictures as [n, c, h, w], sequences as [n, tokens, c]."""
    match case["kind"]:
        case "conv" | "pool" | "nearest":
            return {"x": torch.randn(case["batch"], case["in"], case["size"], case["size"])}
        case "linear" | "rms_norm":
            return {"x": torch.randn(1, case["rows"], case["in"])}
        case "attention":
            width, batch = case["heads"] * case["head"], case["batch"]
            given = {"q": torch.randn(batch, case["queries"], width)}
            for segment, tokens in enumerate(case["keys"]):
                given[f"k{segment}"] = torch.randn(batch, tokens, width)
                given[f"v{segment}"] = torch.randn(batch, tokens, width)
            if case.get("bias"):
                given["q"] *= 0.1
                given["bias"] = torch.randn(1, case["heads"], case["queries"], sum(case["keys"]))
            return given
    raise ValueError(case["kind"])
