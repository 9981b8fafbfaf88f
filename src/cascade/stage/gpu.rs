//! A stage on the GPU: one plan, replayed step by step.

use super::compiled::CompiledStage;
use super::plan::{NEGATIVE_TEXT, TEXT};
use super::{LowResolution, Prompt, Rules, StageRunner};
use crate::cascade::CascadeError;
use crate::cascade::loading::Loading;
use crate::cascade::manifest::StageManifest;
use crate::cascade::networks::StageShape;
use crate::diffusion::{DiffusionError, Step};
use crate::gpu::Device;
use crate::gpu::plan::Profiler;
use crate::unet::{UNetConfig, sinusoidal};
use crate::weights::Weights;
use async_trait::async_trait;
use std::sync::Arc;

/// The input of [`unet::plan`](crate::unet::plan) that holds the timestep's sinusoids, a row for each of its batch.
const TIMESTEP: &str = "timestep_embedding";

/// A stage whose U-Net is diffusers'.
pub(in crate::cascade) struct GpuStage {
    compiled: CompiledStage,
    config: UNetConfig,
    /// Rows of the batch that the network sees.
    rows: usize,
    rules: Option<Rules>,
    /// The noise level that phase "prompt" was run with; it is run again where another one is asked for.
    told: Option<f32>,
}

impl GpuStage {
    /// Uploads the weights and compiles the plan.
    pub(in crate::cascade) async fn load(
        device: &Arc<Device>,
        weights: &mut Weights,
        stage: &StageManifest,
        config: &UNetConfig,
        shape: StageShape,
        loading: &Loading,
    ) -> Result<Self, CascadeError> {
        let compiled = CompiledStage::load(device, weights, stage, shape, loading).await?;
        let rows = compiled.plan.input_shape(TIMESTEP).map_or(shape.rows, |shape| shape.batch as usize);
        Ok(Self { compiled, config: config.clone(), rows, rules: None, told: None })
    }

    /// The sinusoids of one number for every row of the batch.
    fn sinusoids(&self, value: f32) -> Vec<f32> {
        sinusoidal(&self.config, value).repeat(self.rows)
    }
}

#[async_trait(?Send)]
impl StageRunner for GpuStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        let plan = &self.compiled.plan;
        if self.config.text_channels().is_some() {
            match (prompt.negative, plan.input_shape(NEGATIVE_TEXT).is_some()) {
                (Some(negative), true) => {
                    plan.write(NEGATIVE_TEXT, &negative.values)?;
                    plan.write(TEXT, &prompt.positive.values)?;
                }
                (negative, _) => {
                    let rows = negative.into_iter().chain([prompt.positive]);
                    let text: Vec<f32> = rows.flat_map(|embedding| &embedding.values).copied().collect();
                    plan.write(TEXT, &text)?;
                }
            }
        }
        self.rules = Some(rules);
        self.told = None;
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.compiled.begin(noise, low)?;
        let level = low.map_or(0.0, |low| low.level);
        if self.told != Some(level) {
            if self.config.class_embed_type.is_some() {
                self.compiled.plan.write("class_embedding", &self.sinusoids(level))?;
            }
            self.compiled.profiler.run(&self.compiled.plan, "prompt").await?;
            self.told = Some(level);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let Some(rules) = self.rules else { return Err(DiffusionError::Missing { what: "a prompt" }.into()) };
        self.compiled.plan.write(TIMESTEP, &self.sinusoids(step.timestep))?;
        self.compiled.step(step, rules, noise).await
    }

    async fn sample(&mut self) -> Result<Vec<f32>, CascadeError> {
        self.compiled.sample().await
    }

    async fn denoised(&mut self) -> Result<Vec<f32>, CascadeError> {
        self.compiled.denoised().await
    }

    fn profiler(&mut self) -> Option<&mut Profiler> {
        Some(&mut self.compiled.profiler)
    }
}
