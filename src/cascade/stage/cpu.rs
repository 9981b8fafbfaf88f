//! A stage on the CPU: a burn U-Net and [`diffusion::update`].

use super::cpu_network::{CpuNetwork, Low};
use super::{LowResolution, Prompt, Rules, StageRunner};
use crate::cascade::CascadeError;
use crate::diffusion::{self, DiffusionError, Step};
use async_trait::async_trait;
use burn::tensor::{Device, Tensor, TensorData};

/// A U-Net on the CPU and the state of one picture.
pub(in crate::cascade) struct CpuStage {
    network: Box<dyn CpuNetwork>,
    device: Device,
    size: usize,
    learned_variance: bool,
    /// Rows of the batch and rules, once there was a prompt.
    prompt: Option<(usize, Rules)>,
    x: Vec<f32>,
    previous: Vec<f32>,
    low: Option<(Vec<f32>, f32)>,
}

impl CpuStage {
    /// A stage of `size`×`size` pictures.
    pub(in crate::cascade) fn new(
        network: Box<dyn CpuNetwork>,
        learned_variance: bool,
        size: u32,
        device: Device,
    ) -> Self {
        Self {
            network,
            device,
            size: size as usize,
            learned_variance,
            prompt: None,
            x: Vec::new(),
            previous: Vec::new(),
            low: None,
        }
    }

    /// The network's output for every row, planar.
    async fn predict(&self, rows: usize, step: &Step) -> Result<Vec<f32>, CascadeError> {
        let (size, device) = (self.size, &self.device);
        let x = Tensor::from_data(TensorData::new(self.x.repeat(rows), [rows, 3, size, size]), device);
        let low = self
            .low
            .as_ref()
            .map(|(picture, level)| Low::rows(&LowResolution { picture, level: *level }, rows, size, device));
        let timestep = Tensor::from_data(TensorData::new(vec![step.timestep; rows], [rows]), device);
        let out = self.network.predict(x, low, timestep)?;
        values(out).await
    }
}

/// The values of a tensor on the CPU.
pub(super) async fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, CascadeError> {
    let failed = |reason: String| CascadeError::Execution { reason };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_into_vec().map_err(|error| failed(format!("{error:?}")))
}

#[async_trait(?Send)]
impl StageRunner for CpuStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        self.network.prompt(prompt, &self.device);
        self.prompt = Some((prompt.rows(), rules));
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.x = noise.to_vec();
        self.previous.clear();
        self.low = low.map(|low| (low.picture.to_vec(), low.level));
        Ok(())
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let Some((count, rules)) = self.prompt else {
            return Err(DiffusionError::Missing { what: "a prompt" }.into());
        };
        let out = self.predict(count, step).await?;
        let (mut rows, mut variance) = (Vec::new(), None);
        for row in out.chunks_exact((out.len() / count).max(1)) {
            if self.learned_variance {
                // Only the predictions are mixed; the variance is that of the row told last, the prompt's.
                let (prediction, deviation) = diffusion::split_variance(row, 1)?;
                rows.push(prediction);
                variance = Some(deviation);
            } else {
                rows.push(row.to_vec());
            }
        }
        let prediction = match rows.as_mut_slice() {
            [uncond, cond] => {
                if rules.orthogonal {
                    diffusion::remove_parallel(uncond, cond, 1)?;
                }
                diffusion::guide(uncond, cond, rules.guidance)?
            }
            _ => rows.swap_remove(0),
        };
        let (x, previous) = (&mut self.x, &mut self.previous);
        let (variance, prediction) = (variance.as_deref(), prediction.as_slice());
        diffusion::update(step, rules.prediction, rules.thresholding, x, previous, prediction, variance, noise, 1)?;
        Ok(())
    }

    async fn sample(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.x.clone())
    }

    async fn denoised(&mut self) -> Result<Vec<f32>, CascadeError> {
        Ok(self.previous.clone())
    }
}
