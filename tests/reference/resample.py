"""Resampling by torch.nn.functional.interpolate, for tests/image/resample.rs.

    python tests/reference/resample.py          # from the repository's root; writes tests/fixtures/resample.safetensors
"""
import torch, torch.nn.functional as F
from safetensors.torch import save_file

torch.set_num_threads(1)
FILTERS = {
    'bicubic': dict(mode='bicubic', align_corners=False),
    'bilinear': dict(mode='bilinear', align_corners=False),
    'bilinear_align_corners': dict(mode='bilinear', align_corners=True),
    'nearest': dict(mode='nearest'),
}
SIZES = [((5, 7), (20, 28)), ((8, 8), (32, 32)), ((5, 7), (11, 9)), ((9, 6), (4, 5)), ((1, 3), (4, 1))]

if __name__ == '__main__':
    tensors, generator = {}, torch.Generator().manual_seed(1)
    for i, (size, new) in enumerate(SIZES):
        x = torch.rand((3, *size), generator=generator) * 2 - 1
        tensors[f'{i}.input'] = x
        for name, arguments in FILTERS.items():
            tensors[f'{i}.{name}'] = F.interpolate(x[None], new, **arguments)[0].contiguous()
    x = torch.rand((3, 8, 12), generator=generator) * 2 - 1
    tensors['box.input'], tensors['box.4'] = x, F.avg_pool2d(x[None], 4)[0].contiguous()
    save_file(tensors, 'tests/fixtures/resample.safetensors')
