//! What can go wrong in a conversion.

use crate::cascade::CascadeError;
use crate::text::TextError;
use crate::unet::UNetError;
use crate::weights::WeightsError;
use std::path::Path;
use thiserror::Error;

/// An error of a conversion: which file, option or tensor, and what to do.
#[derive(Debug, Error)]
pub enum ConvertError {
    #[error("cannot convert {path}: {reason}")]
    Folder { path: String, reason: String },
    #[error("{path} is missing: {hint}")]
    Missing { path: String, hint: String },
    #[error("cannot read {path}: {reason}")]
    Read { path: String, reason: String },
    #[error("cannot write {path}: {reason}")]
    Write { path: String, reason: String },
    #[error("{path} cannot be used: {reason}")]
    Malformed { path: String, reason: String },
    #[error("{path} describes a {class}, which is not supported; {supported} is")]
    Class { path: String, class: String, supported: &'static str },
    #[error("{path}: the option {option} = {value} is not supported; {supported} is")]
    Option { path: String, option: &'static str, value: String, supported: &'static str },
    #[error("tensor {tensor} of {path}: {reason}")]
    Tensor { path: String, tensor: String, reason: String },
    #[error("{network} is to be quantised, but there is no such network; there are: {networks}")]
    Quantize { network: String, networks: String },
    #[error("{path}: {error}")]
    UNet { path: String, error: UNetError },
    #[error("{path}: {error}")]
    Text { path: String, error: TextError },
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Manifest(#[from] CascadeError),
}

impl ConvertError {
    pub(super) fn read(path: &Path, error: &std::io::Error) -> Self {
        Self::Read { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(super) fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::Write { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(super) fn malformed(path: &Path, reason: impl ToString) -> Self {
        Self::Malformed { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(super) fn missing(path: &Path, hint: &str) -> Self {
        Self::Missing { path: path.display().to_string(), hint: hint.to_owned() }
    }
}
