"""Whole samples of imagen-pytorch, and the checkpoints that they are from.

    pip install imagen-pytorch==2.1.0
    python tests/reference/imagen_pytorch_samples.py

Writes to tests/fixtures/imagen_pytorch: trained.pt, which ImagenTrainer saved with averaged weights (those of the model
itself are zero) and its configuration; unconditional.pt, the state of an Imagen without text, with unconditional.json;
and samples.safetensors, the pictures of every stage in [-1, 1] and the states before and after every step. Noise and
text are not stored: see hashes.py.

The attention of random networks is sharp enough to make another picture of a rounding error. With keys, queries and outputs
this small, weights that differ by 1e-6 make a picture that differs by 1e-5.
"""
import json, os
from functools import partial
from unittest import mock
import torch
from safetensors.torch import save_file

from efficient_unet import random_weights
from hashes import uniform
from imagen_pytorch import Imagen, ImagenConfig, ImagenTrainer, Unet

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fixtures', 'imagen_pytorch')
UNET = dict(dim=4, dim_mults=[1], cond_dim=4, attn_dim_head=4, attn_heads=2, text_embed_dim=20, max_text_len=8, attn_pool_num_latents=3)
TOKENS, SEEN = 7, 5


class Noise:
    """Stands in for torch.randn: a hash of the draw's name, in the order in which the package draws."""
    def __init__(self, names): self.names = iter(names)
    def __call__(self, shape, **_): return uniform(next(self.names), shape, 3 ** .5)
    def like(self, x): return self(x.shape)


def names(stages):
    for stage, steps in enumerate(stages):
        if stage: yield f'aug.{stage}'
        yield f'initial.{stage}'
        for step in range(steps): yield f'step.{stage}.{step}'


@torch.no_grad()
def prepare(imagen):
    for unet in imagen.unets:
        random_weights(unet)
        for name, weight in unet.named_parameters():
            if name.endswith(('q_scale', 'k_scale', 'final_conv.weight')): weight.mul_(0.3)
    # The checkpoints are in half precision, to be small; what they hold is computed in single.
    return imagen.half().float().eval()


def sample(imagen, steps, **options):
    """The pictures of all stages, and the states before and after every step."""
    noise, states, p_sample = Noise(names(steps)), [], imagen.p_sample
    def recorded(unet, x, *args, **kwargs):
        result = p_sample(unet, x, *args, **kwargs)
        states.append(torch.stack([x, result[0]]))
        return result
    with mock.patch('torch.randn', noise), mock.patch('torch.randn_like', noise.like), mock.patch.object(imagen, 'p_sample', recorded):
        pictures = imagen.sample(**options, return_all_unet_outputs=True, use_tqdm=False)
    assert next(noise.names, None) is None
    return [(picture * 2 - 1).contiguous() for picture in pictures], states


def trained():
    config = ImagenConfig(unets=[UNET, dict(UNET, memory_efficient=True)], image_sizes=[8, 16], timesteps=[6, 5], text_embed_dim=20,
                          pred_objectives=['noise', 'v'], noise_schedules=['cosine', 'linear'], dynamic_thresholding=[True, False])
    imagen = prepare(config.create())
    embeds, mask = uniform('text', (1, TOKENS, 20)), torch.arange(TOKENS)[None] < SEEN
    samples = sample(imagen, [6, 5], text_embeds=embeds, text_masks=mask, cond_scale=3.)
    trainer = ImagenTrainer(imagen.half(), use_ema=True, ema_include_online_model=False, verbose=False)
    with torch.no_grad():
        for parameter in trainer.imagen.unets.parameters(): parameter.zero_()
    # The format from before PyTorch 1.6 takes half as much for small tensors.
    with mock.patch('torch.save', partial(torch.save, _use_new_zipfile_serialization=False)):
        trainer.save(f'{OUT}/trained.pt', without_optim_and_sched=True)
    return samples


def unconditional():
    options = dict(image_sizes=[8], timesteps=4, pred_objectives='x_start', noise_schedules='linear', condition_on_text=False)
    imagen = prepare(Imagen([Unet(**UNET)], **options))
    samples = sample(imagen, [4], batch_size=1)
    torch.save(imagen.half().state_dict(), f'{OUT}/unconditional.pt')
    with open(f'{OUT}/unconditional.json', 'w') as file: json.dump(dict(unets=[UNET], **options), file, indent=1)
    return samples


if __name__ == '__main__':
    torch.set_num_threads(1)
    os.makedirs(OUT, exist_ok=True)
    tensors = {}
    for kind, (pictures, states) in dict(trained=trained(), unconditional=unconditional()).items():
        tensors |= {f'{kind}.{stage}': picture for stage, picture in enumerate(pictures)}
        tensors |= {f'{kind}.step.{step}': state.contiguous() for step, state in enumerate(states)}
    save_file(tensors, f'{OUT}/samples.safetensors')
