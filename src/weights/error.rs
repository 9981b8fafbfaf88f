//! What can go wrong with a weights file.

use super::BlockFormat;
use thiserror::Error;

/// An error while reading, checking or writing weights. Every variant names the file's part that is at fault.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error("cannot read {name}: {reason}")]
    Read { name: String, reason: String },
    #[error("cannot write {name}: {reason}")]
    Write { name: String, reason: String },
    #[error("{name} is not a usable GGUF file: {reason}")]
    Malformed { name: String, reason: String },
    #[error("{name} ends early: {expected} bytes are needed, {actual} are there; download or convert it again")]
    Truncated { name: String, expected: u64, actual: u64 },
    #[error("{name} has {actual} bytes, expected {expected}; download or convert it again")]
    WrongSize { name: String, expected: u64, actual: u64 },
    #[error("{name} has the wrong SHA-256 ({actual}, expected {expected}); download or convert it again")]
    WrongHash { name: String, expected: String, actual: String },
    #[error("{name} holds a model of kind \"{actual}\", expected \"{expected}\": is it the right file?")]
    WrongArchitecture { name: String, expected: String, actual: String },
    #[error("tensor {tensor} is missing: {hint}")]
    MissingTensor { tensor: String, hint: String },
    #[error("tensor {tensor} has shape {actual:?}, expected {expected:?}: are these the weights of this network?")]
    Shape { tensor: String, expected: Vec<usize>, actual: Vec<usize> },
    #[error("tensor {tensor} is stored as {format}, which is not supported here")]
    UnsupportedFormat { tensor: String, format: String },
    #[error("cannot use the adapter {name}: {reason}")]
    Adapter { name: String, reason: String },
    #[error("cancelled while loading")]
    Cancelled,
}

/// Bytes or values that do not suit a block format. [`FormatError::of`] adds which tensor they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    #[error("ggml type {0} is not known")]
    Unknown(u32),
    #[error("no block format is called {0:?}")]
    UnknownName(String),
    #[error("{length} {what} are not a whole number of {format} blocks")]
    Ragged { format: BlockFormat, length: usize, what: &'static str },
}

impl FormatError {
    /// The same error with the tensor's name.
    pub fn of(self, tensor: &str) -> WeightsError {
        match self {
            Self::Unknown(id) => {
                WeightsError::UnsupportedFormat { tensor: tensor.to_owned(), format: format!("ggml type {id}") }
            }
            Self::UnknownName(format) => WeightsError::UnsupportedFormat { tensor: tensor.to_owned(), format },
            Self::Ragged { .. } => {
                WeightsError::Malformed { name: format!("tensor {tensor}"), reason: self.to_string() }
            }
        }
    }
}
