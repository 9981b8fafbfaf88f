"""What quantisation costs: pictures of storybook's F16 weights against those of a converted folder, the same noise.

    python tests/reference/quantisation.py STORYBOOK_HF SAMPLER_DIR [MODEL] [SHEETS]

Both run in the reference sampler (transformers and diffusers, f32 arithmetic) at the default steps, the second with the
dequantised weights of MODEL (default: models/storybook). Prints PSNR per prompt and size, the means at the end, and
writes contact sheets of both into SHEETS, if that is given.
"""
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from t5 import read_model
from unet import stored_weights

STORYBOOK = Path(__file__).resolve().parent.parent.parent / "models" / "storybook"
SIZES = (64, 256, 1024)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))


@torch.no_grad()
def main(source, sampler, model=STORYBOOK, sheets=None):
    torch.set_num_threads(2)
    sys.path.insert(0, sampler)
    import sample
    original, converted = sample.Cascade(source, device="cpu"), sample.Cascade(source, device="cpu")
    converted.text = read_model(Path(model) / "text_encoder.gguf")
    for stage, network, _ in converted.stages:
        stored_weights(network, str(Path(model) / f"{stage['unet']}.gguf"))
    figures, pictures = [], {"original": [], "converted": []}
    for seed, prompt in enumerate(sample.PROMPTS):
        noise = {}  # Drawn and kept by the first cascade, used by the second.
        a, b = ([sample.to_u8(cascade([prompt], seed=seed, size=1024, noise=noise)[size])[0] for size in SIZES]
                for cascade in (original, converted))
        figures.append([psnr(x, y) for x, y in zip(a, b)])
        pictures["original"].append(a[1])
        pictures["converted"].append(b[1])
        print(prompt, *(f"{size}: {db:.1f} dB" for size, db in zip(SIZES, figures[-1])), flush=True)
    for size, column in zip(SIZES, np.transpose(figures)):
        print(f"{size}: mean {column.mean():.1f} dB, lowest {column.min():.1f} dB")
    for name, tiles in pictures.items() if sheets else ():
        rows = [np.concatenate(tiles[i:i + 6], 1) for i in range(0, len(tiles), 6)]
        Image.fromarray(np.concatenate(rows, 0)).save(Path(sheets) / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
