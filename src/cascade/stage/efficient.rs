//! A stage of imagen-pytorch on the GPU: the pixels' part of the network is a plan, what it is conditioned on comes from
//! the CPU. And what that shares with the network on the CPU.

use super::compiled::CompiledStage;
use super::cpu::values;
use super::{LowResolution, Prompt, Rules, StageRunner};
use crate::cascade::CascadeError;
use crate::cascade::loading::Loading;
use crate::cascade::manifest::StageManifest;
use crate::cascade::networks::StageShape;
use crate::diffusion::{DiffusionError, Step};
use crate::efficient_unet::{Conditioner, EfficientUNetConfig, Text, plan};
use crate::gpu;
use crate::gpu::plan::Profiler;
use crate::weights::{Weights, load_module};
use async_trait::async_trait;
use burn::tensor::{Device, Tensor, TensorData};
use std::sync::Arc;

/// Reads the text for all rows, of which the first has none where there are two: the network learnt what stands there.
pub(super) fn text(conditioner: &Conditioner, prompt: Prompt<'_>, device: &Device) -> Option<Text> {
    // A network without text is given none, and a tensor cannot be empty.
    conditioner.text_to_cond.as_ref()?;
    let (rows, embedding) = (prompt.rows(), prompt.positive);
    let keep: Vec<f32> = (0..rows).map(|row| f32::from(u8::from(row + 1 == rows))).collect();
    let mask: Vec<f32> = embedding.mask.iter().map(|&token| token as f32).collect();
    let values = TensorData::new(embedding.values.repeat(rows), [rows, embedding.tokens, embedding.d_model]);
    let mask = TensorData::new(mask.repeat(rows), [rows, embedding.tokens]);
    let keep = Tensor::from_data(TensorData::new(keep, [rows]), device);
    conditioner.text(Tensor::from_data(values, device), Tensor::from_data(mask, device), keep)
}

/// A stage whose U-Net is imagen-pytorch's.
pub(in crate::cascade) struct EfficientGpuStage {
    compiled: CompiledStage,
    conditioner: Conditioner,
    cpu: Device,
    rows: usize,
    prompt: Option<(Option<Text>, Rules)>,
    /// How noisy the low-resolution picture is, as the network is told it.
    level: Option<f32>,
}

impl EfficientGpuStage {
    /// Uploads the weights, compiles the plan, and loads what runs on the CPU.
    pub(in crate::cascade) async fn load(
        device: &Arc<gpu::Device>,
        weights: &mut Weights,
        stage: &StageManifest,
        config: &EfficientUNetConfig,
        shape: StageShape,
        loading: &Loading,
    ) -> Result<Self, CascadeError> {
        let cpu = Device::flex();
        let conditioner = load_module(config.init_conditioner(&cpu)?, weights, &str::to_owned, &cpu).await?;
        let compiled = CompiledStage::load(device, weights, stage, shape, loading).await?;
        Ok(Self { compiled, conditioner, cpu, rows: shape.rows, prompt: None, level: None })
    }

    /// The same number for every row.
    fn rows(&self, value: f32) -> Tensor<1> {
        Tensor::from_data(TensorData::new(vec![value; self.rows], [self.rows]), &self.cpu)
    }
}

#[async_trait(?Send)]
impl StageRunner for EfficientGpuStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        self.prompt = Some((text(&self.conditioner, prompt, &self.cpu), rules));
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.level = low.map(|low| low.level);
        self.compiled.begin(noise, low)
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let Some((text, rules)) = &self.prompt else {
            return Err(DiffusionError::Missing { what: "a prompt" }.into());
        };
        let level = self.level.map(|level| self.rows(level));
        let conditions = self.conditioner.forward(self.rows(step.timestep), level, text.as_ref());
        self.compiled.plan.write(plan::TIME, &values(conditions.time).await?)?;
        self.compiled.plan.write(plan::TOKENS, &values(conditions.tokens).await?)?;
        self.compiled.step(step, *rules, noise).await
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
