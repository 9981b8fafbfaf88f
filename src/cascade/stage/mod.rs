//! Runs the U-Net of one stage: on the CPU with burn, or on the GPU as one plan.
//!
//! A runner holds the network and the state of one picture. The pipeline tells it the prompt once, then for each
//! picture its starting noise and conditioning, then one step after another.

mod compiled;
mod cpu;
mod cpu_network;
mod efficient;
mod gpu;
mod plan;

pub(super) use cpu::CpuStage;
pub(super) use cpu_network::{CpuNetwork, DiffusersNetwork, EfficientNetwork};
pub(super) use efficient::EfficientGpuStage;
pub(super) use gpu::GpuStage;
pub(super) use plan::describe;

use super::CascadeError;
use crate::diffusion::{Prediction, Step, Thresholding};
use crate::gpu::plan::Profiler;
use crate::text::Embedding;
use async_trait::async_trait;

/// How a stage turns the network's output into x0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    pub prediction: Prediction,
    pub thresholding: Thresholding,
    /// Classifier-free guidance scale; used when there is a negative embedding.
    pub guidance: f32,
    /// Guidance goes along that part of the difference alone that is orthogonal to the conditional prediction.
    pub orthogonal: bool,
}

/// The text that a stage is conditioned on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt<'a> {
    pub positive: &'a Embedding,
    /// With guidance: the embedding of the negative prompt. Without, the network runs one row.
    pub negative: Option<&'a Embedding>,
}

impl Prompt<'_> {
    /// Rows of the network's batch per picture.
    pub(super) fn rows(&self) -> usize {
        1 + usize::from(self.negative.is_some())
    }
}

/// The picture of the stage before as a stage sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LowResolution<'a> {
    /// Upsampled and augmented, planar `[3, size, size]`.
    pub picture: &'a [f32],
    /// The noise level of the augmentation as the network is told it.
    pub level: f32,
}

/// One stage's network with the state of one picture. All pixels are planar `[3, size, size]`.
#[async_trait(?Send)]
pub(super) trait StageRunner {
    /// Takes the text and the rules for all pictures until the next call.
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError>;

    /// Starts a picture from noise.
    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError>;

    /// One step; `noise` where the step adds some.
    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError>;

    /// The state: after the last step, what the stage diffuses.
    async fn sample(&mut self) -> Result<Vec<f32>, CascadeError>;

    /// The x0 of the last step, thresholded: what the sample is going to be, as far as it can be told.
    async fn denoised(&mut self) -> Result<Vec<f32>, CascadeError>;

    /// What can time the network; none on the CPU.
    fn profiler(&mut self) -> Option<&mut Profiler> {
        None
    }
}
