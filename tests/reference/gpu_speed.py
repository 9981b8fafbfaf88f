"""A U-Net step on one card: ours (wgpu) against PyTorch with diffusers. Random weights of the real class.

    python tests/reference/gpu_speed.py target/debug [--tiny]

The folder holds `imagen` and `examples/gpu_step`. The network is DeepFloyd's IF-I-M at 64×64, two rows, 77 tokens; --tiny
takes a small one of the same kind, which any machine runs. PyTorch runs on CUDA where it finds one, else on the CPU: then
the figures show that the comparison works, and nothing about a GPU.

Every step is waited for, as a sampler does. Both peaks are measured: one large matrix product in each format.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel, logging

IF_I_M = dict(
    sample_size=64, in_channels=3, out_channels=6, act_fn='gelu', block_out_channels=[192, 384, 576, 768], layers_per_block=3,
    attention_head_dim=64, cross_attention_dim=768, cross_attention_norm='group_norm', encoder_hid_dim=4096,
    encoder_hid_dim_type='text_proj', addition_embed_type='text', resnet_time_scale_shift='scale_shift',
    mid_block_type='UNetMidBlock2DSimpleCrossAttn',
    down_block_types=['ResnetDownsampleBlock2D'] + ['SimpleCrossAttnDownBlock2D'] * 3,
    up_block_types=['SimpleCrossAttnUpBlock2D'] * 3 + ['ResnetUpsampleBlock2D'],
)
TINY = dict(IF_I_M, sample_size=16, block_out_channels=[32, 64, 96, 128], layers_per_block=1, attention_head_dim=32,
            cross_attention_dim=128, encoder_hid_dim=64, addition_embed_type_num_heads=4)
ROWS, TOKENS = 2, 77
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def timed(work, steps):
    """Median seconds of one call; the first ones bring caches, clocks and compilation up."""
    def once():
        start = time.perf_counter()
        work()
        if DEVICE == 'cuda': torch.cuda.synchronize()
        return time.perf_counter() - start
    for _ in range(3): once()
    return statistics.median(once() for _ in range(steps))


def peak(dtype, side):
    """TFLOP/s of one matrix product."""
    a = torch.randn(side, side, device=DEVICE, dtype=dtype)
    return 2 * side ** 3 / timed(lambda: a @ a, 10) / 1e12


@torch.no_grad()
def torch_step(net, config, dtype, steps, compiled):
    net = net.to(DEVICE, dtype)
    step = torch.compile(net) if compiled else net
    size = config['sample_size']
    x = torch.randn(ROWS, 3, size, size, device=DEVICE, dtype=dtype)
    text = torch.randn(ROWS, TOKENS, config['encoder_hid_dim'], device=DEVICE, dtype=dtype)
    timestep = torch.tensor(500, device=DEVICE)
    return timed(lambda: step(x, timestep, text).sample, steps)


def ours(folder, source, config, steps, weights, peak):
    with tempfile.TemporaryDirectory() as out:
        quantize = ['--quantize', weights]
        subprocess.run([f'{folder}/imagen', 'convert', source, '-o', out, *quantize], check=True, capture_output=True)
        numbers = map(str, [config['sample_size'], ROWS, TOKENS, steps])
        environment = dict(os.environ, PEAK_TFLOPS=str(peak))
        run = subprocess.run([f'{folder}/examples/gpu_step', f'{out}/unet.gguf', *numbers], check=True, env=environment,
                             stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def row(name, seconds, gflop, peak):
    tflops = gflop / seconds / 1e3
    print(f'{name:<34}{seconds * 1e3:>10.2f}{tflops:>10.3f}{tflops / peak:>9.1%}', flush=True)


def main(folder, *options):
    config, side, steps = (TINY, 512, 3) if '--tiny' in options else (IF_I_M, 8192, 20)
    logging.set_verbosity_error()
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    net = UNet2DConditionModel(**config).eval()
    print(f'{sum(p.numel() for p in net.parameters()) / 1e6:.0f} M parameters, {config["sample_size"]}×{config["sample_size"]}, '
          f'{ROWS} rows; PyTorch {torch.__version__} on {torch.cuda.get_device_name() if DEVICE == "cuda" else "the CPU"}')
    peaks = {dtype: peak(dtype, side) for dtype in (torch.float32, torch.float16, torch.bfloat16)}
    print('measured peaks in TFLOP/s: ' + ', '.join(f'{str(dtype)[6:]} {value:.2f}' for dtype, value in peaks.items()))
    with tempfile.TemporaryDirectory() as source:
        net.save_pretrained(f'{source}/unet')
        DDPMScheduler(beta_schedule='squaredcos_cap_v2', variance_type='learned_range').save_pretrained(f'{source}/scheduler')
        results = {weights: ours(folder, source, config, steps, weights, peaks[torch.float32]) for weights in ('f16', 'q8_0')}
    first = results['f16']
    print(f'ours on {first["adapter"]}{" (software)" if first["software"] else ""}: {first["dispatches"]} dispatches, '
          f'{first["gflop_per_step"]:.1f} GFLOP a step')
    print(f'{"":<34}{"ms/step":>10}{"TFLOP/s":>10}{"of peak":>9}')
    for weights, result in results.items():
        row(f'ours, f32 with {weights} weights', result['ms_per_step'] / 1e3, first['gflop_per_step'], peaks[torch.float32])
    for compiled in (False, True):
        for dtype in peaks:
            name = f'PyTorch {"compiled" if compiled else "eager"}, {str(dtype)[6:]}'
            try:
                row(name, torch_step(net, config, dtype, steps, compiled), first['gflop_per_step'], peaks[dtype])
            except Exception as error:  # Formats that a device lacks, or no compiler: the others still count.
                print(f'{name:<34} failed: {str(error).strip().splitlines()[0][:100]}')


if __name__ == '__main__':
    main(*sys.argv[1:])
