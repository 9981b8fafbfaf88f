"""Parity fixtures of training: losses, gradients and updates of PyTorch on diffusers' and transformers' modules.

    python tests/reference/train.py [CASE ...]

Writes tests/fixtures/train_CASE.safetensors. Weights, pictures and noise are integer hashes of names (hashes.py), which the
Rust tests compute alike, or for `storybook_*` the model's own weights. A small case holds the gradient of every parameter, in
the layout of a GGUF file; a storybook case its norm and its products with eight vectors of random signs, from which
the distance of another gradient is estimated. `updates` holds 50 losses, and the weights and their moving average after them.
"""
import json, math, os, sys
import numpy as np, torch, torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch.distributions import Normal, kl_divergence
from transformers import T5Config, T5EncoderModel

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hashes import uniform
from unet import FIXTURES, STAGES, STORYBOOK, random_weights, stage, stored_weights

BATCH, TOKENS, SIGNS = 3, 6, 8
TIMESTEPS, LEVELS = [999, 420, 0], [90, 0, 3]
TEXT = dict(vocab_size=32, d_model=16, d_kv=8, num_heads=2, d_ff=24, num_layers=2, feed_forward_proj='gated-gelu', dropout_rate=0.0,
            relative_attention_num_buckets=8, relative_attention_max_distance=128, is_encoder_decoder=False, use_cache=False)
R, S = 'ResnetDownsampleBlock2D', 'SimpleCrossAttnDownBlock2D'
UP_S, UP_R = 'SimpleCrossAttnUpBlock2D', 'ResnetUpsampleBlock2D'
ALL = dict(act_fn='gelu', norm_num_groups=4, resnet_time_scale_shift='scale_shift', layers_per_block=1, attention_head_dim=8,
           addition_embed_type='text', addition_embed_type_num_heads=2)
CROSS = dict(cross_attention_norm='group_norm', cross_attention_dim=32, encoder_hid_dim=16, encoder_hid_dim_type='text_proj', block_out_channels=[8, 16],
             down_block_types=[R, S], mid_block_type='UNetMidBlock2DSimpleCrossAttn', up_block_types=[UP_S, UP_R])
# unet: configuration, patch and all; size: pixels; joint: the text encoder learns too.
CASES = {
    'base': dict(unet=dict(ALL, **CROSS, patch_size=2, in_channels=12, out_channels=12), size=16, prediction='v_prediction', joint=True),
    'residual': dict(unet=dict(ALL, patch_size=2, in_channels=24, out_channels=12, class_embed_type='timestep', cross_attention_dim=16, block_out_channels=[8, 8],
                               down_block_types=[R, R], mid_block_type='UNetMidBlock2D', up_block_types=[UP_R, UP_R]), size=16, prediction='sample'),
    'learned': dict(unet=dict(ALL, **CROSS, patch_size=1, in_channels=6, out_channels=6, class_embed_type='timestep', resnet_skip_time_act=True, resnet_out_scale_factor=1.41421),
                    size=8, prediction='epsilon', variance='learned_range', gamma=5.0),
}
for k, size in ((0, 64), (1, 128), (2, 256)): CASES[f'storybook_{k}'] = dict(size=size, prediction='sample' if k else 'v_prediction', joint=k == 0, batch=2, tokens=40)
AVERAGED = dict(steps=50, peak=2e-3, last=1e-4, warm_up=10, beta_1=.9, beta_2=.98, epsilon=1e-8, weight_decay=.01, clip=.5, ema=.9)


def picture(name, case, batch, scale=1.0): return uniform(name, (batch, 3, case['size'], case['size']), scale)


def clean(name, case, batch): return picture(name, case, batch, 1.3).clamp(-1, 1)


def captions(batch, tokens, vocabulary):
    """Row b has b + 3 tokens and the end, then padding."""
    ids = torch.zeros(batch, tokens, dtype=torch.long)
    for b in range(batch):
        n = min(b + 3, tokens - 1)
        ids[b, :n] = torch.tensor([(7 * b + 3 * j) % (vocabulary - 2) + 2 for j in range(n)]); ids[b, n] = 1
    return ids


def text_encoder(case):
    if 'unet' not in case:
        from pathlib import Path
        from t5 import read_model
        return read_model(Path(STORYBOOK) / 'text_encoder.gguf')
    model = T5EncoderModel(T5Config(**TEXT)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2: weight.copy_(uniform(name, weight.shape, np.sqrt(np.float32(3) / np.float32(weight[0].numel()))))
            else: weight.copy_(uniform(name, weight.shape, .25, 1.0))
    return model


def bound(out, target, x, x0, t, ab, prediction):
    """Improved DDPM's bound in bits per value, of a batch; variances as diffusers' DDPMScheduler has them for learned_range."""
    ab = ab.double(); now = ab[t].view(-1, 1, 1, 1); before = torch.where(t > 0, ab[(t - 1).clamp(min=0)], torch.ones(())).view(-1, 1, 1, 1)
    beta = 1 - now / before; first = (t == 0).view(-1, 1, 1, 1)
    beta_1 = 1 - ab[1] / ab[0]; posterior = torch.where(first, beta_1 * (1 - ab[0]) / (1 - ab[1]), beta * (1 - before) / (1 - now))
    mean = out[:, :3].detach().double(); x, x0 = x.double(), x0.double()
    guess = mean if prediction == 'sample' else (x - (1 - now).sqrt() * mean) / now.sqrt() if prediction == 'epsilon' else now.sqrt() * x - (1 - now).sqrt() * mean
    step = lambda z: before.sqrt() * beta / (1 - now) * z + (1 - beta).sqrt() * (1 - before) / (1 - now) * x
    share = (out[:, 3:].double() + 1) / 2; deviation = (.5 * (share * beta.log() + (1 - share) * posterior.log())).exp()
    made = Normal(step(guess), deviation)
    divergence = kl_divergence(Normal(step(x0), posterior.sqrt().expand_as(x)), made)
    upper, lower = made.cdf(x0 + 1 / 255), made.cdf(x0 - 1 / 255)
    upper, lower = torch.where(x0 > .999, torch.ones_like(upper), upper), torch.where(x0 < -.999, torch.zeros_like(lower), lower)
    return torch.where(first, -(upper - lower).clamp(min=1e-12).log(), divergence).mean((1, 2, 3)) / math.log(2)


def loss(case, net, text, patch, batch, suffix=''):
    tokens = case.get('tokens', TOKENS); t = torch.tensor((case.get('timesteps') or TIMESTEPS)[:batch]); labels = torch.tensor(LEVELS[:batch]).float()
    ab = DDPMScheduler(num_train_timesteps=1000, beta_schedule='squaredcos_cap_v2').alphas_cumprod
    x0, eps = clean('clean' + suffix, case, batch), picture('noise' + suffix, case, batch, 1.7)
    s = ab[t].view(-1, 1, 1, 1); x = s.sqrt() * x0 + (1 - s).sqrt() * eps
    target = dict(epsilon=eps, sample=x0, v_prediction=s.sqrt() * eps - (1 - s).sqrt() * x0)[case['prediction']]
    low = [picture('low' + suffix, case, batch)] if net.config.in_channels // patch ** 2 == 6 else []
    ids = captions(batch, tokens, text.config.vocab_size)
    with torch.set_grad_enabled(case.get('joint', False)): h = text(ids, attention_mask=(ids > 0).long()).last_hidden_state
    out = net(F.pixel_unshuffle(torch.cat([x] + low, 1), patch), t, h, class_labels=labels if net.config.class_embed_type else None).sample
    out = F.pixel_shuffle(out, patch)
    weight = torch.ones(batch)
    if 'gamma' in case:
        snr = ab[t] / (1 - ab[t]); least = snr.clamp(max=case['gamma'])
        weight = least / dict(epsilon=snr, sample=torch.ones(()), v_prediction=snr + 1)[case['prediction']]
    l = ((out[:, :3] - target).square().mean((1, 2, 3)) * weight).mean()
    if 'variance' in case: l = l + .001 * 1000 * bound(out, target, x, x0, t, ab, case['prediction']).mean().float()
    return l


def build(name):
    case = CASES[name]
    path, config = stage(name) if name in STAGES else (None, case['unet'])
    options = {k: v for k, v in config.items() if k != 'patch_size' and not k.startswith('_')}
    options.setdefault('sample_size', case['size'] // config['patch_size'])
    net = UNet2DConditionModel(**options).float()
    with torch.no_grad(): stored_weights(net, path) if path else random_weights(net)
    return case, config, net, text_encoder(case).requires_grad_(case.get('joint', False))


def stored(value):
    """As a GGUF file has it: convolutions are rows [out, kh * kw * in]."""
    return value.permute(0, 2, 3, 1).reshape(len(value), -1).contiguous() if value.ndim == 4 else value.contiguous()


def named(net, text, joint):
    yield from (('unet.' + k, p) for k, p in net.named_parameters())
    if joint: yield from (('text_encoder.' + k, p) for k, p in text.named_parameters())


def gradients(name):
    case, config, net, text = build(name); joint = case.get('joint', False)
    l = loss(case, net, text, config['patch_size'], case.get('batch', BATCH)); l.backward()
    tensors = {'loss': l.detach().view(1)}
    for key, p in named(net, text, joint):
        g = stored(p.grad)
        if name not in STAGES: tensors['gradient.' + key] = g; continue
        flat = g.flatten().double()
        signs = [torch.where(uniform(f'{key}#{k}', (len(flat),)) < 0, -1.0, 1.0).double() for k in range(SIGNS)]
        tensors['sketch.' + key] = torch.stack([flat.norm()] + [s @ flat for s in signs]).float()
    save(name, case, config, text, tensors)


def updates():
    case, config, net, text = build('residual'); a = AVERAGED; losses = []
    opt = torch.optim.AdamW(net.parameters(), lr=a['peak'], betas=(a['beta_1'], a['beta_2']), eps=a['epsilon'], weight_decay=a['weight_decay'])
    average = {k: p.detach().clone() for k, p in net.named_parameters()}; norms = []
    for i in range(a['steps']):
        case['timesteps'] = [(i * 37) % 1000, (i * 91 + 500) % 1000, (i * 13 + 250) % 1000]
        l = loss(case, net, text, config['patch_size'], BATCH, f'.{i}'); opt.zero_grad(); l.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), a['clip'])))
        rate = (a['last'] + (a['peak'] - a['last']) * .5 * (1 + math.cos(math.pi * i / a['steps']))) * min(1, (i + 1) / a['warm_up'])
        for g in opt.param_groups: g['lr'] = rate
        opt.step(); losses.append(float(l))
        with torch.no_grad():
            for k, p in net.named_parameters(): average[k].lerp_(p, 1 - min(a['ema'], (2 + i) / (11 + i)))
    case.pop('timesteps')
    tensors = {'losses': torch.tensor(losses), 'norms': torch.tensor(norms)}
    for k, p in net.named_parameters(): tensors['weight.unet.' + k], tensors['average.unet.' + k] = stored(p.detach()), stored(average[k])
    print('losses', losses[0], losses[-1], 'norms', min(norms), max(norms))
    save('updates', case, config, text, tensors)


def crops():
    """A crop's residual and enlarged picture, by average pooling and interpolation of the whole picture."""
    size, low, tensors = 32, 8, {}
    hi = uniform('crops', (1, 3, size, size))
    small = ((F.avg_pool2d(hi, size // low) + 1) * 127.5).round() / 127.5 - 1
    for mode in ('bicubic', 'bilinear', 'nearest'):
        up = F.interpolate(small, (size, size), mode=mode, **({} if mode == 'nearest' else dict(align_corners=False)))
        for y, x, side in ((0, 0, 16), (16, 16, 16), (8, 12, 8), (0, 0, 32)):
            cut = lambda z: z[0, :, y:y + side, x:x + side].contiguous()
            tensors[f'{mode}.{y}.{x}.{side}.low'], tensors[f'{mode}.{y}.{x}.{side}.residual'] = cut(up), cut((hi - up) / .2)
    save_file(tensors, os.path.join(FIXTURES, 'train_crops.safetensors'))


def save(name, case, config, text, tensors):
    t = text.config
    meta = dict(unet=json.dumps(config), size=case['size'], prediction=case['prediction'], batch=case.get('batch', BATCH), tokens=case.get('tokens', TOKENS), variance=case.get('variance', 'fixed_small'),
                gamma=case.get('gamma', 0), joint=int(case.get('joint', False)), text=json.dumps({k: v for k, v in t.to_dict().items() if k in TEXT}), updates=json.dumps(AVERAGED))
    path = os.path.join(FIXTURES, f'train_{name}.safetensors'); save_file(tensors, path, {k: str(v) for k, v in meta.items()})
    print(name, os.path.getsize(path) // 1000, 'kB', {k: float(v) for k, v in tensors.items() if k == 'loss'})


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or [*CASES, 'updates', 'crops']:
        {'updates': updates, 'crops': crops}.get(name, lambda: gradients(name))()
