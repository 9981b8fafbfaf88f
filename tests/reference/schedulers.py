"""Trajectories of diffusers' schedulers with a fixed fake model, for tests/diffusion_parity.rs.

    python tests/reference/schedulers.py        # from the repository's root; writes tests/fixtures/schedulers.safetensors

The fake model is out = a·x + b with a = 0.9·cos(t/1000), b = 0.1·t/1000 (variance channels: x clamped to ±1), the same
few f32 operations in both languages. Noise is given: row i mod 100 of `noise` is added after step i, the last row starts.
"""
import itertools, json, math
import torch
import diffusers.schedulers.scheduling_ddpm as ddpm_module
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from safetensors.torch import save_file

torch.set_num_threads(1)
SHAPE = (2, 3, 3, 3)
NOISE = torch.randn((101, *SHAPE), generator=torch.Generator().manual_seed(3))
SNAPSHOTS = 4  # after about so many steps of a run x is kept, and after the last one


def model(x, t):
    return torch.tensor(0.9 * math.cos(t / 1000), dtype=torch.float32) * x + torch.tensor(0.1 * t / 1000, dtype=torch.float32)


def schedule(kind='squaredcos_cap_v2', prediction='epsilon', variance='fixed_small', spacing='trailing', steps_offset=0):
    return dict(kind=kind, train_steps=1000, beta_start=1e-4, beta_end=0.02, prediction=prediction, variance=variance,
                spacing=spacing, steps_offset=steps_offset)


def options(s, thresholding):
    """Arguments that all schedulers of diffusers share."""
    o = dict(num_train_timesteps=s['train_steps'], beta_start=s['beta_start'], beta_end=s['beta_end'], beta_schedule=s['kind'],
             prediction_type=s['prediction'], timestep_spacing=s['spacing'], steps_offset=s['steps_offset'])
    if thresholding['kind'] == 'dynamic':
        o |= dict(thresholding=True, dynamic_thresholding_ratio=thresholding['quantile'], sample_max_value=thresholding['max'])
    return o


def clip(thresholding):
    fixed = thresholding['kind'] == 'static'
    return dict(clip_sample=fixed, clip_sample_range=thresholding['max'] if fixed else 1.0)


def run(s, sampler, count, thresholding):
    """Every x of a run, and its timesteps."""
    limited = thresholding['kind'] != 'none'
    if sampler == 'ddpm':
        scheduler = DDPMScheduler(**options(s, thresholding), **clip(thresholding), variance_type=s['variance'])
    elif sampler.startswith('ddim'):
        scheduler = DDIMScheduler(**options(s, thresholding), **clip(thresholding))
    else:
        scheduler = DPMSolverMultistepScheduler(**options(s, thresholding), algorithm_type='dpmsolver++', solver_order=2)
    scheduler.set_timesteps(count)
    grid = [int(t) for t in scheduler.timesteps]
    assert len(grid) == count, (s, sampler, count, len(grid))
    x, xs = NOISE[-1].clone(), []
    for i, t in enumerate(grid):
        out = model(x, t)
        if sampler == 'ddpm':
            if s['variance'] == 'learned_range': out = torch.cat([out, x.clamp(-1, 1)], 1)
            ddpm_module.randn_tensor = lambda *_, **__: NOISE[i % 100]
            x = scheduler.step(out, t, x).prev_sample
        elif sampler.startswith('ddim'):
            eta = float(sampler[5:] or 0)
            # The scheduler goes back by train_steps // count; where the grid's interval is another one, tell it so.
            after = grid[i + 1] if i + 1 < count else -1
            scheduler.num_inference_steps = 1
            scheduler.register_to_config(num_train_timesteps=t - after)
            noise = dict(variance_noise=NOISE[i % 100]) if eta else {}
            x = scheduler.step(out, t, x, eta=eta, use_clipped_model_output=limited, **noise).prev_sample
        else:
            x = scheduler.step(out, t, x).prev_sample
        xs.append(x)
    return xs, grid


DYNAMIC, STATIC, NONE = dict(kind='dynamic', quantile=0.95, max=1.5), dict(kind='static', max=1.0), dict(kind='none')
CASES = []
# Every sampler, prediction and thresholding.
for sampler, prediction, thresholding in itertools.product(('ddpm', 'ddim', 'ddim:0.6', 'dpm++2m'), ('epsilon', 'sample', 'v_prediction'), (DYNAMIC, STATIC, NONE)):
    if sampler == 'dpm++2m' and thresholding is STATIC: continue  # diffusers has no static thresholding there
    CASES.append((schedule(prediction=prediction), sampler, 10, thresholding))
# Step counts that divide the training steps, and some that do not.
for sampler, count in itertools.product(('ddpm', 'ddim', 'ddim:1', 'dpm++2m'), (1, 2, 4, 5, 8, 20, 25, 50, 100, 200, 500, 1000, 3, 7, 27)):
    CASES.append((schedule(), sampler, count, DYNAMIC))
# Schedules and spacings.
for sampler, (kind, spacing, offset, count) in itertools.product(('ddpm', 'ddim:0.6', 'dpm++2m'), (
        ('linear', 'leading', 0, 20), ('scaled_linear', 'leading', 1, 25), ('squaredcos_cap_v2', 'linspace', 0, 12), ('linear', 'trailing', 0, 10))):
    CASES.append((schedule(kind, spacing=spacing, steps_offset=offset), sampler, count, DYNAMIC))
# Variances, on grids that end at timestep 0 and above it.
for variance, spacing, count in itertools.product(('fixed_large', 'learned_range'), ('leading', 'trailing'), (10, 50, 27)):
    CASES.append((schedule(variance=variance, spacing=spacing), 'ddpm', count, dict(kind='dynamic', quantile=0.95, max=1.0)))

if __name__ == '__main__':
    tensors, cases = {'noise': NOISE}, []
    for kind in ('linear', 'scaled_linear', 'squaredcos_cap_v2'):
        tensors[f'alphas_cumprod.{kind}'] = DDPMScheduler(1000, 1e-4, 0.02, kind).alphas_cumprod
    for i, (s, sampler, count, thresholding) in enumerate(CASES):
        xs, grid = run(s, sampler, count, thresholding)
        kept = [k for k in range(count) if (k + 1) % math.ceil(count / SNAPSHOTS) == 0 or k == count - 1]
        tensors[f'case.{i}'] = torch.stack([xs[k] for k in kept])
        # The grid is kept where it is short: the longer ones follow the same rule.
        cases.append(dict(schedule=s, sampler=sampler, count=count, thresholding=thresholding, timesteps=grid[:40], kept=kept))
    x = torch.randn((2, 3, 7, 9), generator=torch.Generator().manual_seed(5)) * 1.4
    tensors['quantile.x'] = x
    for q in (0.0, 0.5, 0.9, 0.95, 0.995, 1.0):
        tensors[f'quantile.{q}'] = torch.quantile(x.flatten(1).abs(), q, dim=1)
    save_file({k: v.contiguous() for k, v in tensors.items()}, 'tests/fixtures/schedulers.safetensors', {'cases': json.dumps(cases)})
    print(len(cases), 'cases')
