//! A stage's plan on the GPU, with the state of one picture in it: what the stages of all architectures share.

use super::plan::{LOW, NOISE, PREVIOUS, X, describe};
use super::{LowResolution, Rules};
use crate::cascade::CascadeError;
use crate::cascade::loading::Loading;
use crate::cascade::manifest::StageManifest;
use crate::cascade::networks::StageShape;
use crate::diffusion::Step;
use crate::gpu::plan::{Plan, PlanBuilder, Profiler, StepParams};
use crate::gpu::{Device, GpuWeights};
use crate::weights::{WeightIndex, Weights};
use std::sync::Arc;

/// The plan comes before the weights that it binds, so that it is dropped first.
pub(super) struct CompiledStage {
    pub plan: Plan,
    _weights: GpuWeights,
    pub profiler: Profiler,
}

impl CompiledStage {
    /// Uploads the weights and compiles the plan.
    pub async fn load(
        device: &Arc<Device>,
        weights: &mut Weights,
        stage: &StageManifest,
        shape: StageShape,
        loading: &Loading,
    ) -> Result<Self, CascadeError> {
        let builder = PlanBuilder::for_device(&WeightIndex::from(&*weights), device);
        let description = describe(stage, shape, builder)?;
        let uploaded = description.upload(device, weights).await?;
        let mut profiler = Profiler::default();
        profiler.loaded();
        let mut progress = |done, total| loading.compiled(done, total);
        let plan = description.compile(device, &uploaded, &mut progress).await?;
        Ok(Self { plan, _weights: uploaded, profiler })
    }

    /// Begins a picture.
    pub fn begin(&self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.plan.write(X, noise)?;
        self.plan.write(PREVIOUS, &vec![0.0; noise.len()])?;
        if let Some(low) = low {
            self.plan.write(LOW, low.picture)?;
        }
        Ok(())
    }

    /// Runs phase "step", after the network's own inputs were written.
    pub async fn step(&mut self, step: &Step, rules: Rules, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        self.plan.write_step(&StepParams::new(step, rules.guidance, rules.thresholding))?;
        if let Some(noise) = noise {
            self.plan.write(NOISE, noise)?;
        }
        self.profiler.run(&self.plan, "step").await?;
        // Without waiting, all steps would be queued at once and a cancellation would come too late.
        Ok(self.plan.device().finished().await?)
    }

    pub async fn sample(&self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.plan.read(X).await?)
    }

    pub async fn denoised(&self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.plan.read(PREVIOUS).await?)
    }
}
