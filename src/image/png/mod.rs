//! PNG files that carry the settings that made them.
//!
//! Two crates share the work: `png` writes, and reads the text chunks, which `image` does not show; `image` turns
//! whatever pixel layout a user's file has (palette, grey, 16 bits, alpha, interlaced) into RGB.

mod provenance;
mod read;
mod settings;
mod write;

pub use read::{read, read_settings};
pub use settings::Settings;
pub use write::{write, write_plain};

/// Settings in the form that image tools share.
const PARAMETERS: &str = "parameters";
/// The whole request as JSON.
const REQUEST: &str = "imagen";
/// XMP.
const XMP: &str = "XML:com.adobe.xmp";
