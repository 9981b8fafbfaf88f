"""Training on the CPU: examples per second of `imagen train` beside PyTorch in f32, on storybook's stages.

    python tests/reference/train_speed.py target/debug/imagen [STAGE[:BATCH[:CROP]] ...]

Both train the same networks with the same batches in alternation, with all cores; the data are written before. Every figure is
the median of the updates after the first. PyTorch runs eagerly, with the attention processor that is faster there.
"""
import json, os, statistics, subprocess, sys, tempfile, time
import numpy as np, torch, torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnAddedKVProcessor
from PIL import Image

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from train import STORYBOOK, captions, text_encoder
from unet import stage, stored_weights

STAGES = {64: 'storybook_0', 256: 'storybook_1', 1024: 'storybook_2'}
UPDATES, ROUNDS = 4, 2


def ours(program, size, batch, crop, folder):
    out = os.path.join(folder, f'run{time.time_ns()}')
    command = [program, 'train', '--json', '--model', STORYBOOK, '--data', os.path.join(folder, str(size)), '--stage', str(size), '--batch', str(batch),
               '--steps', str(UPDATES + 1), '--output', out, '--checkpoint-every', '0'] + (['--crops', str(crop)] if crop else []) + (['--train-text'] if size == 64 else [])
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line['examples_per_second'] for line in map(json.loads, lines) if line['event'] == 'step'][1:]


def theirs(size, batch, crop):
    path, config = stage(STAGES[size]); patch = config['patch_size']
    net = UNet2DConditionModel(**{k: v for k, v in config.items() if k != 'patch_size' and not k.startswith('_')}).float()
    with torch.no_grad(): stored_weights(net, path)
    net.set_attn_processor(AttnAddedKVProcessor()) if size == 64 else None
    net = net.to(memory_format=torch.channels_last)
    joint = size == 64; text = text_encoder(dict(size=size)).requires_grad_(joint)
    parameters = [*net.parameters()] + ([*text.parameters()] if joint else [])
    opt = torch.optim.AdamW(parameters, lr=1e-4, fused=True); average = [p.detach().clone() for p in parameters]
    ab = DDPMScheduler(beta_schedule='squaredcos_cap_v2').alphas_cumprod; ids = captions(batch, 40, text.config.vocab_size); speeds = []
    for _ in range(UPDATES + 1):
        begun = time.time(); side = crop or size; x0 = torch.randn(batch, 3, side, side); eps = torch.randn_like(x0); t = torch.randint(0, 1000, (batch,))
        s = ab[t].view(-1, 1, 1, 1); x = s.sqrt() * x0 + (1 - s).sqrt() * eps; target = x0 if size > 64 else s.sqrt() * eps - (1 - s).sqrt() * x0
        x = torch.cat([x, torch.randn_like(x)], 1) if size > 64 else x
        with torch.set_grad_enabled(joint): h = text(ids, attention_mask=(ids > 0).long()).last_hidden_state
        out = net(F.pixel_unshuffle(x, patch).contiguous(memory_format=torch.channels_last), t, h, class_labels=t if size > 64 else None).sample
        loss = (F.pixel_shuffle(out, patch) - target).square().mean(); loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.); opt.step(); opt.zero_grad()
        with torch.no_grad(): torch._foreach_lerp_(average, parameters, .001)
        speeds.append(batch / (time.time() - begun))
    return speeds[1:]


def main():
    program = os.path.abspath(sys.argv[1])
    jobs = [tuple(map(int, job.split(':'))) for job in sys.argv[2:] or ['64:8', '256:4:128', '1024:4:256']]
    with tempfile.TemporaryDirectory() as folder:
        for size, batch, *crop in jobs:
            crop = crop[0] if crop else 0; data = os.path.join(folder, str(size)); os.makedirs(data, exist_ok=True)
            for i in range(8):
                Image.fromarray(np.random.default_rng(i).integers(0, 256, (size, size, 3), np.uint8)).save(f'{data}/{i}.png'); open(f'{data}/{i}.txt', 'w').write('a red house on a hill')
            both = [[], []]
            for _ in range(ROUNDS): both[0] += ours(program, size, batch, crop, folder); both[1] += theirs(size, batch, crop)
            a, b = map(statistics.median, both)
            print(f'stage {size}, batch {batch}, crops of {crop or size}: imagen {a:.2f}, PyTorch {b:.2f} examples/s, ratio {a / b:.2f}', flush=True)


if __name__ == '__main__': main()
