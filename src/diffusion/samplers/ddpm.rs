//! Ancestral sampling (DDPM, 2006.11239, formulas 6 and 7), with the posterior between two entries of the time grid.

use super::{fixed_noise, step_at, transitions};
use crate::diffusion::{NoiseScale, Schedule, Step, Variance};

/// Below this, diffusers takes the posterior's variance as this, so that its logarithm exists.
const MIN_VARIANCE: f32 = 1e-20;

pub(super) fn steps(schedule: &Schedule, grid: &[u32]) -> Vec<Step> {
    let variance = schedule.config().variance;
    transitions(schedule, grid)
        .map(|(timestep, now, next)| {
            // In f32 as in diffusers: close to the picture, 1 − ᾱ/ᾱ' keeps so few digits that another rounding would
            // show in the trajectory.
            let alpha = now / next;
            let beta = 1.0 - alpha;
            let posterior = (1.0 - next) / (1.0 - now) * beta;
            Step {
                keep: alpha.sqrt() * (1.0 - next) / (1.0 - now),
                denoised: next.sqrt() * beta / (1.0 - now),
                // Timestep 0 is the end of the chain in training: its mean is the picture.
                noise: if timestep == 0 { NoiseScale::None } else { noise(variance, posterior, beta) },
                ..step_at(timestep, now)
            }
        })
        .collect()
}

/// A grid that ends above timestep 0 adds noise in its last step too where the variance is β's or learned, as
/// diffusers does.
fn noise(variance: Variance, posterior: f32, beta: f32) -> NoiseScale {
    match variance {
        Variance::FixedSmall => fixed_noise(posterior.sqrt()),
        Variance::FixedLarge => fixed_noise(beta.sqrt()),
        Variance::LearnedRange => NoiseScale::Learned {
            min_log: libm::logf(posterior.max(MIN_VARIANCE)),
            max_log: libm::logf(beta.max(MIN_VARIANCE)),
        },
    }
}
