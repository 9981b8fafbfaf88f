//! A stage on the GPU: one plan, replayed step by step.

use super::plan::{LOW, NEGATIVE_TEXT, NOISE, PREVIOUS, TEXT, X, describe};
use super::{LowResolution, Prompt, Rules, StageRunner};
use crate::cascade::CascadeError;
use crate::cascade::loading::Loading;
use crate::cascade::manifest::StageManifest;
use crate::cascade::networks::StageShape;
use crate::diffusion::{DiffusionError, Step};
use crate::gpu::plan::{Plan, PlanBuilder, Profiler, StepParams};
use crate::gpu::{Device, GpuWeights};
use crate::unet::{UNetConfig, sinusoidal};
use crate::weights::{WeightIndex, Weights};
use async_trait::async_trait;
use std::sync::Arc;

/// The input of [`unet::plan`](crate::unet::plan) that holds the timestep's sinusoids, a row for each of its batch.
const TIMESTEP: &str = "timestep_embedding";

/// A compiled stage. The plan comes before the weights that it binds, so that it is dropped first.
pub(in crate::cascade) struct GpuStage {
    plan: Plan,
    _weights: GpuWeights,
    config: UNetConfig,
    values: usize,
    /// Rows of the batch that the network sees.
    rows: usize,
    rules: Option<Rules>,
    /// The noise level that phase "prompt" was run with; it is run again where another one is asked for.
    told: Option<f32>,
    profiler: Profiler,
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
        let (index, size) = (WeightIndex::from(&*weights), stage.image_size);
        let builder = PlanBuilder::for_device(&index, device);
        let description = describe(stage, shape, builder)?;
        let uploaded = description.upload(device, weights).await?;
        let mut profiler = Profiler::default();
        profiler.loaded();
        let mut progress = |done, total| loading.compiled(done, total);
        let plan = description.compile(device, &uploaded, &mut progress).await?;
        let values = 3 * size as usize * size as usize;
        let rows = plan.input_shape(TIMESTEP).map_or(shape.rows, |shape| shape.batch as usize);
        let config = config.clone();
        Ok(Self { plan, _weights: uploaded, config, values, rows, rules: None, told: None, profiler })
    }

    /// The sinusoids of one number for every row of the batch.
    fn sinusoids(&self, value: f32) -> Vec<f32> {
        sinusoidal(&self.config, value).repeat(self.rows)
    }
}

#[async_trait(?Send)]
impl StageRunner for GpuStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        if self.config.text_channels().is_some() {
            match (prompt.negative, self.plan.input_shape(NEGATIVE_TEXT).is_some()) {
                (Some(negative), true) => {
                    self.plan.write(NEGATIVE_TEXT, &negative.values)?;
                    self.plan.write(TEXT, &prompt.positive.values)?;
                }
                (negative, _) => {
                    let rows = negative.into_iter().chain([prompt.positive]);
                    let text: Vec<f32> = rows.flat_map(|embedding| &embedding.values).copied().collect();
                    self.plan.write(TEXT, &text)?;
                }
            }
        }
        self.rules = Some(rules);
        self.told = None;
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.plan.write(X, noise)?;
        self.plan.write(PREVIOUS, &vec![0.0; self.values])?;
        let level = low.map_or(0.0, |low| low.level);
        if let Some(low) = low {
            self.plan.write(LOW, low.picture)?;
        }
        if self.told != Some(level) {
            if self.config.class_embed_type.is_some() {
                self.plan.write("class_embedding", &self.sinusoids(level))?;
            }
            self.profiler.run(&self.plan, "prompt").await?;
            self.told = Some(level);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let Some(rules) = self.rules else { return Err(DiffusionError::Missing { what: "a prompt" }.into()) };
        self.plan.write_step(&StepParams::new(step, rules.guidance, rules.thresholding))?;
        self.plan.write(TIMESTEP, &self.sinusoids(step.timestep))?;
        if let Some(noise) = noise {
            self.plan.write(NOISE, noise)?;
        }
        self.profiler.run(&self.plan, "step").await?;
        // Without waiting, all steps would be queued at once and a cancellation would come too late.
        Ok(self.plan.device().finished().await?)
    }

    async fn sample(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.plan.read(X).await?)
    }

    async fn denoised(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.plan.read(PREVIOUS).await?)
    }

    fn profiler(&mut self) -> Option<&mut Profiler> {
        Some(&mut self.profiler)
    }
}
