"""Writes tests/fixtures/block_error.safetensors: weights, Gaussian and heavy-tailed, and the mean squared errors that
llama.cpp's own quantisers leave on them, with which ours are compared.

    python tests/reference/block_error.py LIBRARY.so [ROWS] [OUTPUT]

LIBRARY.so is llama.cpp's ggml-quants.c, compiled by itself. The crate llama-cpp-sys-2 carries the source:

    cargo new ggml && cd ggml && cargo add llama-cpp-sys-2 && cargo fetch
    G=$(echo ~/.cargo/registry/src/*/llama-cpp-sys-2-*/llama.cpp/ggml)
    gcc -O2 -fPIC -shared -I$G/include -I$G/src -o libggml-quants.so $G/src/ggml-quants.c -lm

The fixture was made with llama-cpp-sys-2 0.1.161.
"""
import ctypes, os, sys
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, quants
from safetensors.numpy import save_file

COLUMNS = 1024
FORMATS = (T.Q8_0, T.Q4_0, T.Q5_0, T.Q4_K, T.Q5_K, T.Q6_K)


def quantise(library, values, kind):
    block, size = GGML_QUANT_SIZES[kind]
    out = np.empty(values.size // block * size, np.uint8)
    function = getattr(library, f'quantize_row_{kind.name.lower().replace("_k", "_K")}_ref')
    function(values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(values.size))
    return out


def main(library, rows=8, output='tests/fixtures/block_error.safetensors'):
    # Lazily: its other functions need the rest of ggml.
    library = ctypes.CDLL(library, mode=os.RTLD_LAZY)
    rng = np.random.default_rng(0)
    shape = int(rows), COLUMNS
    tensors = {'gaussian': rng.standard_normal(shape), 'student': rng.standard_t(3, shape)}
    fixture = {}
    for name, values in tensors.items():
        # The scale of a network's weights, at which f16 scales become subnormal.
        stored = (values * 0.02).astype(np.float16)
        fixture[name] = stored
        values = stored.astype(np.float32)
        for kind in FORMATS:
            read = quants.dequantize(quantise(library, values, kind), kind).reshape(shape)
            error = np.mean((read.astype(np.float64) - values) ** 2)
            fixture[f'{name}.{kind.name}'] = np.array([error])
            print(name, kind.name, error)
    save_file(fixture, output)
    os.chmod(output, 0o644)


main(*sys.argv[1:])
