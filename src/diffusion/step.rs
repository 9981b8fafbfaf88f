//! One sampling step as a row of coefficients.
//!
//! DDPM, DDIM and DPM-Solver++ differ only in these numbers, so each sampler is a function from a schedule to a list
//! of steps, and one update (on the CPU or in one kernel) serves them all:
//!
//! ```text
//! out  = uncond + guidance · (cond − uncond)
//! x0   = threshold(prediction(x, out, alpha, sigma))
//! x'   = keep · x + denoised · x0 + previous · x0' + noise
//! ```
//! where `x0'` is the thresholded x0 of the step before: `update` keeps every step's x0 in place of it, and a run's
//! first step has `previous` = 0, so that the memory needs no initial value. `x` on the right is the x that the network
//! saw. Guidance mixes the predictions alone: a learned variance is the conditional rows'. Noise is independent of the
//! rest and exists only where `noise` is not `None`:
//!
//! ```text
//! noise = deviation · n                                                              Fixed(deviation)
//! noise = exp(½ · (f · max_log + (1 − f) · min_log)) · n, f = (variance channel + 1) / 2   Learned
//! ```

use serde::{Deserialize, Serialize};

/// What the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise: x0 = (x − sigma · out) / alpha.
    Epsilon,
    /// x0 itself.
    Sample,
    /// v = alpha · noise − sigma · x0: x0 = alpha · x − sigma · out.
    VPrediction,
}

/// How x0 is kept in range (Imagen, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Thresholding {
    /// x0 as it is.
    None,
    /// x0 clamped to ±max.
    Static { max: f32 },
    /// s = the quantile of |x0| per image, kept in [1, max]; x0 clamped to ±s and divided by s.
    Dynamic { quantile: f32, max: f32 },
}

/// How much fresh noise a step adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseScale {
    /// None: no noise needs to be drawn.
    None,
    /// The same standard deviation everywhere.
    Fixed(f32),
    /// The network predicts the variance: exp(½ · (f · max_log + (1 − f) · min_log)), f = (v + 1) / 2.
    Learned { min_log: f32, max_log: f32 },
}

/// One step of a sampler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The timestep that the network is told.
    pub timestep: f32,
    /// Signal level √ᾱ at that timestep.
    pub alpha: f32,
    /// Noise level √(1 − ᾱ) at that timestep.
    pub sigma: f32,
    /// Factor of x.
    pub keep: f32,
    /// Factor of the thresholded x0.
    pub denoised: f32,
    /// Factor of the thresholded x0 of the step before (multistep samplers; else 0).
    pub previous: f32,
    /// Fresh noise.
    pub noise: NoiseScale,
}
