//! The networks of a stage on the CPU: what they make of a prompt, and of a noisy picture.

use super::{LowResolution, Prompt, efficient};
use crate::diffusion::DiffusionError;
use crate::efficient_unet::{self, EfficientUNet};
use crate::text::Embedding;
use crate::unet::{self, UNet};
use burn::tensor::{Device, Tensor, TensorData};

/// A U-Net of any architecture.
pub(in crate::cascade) trait CpuNetwork {
    /// Reads the text of all rows, of which the first is the unconditional one where there are two.
    fn prompt(&mut self, prompt: Prompt<'_>, device: &Device);

    /// Predicts from the same picture for every row, `[rows, channels, size, size]`.
    ///
    /// # Errors
    /// Where no prompt was read.
    fn predict(&self, x: Tensor<4>, low: Option<Low>, timestep: Tensor<1>) -> Result<Tensor<4>, DiffusionError>;
}

/// The conditioning picture of every row, and the noise level that the network is told.
pub(in crate::cascade) struct Low {
    pub picture: Tensor<4>,
    pub level: Tensor<1>,
}

impl Low {
    /// The same for all rows.
    pub fn rows(low: &LowResolution<'_>, rows: usize, size: usize, device: &Device) -> Self {
        let picture = TensorData::new(low.picture.repeat(rows), [rows, 3, size, size]);
        let level = TensorData::new(vec![low.level; rows], [rows]);
        Self { picture: Tensor::from_data(picture, device), level: Tensor::from_data(level, device) }
    }
}

/// A U-Net of diffusers.
pub(in crate::cascade) struct DiffusersNetwork {
    unet: UNet,
    text: Option<unet::Conditioning>,
}

impl DiffusersNetwork {
    pub fn new(unet: UNet) -> Self {
        Self { unet, text: None }
    }
}

impl CpuNetwork for DiffusersNetwork {
    fn prompt(&mut self, prompt: Prompt<'_>, device: &Device) {
        let embeddings: Vec<&Embedding> = prompt.negative.into_iter().chain([prompt.positive]).collect();
        let values: Vec<f32> = embeddings.iter().flat_map(|embedding| &embedding.values).copied().collect();
        let shape = [embeddings.len(), prompt.positive.tokens, prompt.positive.d_model];
        self.text = Some(self.unet.condition(Tensor::from_data(TensorData::new(values, shape), device)));
    }

    fn predict(&self, x: Tensor<4>, low: Option<Low>, timestep: Tensor<1>) -> Result<Tensor<4>, DiffusionError> {
        let text = self.text.as_ref().ok_or(DiffusionError::Missing { what: "a prompt" })?;
        let (x, labels) = match low {
            Some(Low { picture, level }) => (Tensor::cat(vec![x, picture], 1), Some(level)),
            None => (x, None),
        };
        Ok(self.unet.forward_conditioned(x, timestep, text, labels))
    }
}

/// A U-Net of imagen-pytorch. Its unconditional row has the embedding that the network learnt for no text.
pub(in crate::cascade) struct EfficientNetwork {
    unet: EfficientUNet,
    text: Option<efficient_unet::Text>,
}

impl EfficientNetwork {
    pub fn new(unet: EfficientUNet) -> Self {
        Self { unet, text: None }
    }
}

impl CpuNetwork for EfficientNetwork {
    fn prompt(&mut self, prompt: Prompt<'_>, device: &Device) {
        self.text = efficient::text(&self.unet.conditioner, prompt, device);
    }

    fn predict(&self, x: Tensor<4>, low: Option<Low>, timestep: Tensor<1>) -> Result<Tensor<4>, DiffusionError> {
        let (low, level) = low.map(|low| (low.picture, low.level)).unzip();
        let conditions = self.unet.conditioner.forward(timestep, level, self.text.as_ref());
        Ok(self.unet.forward(x, low, &conditions))
    }
}
