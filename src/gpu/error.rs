//! What can go wrong on a GPU. Every error is a value: nothing in the engine panics on what a device or a file does.

use crate::weights::{BlockFormat, WeightsError};
use thiserror::Error;

/// An error of the GPU engine. Each says what happened and what can be done.
#[derive(Debug, Error)]
pub enum GpuError {
    /// There is no GPU, or the browser does not offer WebGPU.
    #[error("no GPU adapter was found ({reason}); use the CPU, or a browser and driver with WebGPU")]
    NoAdapter { reason: String },
    /// The adapter refused to give a device.
    #[error("the GPU adapter {adapter} gave no device ({reason}); use the CPU")]
    NoDevice { adapter: String, reason: String },
    /// An allocation failed.
    #[error(
        "the GPU is out of memory: {bytes} more bytes were needed for {what}; close other programs or use a smaller size"
    )]
    OutOfMemory { what: String, bytes: u64 },
    /// The device is gone: driver reset, unplugged, or destroyed. A new one has to be requested.
    #[error("the GPU was lost ({reason}); request it again")]
    Lost { reason: String },
    /// The driver rejected something: a defect of this program or of the driver.
    #[error("the GPU driver rejected {what}: {message}")]
    Validation { what: String, message: String },
    /// A tensor or a weight is larger than this device can bind.
    #[error("{what} needs {needed}, the limit of this GPU is {available}; use a smaller size or fewer images at once")]
    Limit { what: String, needed: u64, available: u64 },
    /// An operation was given tensors that do not fit together.
    #[error("{op}: {message}")]
    Shape { op: &'static str, message: String },
    /// A weight is not in the file.
    #[error("tensor {tensor} is missing: are these the weights of this network?")]
    MissingWeight { tensor: String },
    /// A weight has another shape than the network needs.
    #[error("tensor {tensor} has shape {actual:?}, expected {expected:?}: are these the weights of this network?")]
    WeightShape { tensor: String, expected: Vec<usize>, actual: Vec<usize> },
    /// A weight is stored in a format that the kernels do not read.
    #[error(
        "tensor {tensor} is stored as {format}, which the GPU kernels do not read; convert it to F16, Q8_0 or Q4_0"
    )]
    UnsupportedFormat { tensor: String, format: BlockFormat },
    /// A plan has no input, output or phase of that name.
    #[error("the plan has no {kind} named {name}")]
    UnknownName { kind: &'static str, name: String },
    /// An input was given the wrong number of values.
    #[error("input {name} takes {expected} values, {actual} were given")]
    InputLength { name: String, expected: u64, actual: u64 },
    /// Something of a network cannot run on the GPU.
    #[error("not supported on the GPU: {what}")]
    Unsupported { what: String },
    /// Reading the weights file failed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl GpuError {
    /// A shape error of operation `op`.
    pub(crate) fn shape(op: &'static str, message: impl Into<String>) -> Self {
        Self::Shape { op, message: message.into() }
    }
}
