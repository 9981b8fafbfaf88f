//! Model weights: GGUF files read and written in pieces, block formats, and loading into burn modules.
//!
//! Nothing here knows any network. A file is a [`Weights`]: its metadata, its tensors, and a [`Source`] of bytes.

mod error;
mod format;
mod source;
mod tensor;

pub use error::WeightsError;
pub use format::BlockFormat;
pub use source::Source;
pub use tensor::{Piece, TensorInfo};
