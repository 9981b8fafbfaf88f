"""The whole storybook cascade from given noise: expected pictures for tests/cascade_cpu.rs.

    python tests/reference/cascade.py STORYBOOK_HF SAMPLER_DIR [MODEL ...]

STORYBOOK_HF is the Hugging Face export of storybook, SAMPLER_DIR the folder with its reference sampler (sample.py),
which runs on transformers and diffusers in f32. Writes tests/fixtures/cascade_f16.{64,256,1024}.png and
cascade_noise.safetensors, the first values of some draws of the noise generator. For every converted MODEL, such as
models/storybook, it writes the pictures of the same networks with that model's weights, dequantised by the gguf
package: cascade_q8_0.64.png and so on.

The noise is the crate's own (src/diffusion/noise.rs), written here once more after its description: so the pictures
also show that the generator is what it says it is.
"""
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import t5

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
PROMPT, SEED, STEPS = "a red house on a hill at night", 7, {64: 20, 256: 4, 1024: 2}
INITIAL, AUGMENTATION, STEP = 0, 1, 2


def philox(counter, key):
    """Ten rounds of Philox4x32 on arrays of counters."""
    c, k = [np.asarray(x, np.uint64) for x in counter], list(key)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(q >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), q & low, (p >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), p & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def normal(seed, stage, draw, image, count):
    """Standard normal values: groups of four, two pairs of Box and Muller each, in f64, rounded to f32."""
    group = np.arange((count + 3) // 4, dtype=np.uint64)
    same = np.zeros_like(group)
    w = philox((group, same + np.uint64(image), same + np.uint64(draw), same + np.uint64(stage)), (seed & 0xFFFFFFFF, seed >> 32))
    u = [(x.astype(np.float64) + 0.5) / 2.0**32 for x in w]
    values = np.empty((len(group), 4))
    for first in (0, 2):
        radius, angle = np.sqrt(-2 * np.log(u[first])), 2 * np.pi * u[first + 1]
        values[:, first], values[:, first + 1] = radius * np.cos(angle), radius * np.sin(angle)
    return torch.from_numpy(values.reshape(-1)[:count].astype(np.float32))


def read_unet(path, unet):
    """Puts a file's dequantised weights into a U-Net. Convolutions are rows [out, kh * kw * in], in fastest."""
    state = unet.state_dict()
    for tensor in gguf.GGUFReader(path).tensors:
        values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        shape = state[tensor.name].shape
        if len(shape) == 4:
            out, channels, height, width = shape
            values = values.reshape(out, height, width, channels).permute(0, 3, 1, 2)
        state[tensor.name] = values.reshape(shape).contiguous()
    unet.load_state_dict(state)
    return gguf.GGUFReader(path).tensors


def paint(sample, cascade, noise, kind):
    pictures = cascade([PROMPT], size=1024, steps=STEPS, noise=noise)
    for size, picture in pictures.items():
        Image.fromarray(sample.to_u8(picture)[0]).save(FIXTURES / f"cascade_{kind}.{size}.png", optimize=True)


def main(export, sampler, *models):
    torch.set_num_threads(1)
    draws = {(seed, stage, draw, image): normal(seed, stage, draw, image, 67)
             for seed, stage, draw, image in [(0, 0, INITIAL, 0), (7, 1, AUGMENTATION, 3), (2**40 + 5, 2, STEP + 9, 1)]}
    save_file({".".join(map(str, key)): values for key, values in draws.items()}, FIXTURES / "cascade_noise.safetensors")
    sys.path.insert(0, sampler)
    import sample
    noise = {f"initial.{stage}": normal(SEED, stage, INITIAL, 0, 3 * size * size).view(1, 3, size, size)
             for stage, size in enumerate(STEPS)}
    cascade = sample.Cascade(export, device="cpu")
    paint(sample, cascade, noise, "f16")
    for model in map(Path, models):
        cascade.text = t5.read_model(model / "text_encoder.gguf")
        for (_, unet, _), name in zip(cascade.stages, ["unet", "super_res_1", "super_res_2"]):
            tensors = read_unet(model / f"{name}.gguf", unet)
        kinds = {tensor.tensor_type.name.lower() for tensor in tensors} - {"f32", "f16"}
        paint(sample, cascade, noise, kinds.pop() if kinds else "f16")


if __name__ == "__main__":
    main(*sys.argv[1:])
