//! Text: tokenizer, T5 encoder and embedding files.
//!
//! A prompt becomes [`Tokenized`] (ids padded to a fixed length), [`TextEncoder`] turns that into an [`Embedding`],
//! which conditions every stage of the cascade and can be kept as a safetensors file. The network itself is in [`t5`].

pub(crate) mod charsmap;
mod embedding;
mod encoder;
mod error;
pub mod t5;
mod tokenizer;

pub use embedding::Embedding;
pub use encoder::TextEncoder;
pub use error::TextError;
pub use t5::{FeedForwardKind, T5Config, T5Encoder};
pub use tokenizer::{Tokenized, Tokenizer};
