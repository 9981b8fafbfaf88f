"""Writes tests/fixtures/pytorch: the tensors of tests/fixtures/huggingface as torch.save keeps them.

    python tests/reference/pickles.py

The text encoder is sharded with an index, the U-Net is one file, the upscaler a file as torch before 1.6 wrote them.
"""
import glob, json, os
import torch
from safetensors.torch import load_file

IN, OUT = 'tests/fixtures/huggingface', 'tests/fixtures/pytorch'


def save(tensors, path, legacy=False):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)


def main():
    index = {}
    for shard in sorted(glob.glob(f'{IN}/text_encoder/*.safetensors')):
        tensors = load_file(shard)
        name = 'pytorch_' + os.path.basename(shard).replace('safetensors', 'bin')
        if 'shared.weight' in tensors:  # The whole T5 names the embeddings twice, in one storage.
            tensors['encoder.embed_tokens.weight'] = tensors['shared.weight']
        save(tensors, f'{OUT}/text_encoder/{name}')
        index.update(dict.fromkeys(tensors, name))
    with open(f'{OUT}/text_encoder/pytorch_model.bin.index.json', 'w') as file:
        json.dump({'metadata': {}, 'weight_map': index}, file, indent=1)
    unet = load_file(f'{IN}/unet/diffusion_pytorch_model.safetensors')
    # Views, as they are common: another order in memory, and parts of one storage.
    unet['conv_in.weight'] = unet['conv_in.weight'].to(memory_format=torch.channels_last)
    both = torch.cat([unet['time_embedding.linear_1.bias'], unet['time_embedding.linear_2.bias']])
    unet['time_embedding.linear_1.bias'], unet['time_embedding.linear_2.bias'] = both.chunk(2)
    save({name: torch.nn.Parameter(value) for name, value in unet.items()}, f'{OUT}/unet/diffusion_pytorch_model.bin')
    upscaler = load_file(f'{IN}/super_res_1/diffusion_pytorch_model.safetensors')
    save(upscaler, f'{OUT}/super_res_1/diffusion_pytorch_model.bin', legacy=True)


main()
