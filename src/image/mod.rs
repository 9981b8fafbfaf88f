//! Pictures: PNG with its settings in it, and resampling.

mod error;
mod picture;
pub mod png;
pub mod resample;

pub use error::ImageError;
pub use picture::Picture;
