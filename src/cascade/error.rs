//! What can go wrong in a cascade. Every message says what happened and what to do about it.

use super::events::During;
use super::residency::in_words;
use crate::diffusion::DiffusionError;
use crate::gpu::GpuError;
use crate::image::ImageError;
use crate::text::TextError;
use crate::unet::UNetError;
use crate::weights::WeightsError;
use thiserror::Error;

/// An error of opening or running a cascade. Finished stages were handed to the observer before it is returned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CascadeError {
    #[error("the manifest imagen.json is not usable: {reason}")]
    Manifest { reason: String },
    #[error("cannot open {name}: {reason}")]
    File { name: String, reason: String },
    /// The model was converted without this part.
    #[error("the model has no {part}; add one with `imagen convert` into the same folder")]
    Incomplete { part: &'static str },
    /// A setting of the request: the message gives the allowed range.
    #[error("{setting}: {reason}")]
    Request { setting: String, reason: String },
    /// Characters of a prompt, and how many are taken at most.
    #[error("{setting}: it has {length} characters, at most {max} are taken; shorten it")]
    PromptTooLong { setting: &'static str, length: usize, max: usize },
    /// A prompt for a model that steers away from something else.
    #[error("negative prompt: this model's guidance steers away from what it learnt in place of a text; leave it out")]
    NegativePrompt,
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    UNet(#[from] UNetError),
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Reading a network's result back failed on the CPU path: a defect, or memory ran out.
    #[error(
        "the network gave no result ({reason}); if memory is short, close other programs or stop at an earlier stage"
    )]
    Execution { reason: String },
    #[error(
        "the GPU was lost during {during}, again after it was rebuilt; close other programs that use it, or use the CPU"
    )]
    DeviceLost { during: During },
    #[error(
        "not enough GPU memory for {during}: {reason}; close other tabs and programs, stop at an earlier stage, or use the CPU"
    )]
    OutOfMemory { during: During, reason: String },
    /// The budget is too small for the model, however little of it stays loaded.
    #[error(
        "a GPU memory budget of {} is too small: {} are needed at the least; raise it, stop at an earlier stage, or use the CPU",
        in_words(*.budget), in_words(*.needed)
    )]
    GpuMemory { budget: u64, needed: u64 },
    #[error("cancelled")]
    Cancelled,
}

impl CascadeError {
    /// A setting that cannot be used.
    pub(crate) fn request(setting: &str, reason: impl Into<String>) -> Self {
        Self::Request { setting: setting.to_owned(), reason: reason.into() }
    }

    /// The fault of a weights file, whichever module met it.
    pub(crate) fn weights(&self) -> Option<&WeightsError> {
        match (self, self.gpu()) {
            (Self::Weights(error) | Self::Text(TextError::Weights(error)), _) => Some(error),
            (_, Some(GpuError::Weights(error))) => Some(error),
            _ => None,
        }
    }

    /// The GPU's part of this error, whichever module it came through.
    pub(crate) fn gpu(&self) -> Option<&GpuError> {
        match self {
            Self::Gpu(error) | Self::Text(TextError::Gpu(error)) => Some(error),
            _ => None,
        }
    }

    /// True where the device is gone and has to be requested anew.
    pub(crate) fn is_device_lost(&self) -> bool {
        matches!(self.gpu(), Some(GpuError::Lost { .. }))
    }

    /// True where an allocation failed.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        matches!(self.gpu(), Some(GpuError::OutOfMemory { .. }))
    }
}
