//! What can go wrong while a data set is made.

use crate::image::ImageError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// An error while drawing or writing a data set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// A side that scenes are not drawn for.
    #[error("size: must be between {min} and {max}, got {0}", min = super::SIZES.start(), max = super::SIZES.end())]
    Size(u32),
    /// No picture, or no picture per shard.
    #[error("{0}: must be at least 1")]
    Count(&'static str),
    /// Data of an earlier run, which are never mixed with others.
    #[error("{} is there already; choose another folder, or delete what is in this one", .0.display())]
    Exists(PathBuf),
    /// A folder or file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A picture that cannot be encoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Stopped before the end; what was written is complete.
    #[error("cancelled; {written} of {count} pictures were written and can be used")]
    Cancelled { written: u64, count: u64 },
}

impl DatasetError {
    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}
