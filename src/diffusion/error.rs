//! What can go wrong before or during sampling.

use super::{Sampler, Steps};
use thiserror::Error;

/// A request that no sampler can serve, or arrays that do not fit together.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DiffusionError {
    /// The step count is out of range.
    #[error("{steps} steps cannot be sampled: choose 1 to {max}")]
    Steps { steps: usize, max: usize },
    /// The time grid is not strictly descending or leaves the training range.
    #[error("no usable time grid of {steps} steps: {reason}; choose another number of steps or another spacing")]
    Grid { steps: usize, reason: String },
    /// The schedule's description makes no sense.
    #[error("the noise schedule is not usable: {reason}")]
    Schedule { reason: String },
    /// A noise level beyond the schedule.
    #[error("noise level {level} is out of range: choose 0 to {max}")]
    Level { level: u32, max: u32 },
    /// Not the name of a sampler.
    #[error("unknown sampler \"{name}\": choose ddpm, ddim, ddim:ETA with ETA in 0..=1, or dpm++2m")]
    UnknownSampler { name: String },
    /// Not the name of a grid.
    #[error(
        "\"{name}\" is neither a number of steps nor the name of a time grid: fast27, smart27, smart50, smart100, smart185, \
         super27, super40 or super100"
    )]
    UnknownGrid { name: String },
    /// A schedule in continuous time has ancestral sampling in equal steps alone.
    #[error("a model in continuous time is sampled by ddpm in a number of equal steps, not by {sampler} with {steps}")]
    Continuous { sampler: Sampler, steps: Steps },
    /// DDIM's share of fresh noise is out of range.
    #[error("eta {eta} is out of range: choose 0 to 1")]
    Eta { eta: f32 },
    /// An array of the wrong length.
    #[error("{what} holds {actual} values, {expected} are needed")]
    Length { what: &'static str, expected: usize, actual: usize },
    /// A stochastic step without noise, or a learned variance without the network's variance channels.
    #[error("this step needs {what}, and none was given")]
    Missing { what: &'static str },
}

/// Checks that `what` holds as many values as expected.
pub(super) fn expect_length(what: &'static str, expected: usize, actual: usize) -> Result<(), DiffusionError> {
    if expected == actual { Ok(()) } else { Err(DiffusionError::Length { what, expected, actual }) }
}
