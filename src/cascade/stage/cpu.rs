//! A stage on the CPU: the burn U-Net and [`diffusion::update`].

use super::{LowResolution, Prompt, Rules, StageRunner};
use crate::cascade::CascadeError;
use crate::diffusion::{self, DiffusionError, Step};
use crate::text::Embedding;
use crate::unet::{Conditioning, UNet, UNetConfig};
use async_trait::async_trait;
use burn::tensor::{Device, Tensor, TensorData};

/// A U-Net on the CPU and the state of one picture.
pub(in crate::cascade) struct CpuStage {
    unet: UNet,
    device: Device,
    size: usize,
    learned_variance: bool,
    text: Option<Text>,
    x: Vec<f32>,
    previous: Vec<f32>,
    low: Option<(Vec<f32>, u32)>,
}

/// What [`StageRunner::prompt`] brought.
struct Text {
    conditioning: Conditioning,
    rows: usize,
    rules: Rules,
}

impl CpuStage {
    /// A stage of `size`×`size` pictures.
    pub(in crate::cascade) fn new(unet: UNet, config: &UNetConfig, size: u32, device: Device) -> Self {
        Self {
            unet,
            device,
            size: size as usize,
            learned_variance: config.output_channels() == 6,
            text: None,
            x: Vec::new(),
            previous: Vec::new(),
            low: None,
        }
    }

    /// The network's output for every row, planar.
    async fn predict(&self, text: &Text, step: &Step) -> Result<Vec<f32>, CascadeError> {
        let row = self.x.iter().chain(self.low.iter().flat_map(|(picture, _)| picture));
        let row: Vec<f32> = row.copied().collect();
        let channels = row.len() / (self.size * self.size).max(1);
        let input = row.repeat(text.rows);
        let x = Tensor::from_data(TensorData::new(input, [text.rows, channels, self.size, self.size]), &self.device);
        let vector =
            |value: f32| Tensor::<1>::from_data(TensorData::new(vec![value; text.rows], [text.rows]), &self.device);
        let labels = self.low.as_ref().map(|&(_, level)| vector(level as f32));
        let out = self.unet.forward_conditioned(x, vector(step.timestep), &text.conditioning, labels);
        let failed = |reason: String| CascadeError::Execution { reason };
        let data = out.into_data_async().await.map_err(|error| failed(error.to_string()))?;
        data.try_into_vec().map_err(|error| failed(format!("{error:?}")))
    }
}

#[async_trait(?Send)]
impl StageRunner for CpuStage {
    async fn prompt(&mut self, prompt: Prompt<'_>, rules: Rules) -> Result<(), CascadeError> {
        let rows: Vec<&Embedding> = prompt.negative.into_iter().chain([prompt.positive]).collect();
        let values: Vec<f32> = rows.iter().flat_map(|embedding| &embedding.values).copied().collect();
        let shape = [rows.len(), prompt.positive.tokens, prompt.positive.d_model];
        let conditioning = self.unet.condition(Tensor::from_data(TensorData::new(values, shape), &self.device));
        self.text = Some(Text { conditioning, rows: rows.len(), rules });
        Ok(())
    }

    async fn begin(&mut self, noise: &[f32], low: Option<LowResolution<'_>>) -> Result<(), CascadeError> {
        self.x = noise.to_vec();
        self.previous.clear();
        self.low = low.map(|low| (low.picture.to_vec(), low.level));
        Ok(())
    }

    async fn step(&mut self, step: &Step, noise: Option<&[f32]>) -> Result<(), CascadeError> {
        let Some(text) = &self.text else { return Err(DiffusionError::Missing { what: "a prompt" }.into()) };
        let out = self.predict(text, step).await?;
        let rules = text.rules;
        let (mut rows, mut variance) = (Vec::new(), None);
        for row in out.chunks_exact((out.len() / text.rows).max(1)) {
            if self.learned_variance {
                // Only the predictions are mixed; the variance is that of the row told last, the prompt's.
                let (prediction, deviation) = diffusion::split_variance(row, 1)?;
                rows.push(prediction);
                variance = Some(deviation);
            } else {
                rows.push(row.to_vec());
            }
        }
        let prediction = match rows.as_slice() {
            [uncond, cond] => diffusion::guide(uncond, cond, rules.guidance)?,
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
