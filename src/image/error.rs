//! What can go wrong with a picture.

use thiserror::Error;

/// An error while reading, writing or converting a picture.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The bytes are no picture that can be read.
    #[error("this is not a readable PNG: {reason}; is the file complete?")]
    Malformed { reason: String },
    /// The picture is larger than what is accepted.
    #[error("the picture has {width}×{height} pixels, more than the {max} that are read: scale it down first")]
    TooLarge { width: u32, height: u32, max: u64 },
    /// Values that do not make up the picture.
    #[error("{actual} values are no {channels}×{height}×{width} picture ({expected} are needed)")]
    Shape { channels: usize, height: usize, width: usize, expected: usize, actual: usize },
    /// A side of length zero, or a factor that does not divide a side.
    #[error("a picture of {height}×{width} cannot be resampled to {new_height}×{new_width}")]
    Resample { height: usize, width: usize, new_height: usize, new_width: usize },
    /// The PNG could not be written.
    #[error("the picture cannot be written as PNG: {reason}")]
    Encode { reason: String },
}

/// Checks that there are `channels · height · width` values.
pub(super) fn expect_planes(actual: usize, [channels, height, width]: [usize; 3]) -> Result<(), ImageError> {
    let expected = channels.saturating_mul(height).saturating_mul(width);
    if actual == expected { Ok(()) } else { Err(ImageError::Shape { channels, height, width, expected, actual }) }
}
