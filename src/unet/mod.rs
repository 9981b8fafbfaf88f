//! The U-Net: `UNet2DConditionModel` of diffusers as DeepFloyd IF configures it.
//!
//! [`UNetConfig`] is diffusers' `config.json`; [`architecture`] spells it out block by block, and both executors are
//! built from that: the burn module ([`UNet`]) and the GPU program ([`plan`]).

mod activation;
pub mod architecture;
pub mod attention;
pub mod block;
mod config;
mod cpu;
pub mod embeddings;
mod error;
mod model;
pub(crate) mod norm;
mod options;
pub mod plan;
pub mod pooling;
pub mod resnet;

pub use config::{PerBlock, UNetConfig};
pub use embeddings::sinusoidal;
pub use error::UNetError;
pub use model::{Conditioning, UNet};
