//! What can go wrong in training. Every message says what to do, and nothing that was trained is lost by any of them.

use crate::cascade::CascadeError;
use crate::convert::ConvertError;
use crate::diffusion::DiffusionError;
use crate::image::ImageError;
use crate::text::TextError;
use crate::unet::UNetError;
use crate::weights::WeightsError;
use std::path::Path;
use thiserror::Error;

/// An error of training.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error("the setting {name} is not usable: {reason}")]
    Setting { name: &'static str, reason: String },
    #[error("the settings in {path} are not usable: {reason}")]
    Settings { path: String, reason: String },
    #[error("stage {stage} cannot be trained: {reason}")]
    Stage { stage: String, reason: String },
    #[error("cannot read {path}: {reason}")]
    Read { path: String, reason: String },
    #[error("cannot write {path}: {reason}; what was there before is still there")]
    Write { path: String, reason: String },
    #[error("{path} holds no data to train on: {reason}")]
    Empty { path: String, reason: String },
    #[error("none of the {count} pictures of {path} can be used; the first: {first}")]
    Unreadable { path: String, count: usize, first: String },
    #[error("the checkpoint {path} cannot be used: {reason}")]
    Checkpoint { path: String, reason: String },
    #[error(
        "training diverged at step {step}: {what}; {kept}. Go on from there with a lower --rate, or a longer --warm-up"
    )]
    Diverged { step: u64, what: String, kept: String },
    #[error("the processes of this run cannot train together: {0}")]
    Ranks(String),
    #[error("another process of this run failed; its own message says why")]
    Elsewhere,
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    #[error(transparent)]
    UNet(#[from] UNetError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Cascade(#[from] CascadeError),
    #[error(transparent)]
    Export(#[from] ConvertError),
}

impl TrainError {
    pub(super) fn setting(name: &'static str, reason: impl ToString) -> Self {
        Self::Setting { name, reason: reason.to_string() }
    }

    pub(super) fn read(path: &Path, reason: impl ToString) -> Self {
        Self::Read { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(super) fn write(path: &Path, reason: impl ToString) -> Self {
        Self::Write { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(super) fn checkpoint(path: &Path, reason: impl ToString) -> Self {
        Self::Checkpoint { path: path.display().to_string(), reason: reason.to_string() }
    }
}
