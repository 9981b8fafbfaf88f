"""Writes tests/fixtures/formats.gguf and formats.safetensors with the `gguf` package: every value type of the metadata,
what `gguf` stores of values in every block format that it writes, and what it reads from random blocks of the others.

    python tests/reference/gguf_files.py

(The script is not called gguf.py: Python would then import it instead of the package.)
"""
import gguf
import numpy as np
from gguf import GGMLQuantizationType as T, GGUFValueType as V, quants
from safetensors.numpy import save_file

FIXTURES = 'tests/fixtures/'


def awkward(rows, columns, seed):
    """Normal values, and what trips quantisers: zeros, one spike, equal magnitudes, halves, denormal scales, constants."""
    x = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    blocks = x.reshape(-1, 32)
    blocks[1] = 0
    blocks[2, 7] = -300
    blocks[3] = np.tile(np.float32([2, -2]), 16)
    blocks[4] = np.tile(np.float32([-2, 2]), 16)
    blocks[5] = np.arange(32) * np.float32(0.5) - np.float32(8)
    blocks[5, 31] = 127
    blocks[6] *= np.float32(1e-7)
    blocks[7] = np.float32(-0.0)
    blocks[8] *= np.float32(3000)
    return x


def random_blocks(kind, rows, columns):
    """Any bytes are K-quants, but for the scales, which must be finite; every second one is subnormal."""
    rng = np.random.default_rng(kind)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * columns // block, size), np.uint8)
    scales = rng.integers(1, 0x7c00, (len(blocks), 2)) >> (np.arange(len(blocks)) % 2 * 5)[:, None] | rng.integers(0, 2, (len(blocks), 2)) << 15
    at = slice(208, 210) if kind == T.Q6_K else slice(0, 4)
    blocks[:, at] = scales.astype(np.uint16).view(np.uint8)[:, :at.stop - at.start]
    return blocks.reshape(rows, -1)


def metadata(w):
    w.add_key_value('test.u8', 200, V.UINT8)
    w.add_key_value('test.i8', -100, V.INT8)
    w.add_key_value('test.u16', 60000, V.UINT16)
    w.add_key_value('test.i16', -30000, V.INT16)
    w.add_key_value('test.u32', 4000000000, V.UINT32)
    w.add_key_value('test.i32', -2000000000, V.INT32)
    w.add_key_value('test.u64', 2 ** 63 + 1, V.UINT64)
    w.add_key_value('test.i64', -2 ** 62, V.INT64)
    w.add_key_value('test.f32', 1e-6, V.FLOAT32)
    w.add_key_value('test.f64', 0.1, V.FLOAT64)
    w.add_key_value('test.bool', True, V.BOOL)
    w.add_key_value('test.string', 'Grüße, 世界', V.STRING)
    w.add_array('test.numbers', [1, -2, 3])
    w.add_array('test.floats', [0.5, -1.5])
    w.add_array('test.words', ['▁a', '', 'lighthouse'])
    w.add_array('test.truths', [True, False])


def main():
    w = gguf.GGUFWriter(FIXTURES + 'formats.gguf', 'test')
    metadata(w)
    expected = {}
    for name, kind, shape in (('f32', T.F32, (3, 96)), ('f16', T.F16, (3, 96)), ('bf16', T.BF16, (3, 96)), ('q8_0', T.Q8_0, (5, 96)), ('q4_0', T.Q4_0, (5, 96)), ('q5_0', T.Q5_0, (5, 96))):
        values = awkward(*shape, seed=kind)
        stored = quants.quantize(values, kind)
        w.add_tensor(name + '.weight', stored, raw_dtype=kind)
        expected[name + '.values'] = values
        expected[name + '.stored'] = stored.view(np.uint8).reshape(shape[0], -1)
        expected[name + '.dequantised'] = quants.dequantize(stored, kind).astype(np.float32).reshape(shape)
    for name, kind in (('q4_k', T.Q4_K), ('q5_k', T.Q5_K), ('q6_k', T.Q6_K)):
        stored = random_blocks(kind, 2, 512)
        w.add_tensor(name + '.weight', stored, raw_dtype=kind)
        expected[name + '.dequantised'] = quants.dequantize(stored, kind)
    for name, shape in (('bias', (5,)), ('cube', (2, 3, 4)), ('hypercube', (2, 3, 4, 5))):
        expected[name + '.values'] = np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)
        w.add_tensor(name, expected[name + '.values'])
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    save_file(expected, FIXTURES + 'formats.safetensors')


main()
