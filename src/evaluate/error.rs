//! What can go wrong in judging pictures.

use crate::cascade::CascadeError;
use crate::dataset::DatasetError;
use crate::image::ImageError;
use crate::train::TrainError;
use std::path::Path;
use thiserror::Error;

/// An error of judging.
#[derive(Debug, Error)]
pub enum EvaluateError {
    #[error("the setting {name} is not usable: {reason}")]
    Setting { name: &'static str, reason: String },
    #[error("the judge {path} cannot be used: {reason}; make one with `imagen evaluate train-judge`")]
    Judge { path: String, reason: String },
    #[error("cannot read {path}: {reason}")]
    Read { path: String, reason: String },
    #[error("cannot write {path}: {reason}")]
    Write { path: String, reason: String },
    #[error("{path} holds pictures of another evaluation ({differs}); choose another --output")]
    Other { path: String, differs: String },
    #[error("the judge lost its way: its loss is no number after {step} steps; choose another --seed")]
    Diverged { step: u64 },
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Cascade(#[from] CascadeError),
}

impl EvaluateError {
    pub(super) fn setting(name: &'static str, reason: impl ToString) -> Self {
        Self::Setting { name, reason: reason.to_string() }
    }

    pub(super) fn judge(path: &Path, reason: impl ToString) -> Self {
        Self::Judge { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(super) fn read(path: &Path, reason: impl ToString) -> Self {
        Self::Read { path: path.display().to_string(), reason: reason.to_string() }
    }

    pub(super) fn write(path: &Path, reason: impl ToString) -> Self {
        Self::Write { path: path.display().to_string(), reason: reason.to_string() }
    }
}
