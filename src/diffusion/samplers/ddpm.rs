//! Ancestral sampling (DDPM, 2006.11239, formulas 6 and 7), with the posterior between two entries of the time grid.

use super::{fixed_noise, step_at, transitions};
use crate::diffusion::{NoiseScale, Schedule, Step, Variance};

/// Below this, diffusers takes the posterior's variance as this, so that its logarithm exists.
const MIN_VARIANCE: f64 = 1e-20;

pub(super) fn steps(schedule: &Schedule, grid: &[u32]) -> Vec<Step> {
    let variance = schedule.config().variance;
    transitions(schedule, grid)
        .map(|(timestep, now, next)| {
            let (now, next) = (f64::from(now), f64::from(next));
            let alpha = now / next;
            let beta = 1.0 - alpha;
            let posterior = beta * (1.0 - next) / (1.0 - now);
            Step {
                keep: (libm::sqrt(alpha) * (1.0 - next) / (1.0 - now)) as f32,
                denoised: (libm::sqrt(next) * beta / (1.0 - now)) as f32,
                // Timestep 0 is the end of the chain in training: its mean is the picture.
                noise: if timestep == 0 { NoiseScale::None } else { noise(variance, posterior, beta) },
                ..step_at(timestep, now)
            }
        })
        .collect()
}

/// A grid that ends above timestep 0 adds noise in its last step too where the variance is β's or learned, as
/// diffusers does.
fn noise(variance: Variance, posterior: f64, beta: f64) -> NoiseScale {
    match variance {
        Variance::FixedSmall => fixed_noise(libm::sqrt(posterior)),
        Variance::FixedLarge => fixed_noise(libm::sqrt(beta)),
        Variance::LearnedRange => NoiseScale::Learned {
            min_log: libm::log(posterior.max(MIN_VARIANCE)) as f32,
            max_log: libm::log(beta.max(MIN_VARIANCE)) as f32,
        },
    }
}
