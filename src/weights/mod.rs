//! Model weights: GGUF files read and written in pieces, block formats, and loading into burn modules.
//!
//! Nothing here knows any network. A file is a [`Weights`]: its metadata, its tensors, and a [`Source`] of bytes.

mod adapter;
mod blocks;
mod digest;
mod error;
mod file;
#[cfg(not(target_arch = "wasm32"))]
mod file_source;
mod format;
mod header;
mod index;
mod load;
mod memory_source;
mod metadata;
mod path;
mod pieces;
mod source;
#[cfg(feature = "train")]
mod store;
mod tensor;
#[cfg(test)]
mod tests;
mod writer;

pub use adapter::Adapter;
pub(crate) use blocks::{AffineBlock, ScaledBlock, SignedBlock};
pub use digest::verify;
pub use error::{FormatError, WeightsError};
pub use file::Weights;
#[cfg(not(target_arch = "wasm32"))]
pub use file_source::FileSource;
pub use format::BlockFormat;
pub use index::WeightIndex;
pub use load::{WantedTensor, load_module, wanted_tensors};
pub use memory_source::MemorySource;
pub use metadata::{Array, Metadata, Value};
#[cfg(feature = "train")]
pub(crate) use path::{Layout, Path};
pub use pieces::{CheckedSource, PieceHashes};
pub use source::Source;
#[cfg(feature = "train")]
pub(crate) use store::turned;
#[cfg(feature = "train")]
pub use store::{StoredTensor, stored_tensors};
pub use tensor::{Piece, TensorInfo};
pub use writer::{GgufBody, GgufWriter};
