//! DDIM (2010.02502, formulas 12 and 16).
//!
//! The noise in x is derived again from the thresholded x0, ε = (x − α·x0) / σ, so that x and x0 always agree; without
//! thresholding this is the predicted noise itself.

use super::{fixed_noise, step_at, transitions};
use crate::diffusion::{Schedule, Step};

pub(super) fn steps(schedule: &Schedule, grid: &[u32], eta: f32) -> Vec<Step> {
    transitions(schedule, grid)
        .map(|(timestep, now, next)| {
            // In f32 as in diffusers: at eta 1 and few steps, the direction is what rounding leaves of a difference.
            let variance = (1.0 - next) / (1.0 - now) * (1.0 - now / next);
            let deviation = eta * variance.sqrt();
            // The factor of ε; x0 gets what is left of it.
            let direction = f64::from((1.0 - next - deviation * deviation).max(0.0).sqrt());
            let (now_wide, next_wide) = (f64::from(now), f64::from(next));
            let keep = direction / libm::sqrt(1.0 - now_wide);
            Step {
                keep: keep as f32,
                denoised: (libm::sqrt(next_wide) - keep * libm::sqrt(now_wide)) as f32,
                noise: fixed_noise(deviation),
                ..step_at(timestep, now)
            }
        })
        .collect()
}
