//! The encoder of T5 (Raffel et al. 2020, arXiv 1910.10683), v1.0 and v1.1, as `T5EncoderModel` of transformers.
//!
//! The network stands here twice: [`T5Encoder`] is the burn module, [`plan`] the GPU program. Either also runs layer by
//! layer, with the weights of one or two layers in memory: `streamed` on the CPU, `gpu` on a GPU.

mod config;
mod gpu;
mod model;
mod names;
pub mod plan;
mod position;
mod streamed;
mod tables;
#[cfg(test)]
mod testing;

pub use config::{FeedForwardKind, T5Config};
pub(super) use gpu::GpuEncoder;
pub use model::T5Encoder;
pub use names::{llama_cpp_name, stored_name};
pub use position::{bucket, buckets, position_bias};
pub(super) use streamed::StreamedEncoder;

/// Added to the scores of padding: so low that its weight is exactly zero, and finite, so that a prompt of nothing but
/// padding gives no NaN.
pub const MASKED: f32 = -1e30;
