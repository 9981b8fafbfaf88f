"""The files of one case: weights as GGUF for ours, inputs and expected outputs as safetensors for everybody."""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.torch import save_file

TYPES = {"f32": Type.F32, "q8_0": Type.Q8_0, "q4_0": Type.Q4_0}


def parameters(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def as_stored(name: str, values: np.ndarray, kind: str) -> tuple[np.ndarray, Type]:
    """The rows of a tensor and their type: convolutions are [out, kh·kw·in], `in` fastest; what does not divide into
    blocks, and what is no matrix, stays F32."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.ndim == 4:
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1).reshape(values.shape[0], -1))
    # A single row is a vector, which kernels add and do not multiply with.
    quantised = values.ndim == 2 and len(values) > 1 and values.shape[1] % 32 == 0 and "attn_rel_b" not in name
    return values, TYPES[kind] if quantised else Type.F32


def rounded(name: str, values: np.ndarray, kind: str) -> np.ndarray:
    """The values as they are after storing, in their own shape."""
    rows, type_ = as_stored(name, values, kind)
    if type_ == Type.F32:
        return np.ascontiguousarray(values, dtype=np.float32)
    back = gguf.quants.dequantize(gguf.quants.quantize(rows, type_), type_)
    if values.ndim == 4:
        out, channels, height, width = values.shape
        return np.ascontiguousarray(back.reshape(out, height, width, channels).transpose(0, 3, 1, 2))
    return back


def write_weights(path: Path, architecture: str, tensors: dict, kind: str, metadata: dict | None = None) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (metadata or {}).items():
        match value:
            case str():
                writer.add_string(key, value)
            case int():
                writer.add_uint32(key, value)
            case float():
                writer.add_float32(key, value)
    for name, values in tensors.items():
        rows, type_ = as_stored(name, values, kind)
        if type_ == Type.F32:
            writer.add_tensor(name, rows)
        else:
            writer.add_tensor(name, gguf.quants.quantize(rows, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_values(path: Path, inputs: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor]) -> None:
    """Inputs by the names that the ONNX graph has; each output as `output`."""
    tensors = {**inputs, **outputs}
    save_file({name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}, path)
