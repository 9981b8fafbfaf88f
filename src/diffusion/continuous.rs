//! Continuous time, as imagen-pytorch has it: a schedule is the logarithm of the signal-to-noise ratio over times from 0
//! (the picture) to 1 (noise), and the network is told that logarithm.
//!
//! The posterior is that of "Variational Diffusion Models" (2107.00630, appendix A). Everything is computed in f32 and in the
//! package's order: near time 1 the logarithm is what rounding leaves of a cosine.

use super::schedule::linspace;
use super::{NoiseScale, ScheduleKind, Step};
use std::f32::consts::PI;

/// The least variance whose logarithm the package takes.
const MIN_VARIANCE: f32 = 1e-20;
/// The least signal that it divides by.
const MIN_ALPHA: f32 = 1e-8;

/// log(signal² / noise²) at a time in 0..=1; `None` for a schedule of discrete timesteps.
pub(super) fn log_snr(kind: ScheduleKind, time: f32) -> Option<f32> {
    match kind {
        ScheduleKind::CosineLogSnr => {
            let cosine = libm::cosf((time + 0.008) / 1.008 * PI * 0.5);
            Some(-libm::logf((1.0 / (cosine * cosine) - 1.0).max(1e-5)))
        }
        ScheduleKind::LinearLogSnr => Some(-libm::logf(libm::expm1f(1e-4 + 10.0 * (time * time)))),
        ScheduleKind::Linear | ScheduleKind::ScaledLinear | ScheduleKind::SquaredCosCapV2 => None,
    }
}

/// The share of the signal in the variance.
pub(super) fn sigmoid(log_snr: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-log_snr))
}

/// Ancestral sampling in `count` equal steps of time; none for a schedule of discrete timesteps.
pub(super) fn steps(kind: ScheduleKind, count: usize) -> Vec<Step> {
    let times = linspace(1.0, 0.0, count + 1);
    let ratios: Vec<f32> = times.into_iter().filter_map(|time| log_snr(kind, time)).collect();
    let step = |(i, pair): (usize, &[f32])| {
        let (now, next) = (pair[0], pair[1]);
        let level = |ratio: f32| sigmoid(ratio).sqrt();
        let (alpha, alpha_next) = (level(now), level(next));
        let c = -libm::expm1f(now - next);
        let variance = sigmoid(-next) * c;
        let deviation = libm::expf(0.5 * libm::logf(variance.max(MIN_VARIANCE)));
        Step {
            timestep: now,
            alpha: alpha.max(MIN_ALPHA),
            sigma: level(-now),
            keep: alpha_next * (1.0 - c) / alpha,
            denoised: alpha_next * c,
            previous: 0.0,
            noise: if i + 1 == count { NoiseScale::None } else { NoiseScale::Fixed(deviation) },
        }
    };
    ratios.windows(2).enumerate().map(step).collect()
}
