//! The encoder of T5 (Raffel et al. 2020, arXiv 1910.10683), v1.0 and v1.1, as `T5EncoderModel` of transformers.

mod config;
mod model;
mod names;
mod position;

pub use config::{FeedForwardKind, T5Config};
pub use model::T5Encoder;
pub use names::{llama_cpp_name, stored_name};
pub use position::{bucket, buckets};
