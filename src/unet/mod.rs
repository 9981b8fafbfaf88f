//! The U-Net: `UNet2DConditionModel` of diffusers as DeepFloyd IF configures it.
//!
//! [`UNetConfig`] is diffusers' `config.json`; [`architecture`] spells it out block by block, and both executors are
//! built from that: the burn module ([`UNet`]) and the GPU program ([`plan`]).

pub mod architecture;
mod config;
mod embeddings;
mod error;
mod options;

pub use config::{PerBlock, UNetConfig};
pub use embeddings::sinusoidal;
pub use error::UNetError;
