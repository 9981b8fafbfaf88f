//! Diffusion: noise schedules, samplers, guidance, thresholding and noise. Knows nothing of networks or devices.

mod step;

pub use step::{NoiseScale, Prediction, Step, Thresholding};
