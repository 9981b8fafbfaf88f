//! What can go wrong with a weights file.

use thiserror::Error;

/// An error while reading, checking or writing weights. Every variant names the file's part that is at fault.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error("cannot read {name}: {reason}")]
    Read { name: String, reason: String },
    #[error("{name} is not a usable GGUF file: {reason}")]
    Malformed { name: String, reason: String },
    #[error("{name} ends early: {expected} bytes are needed, {actual} are there; download or convert it again")]
    Truncated { name: String, expected: u64, actual: u64 },
    #[error("{name} has the wrong SHA-256 ({actual}, expected {expected}); download or convert it again")]
    WrongHash { name: String, expected: String, actual: String },
    #[error("tensor {tensor} is missing: {hint}")]
    MissingTensor { tensor: String, hint: String },
    #[error("tensor {tensor} has shape {actual:?}, expected {expected:?}: are these the weights of this network?")]
    Shape { tensor: String, expected: Vec<usize>, actual: Vec<usize> },
    #[error("tensor {tensor} is stored as {format}, which is not supported here")]
    UnsupportedFormat { tensor: String, format: String },
    #[error("cancelled while loading")]
    Cancelled,
}
