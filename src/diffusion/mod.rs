//! Diffusion: noise schedules, samplers, guidance, thresholding and noise. Knows nothing of networks or devices.
//!
//! A sampler is a list of [`Step`]s, made once from a [`Schedule`] and a step count; [`update()`] applies one of them.
//! The networks' outputs and the pixels are planar `[images, channels, height, width]`, flattened.

mod augment;
pub mod choices;
mod continuous;
mod error;
mod grid;
mod guidance;
pub mod noise;
mod released_grid;
mod samplers;
mod schedule;
mod step;
mod steps;
mod threshold;
mod update;

pub use augment::augment;
pub use error::DiffusionError;
pub use grid::Spacing;
pub use guidance::{guide, remove_parallel, split_variance};
pub use released_grid::ReleasedGrid;
pub use samplers::Sampler;
pub use schedule::{Schedule, ScheduleConfig, ScheduleKind, Variance};
pub use step::{NoiseScale, Prediction, Step, Thresholding};
pub use steps::Steps;
pub use threshold::{scales, threshold};
pub use update::{predict_x0, update};
