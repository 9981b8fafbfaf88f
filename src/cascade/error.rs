//! What can go wrong in a cascade. Every message says what happened and what to do about it.

use crate::weights::WeightsError;
use thiserror::Error;

/// An error of opening or running a cascade. Finished stages were handed to the observer before it is returned.
#[derive(Debug, Error)]
pub enum CascadeError {
    #[error("the manifest imagen.json is not usable: {reason}")]
    Manifest { reason: String },
    #[error("cannot open {name}: {reason}")]
    File { name: String, reason: String },
    /// A setting of the request: the message gives the allowed range.
    #[error("{setting}: {reason}")]
    Request { setting: String, reason: String },
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(
        "the GPU was lost during {during}, again after it was rebuilt; close other programs that use it, or use the CPU"
    )]
    DeviceLost { during: String },
    #[error(
        "not enough GPU memory for {part}: {reason}; close other tabs and programs, stop at an earlier stage, or use the CPU"
    )]
    OutOfMemory { part: String, reason: String },
    #[error("cancelled")]
    Cancelled,
}

impl CascadeError {
    /// A setting that cannot be used.
    pub(crate) fn request(setting: &str, reason: impl Into<String>) -> Self {
        Self::Request { setting: setting.to_owned(), reason: reason.into() }
    }
}
