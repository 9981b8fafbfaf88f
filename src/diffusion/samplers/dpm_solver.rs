//! DPM-Solver++(2M) (2211.01095, algorithm 2), the midpoint form, in the half log-SNR λ = log(α/σ).
//!
//! The first step has no x0 to look back on and the last one goes to σ = 0, where λ is infinite: both are first order.

use super::{step_at, transitions};
use crate::diffusion::{Schedule, Step};

pub(super) fn steps(schedule: &Schedule, grid: &[u32]) -> Vec<Step> {
    let mut before: Option<f64> = None;
    transitions(schedule, grid)
        .map(|(timestep, alpha_bar, next)| {
            let (now, next) = (f64::from(alpha_bar), f64::from(next));
            let last = next == 1.0;
            let lambda = half_log_snr(now);
            // α·(1 − e^(−h)), which is α where h is infinite.
            let h = if last { f64::INFINITY } else { half_log_snr(next) - lambda };
            let drift = -libm::sqrt(next) * libm::expm1(-h);
            let look_back = match before {
                Some(before) if !last => 0.5 * drift * h / (lambda - before),
                _ => 0.0,
            };
            before = Some(lambda);
            Step {
                keep: libm::sqrt((1.0 - next) / (1.0 - now)) as f32,
                denoised: (drift + look_back) as f32,
                previous: -look_back as f32,
                ..step_at(timestep, alpha_bar)
            }
        })
        .collect()
}

fn half_log_snr(alpha_bar: f64) -> f64 {
    0.5 * libm::log(alpha_bar / (1.0 - alpha_bar))
}
