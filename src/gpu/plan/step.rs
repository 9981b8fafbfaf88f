//! The one small write of a sampling step.

use crate::diffusion::{NoiseScale, Step, Thresholding};
use bytemuck::{Pod, Zeroable};

/// What changes from step to step, as the kernels see it: a uniform of sixteen words, in this order in WGSL.
/// The WGSL declaration is [`STEP_WGSL`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct StepParams {
    /// √ᾱ and √(1 − ᾱ) at the timestep.
    pub alpha: f32,
    pub sigma: f32,
    /// Factors of x, of x0 and of the x0 before.
    pub keep: f32,
    pub denoised: f32,
    pub previous: f32,
    /// 0 none, 1 fixed (`noise_a` is the standard deviation), 2 learned (`noise_a` = min_log, `noise_b` = max_log).
    pub noise_kind: u32,
    pub noise_a: f32,
    pub noise_b: f32,
    /// Classifier-free guidance scale.
    pub guidance: f32,
    /// 0 none, 1 static, 2 dynamic.
    pub threshold_kind: u32,
    pub threshold_quantile: f32,
    pub threshold_max: f32,
    pub padding: [u32; 4],
}

/// [`StepParams`] in WGSL; a kernel that binds the step puts this before its own text.
pub const STEP_WGSL: &str = include_str!("../../../shaders/step.wgsl");

impl StepParams {
    /// One step of a sampler with the run's guidance and thresholding.
    pub fn new(step: &Step, guidance: f32, thresholding: Thresholding) -> Self {
        let (noise_kind, noise_a, noise_b) = match step.noise {
            NoiseScale::None => (0, 0.0, 0.0),
            NoiseScale::Fixed(deviation) => (1, deviation, 0.0),
            NoiseScale::Learned { min_log, max_log } => (2, min_log, max_log),
        };
        let (threshold_kind, threshold_quantile, threshold_max) = match thresholding {
            Thresholding::None => (0, 0.0, 0.0),
            Thresholding::Static { max } => (1, 0.0, max),
            Thresholding::Dynamic { quantile, max } => (2, quantile, max),
        };
        Self {
            alpha: step.alpha,
            sigma: step.sigma,
            keep: step.keep,
            denoised: step.denoised,
            previous: step.previous,
            noise_kind,
            noise_a,
            noise_b,
            guidance,
            threshold_kind,
            threshold_quantile,
            threshold_max,
            padding: [0; 4],
        }
    }
}
