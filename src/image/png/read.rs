//! Reading: any PNG's pixels as RGB, and the settings where it carries them. The bytes are not trusted: what is
//! allocated stays in proportion to what a picture of the accepted size needs.

use std::io::Cursor;

use ::image::{DynamicImage, ImageFormat, ImageReader, Limits as ImageLimits};
use ::png::{Decoder, Info, Limits};
use serde_json::Value;

use super::{PARAMETERS, REQUEST, Settings};
use crate::image::{ImageError, Picture};

/// Most pixels that are read: an 8K picture.
const MAX_PIXELS: u64 = 1 << 25;
/// Most bytes that the decoder may take: 16-bit RGBA of that size, and a margin.
const MAX_BYTES: u64 = MAX_PIXELS * 8 + (1 << 24);
/// Most bytes of text chunks.
const MAX_TEXT: usize = 1 << 24;
/// Most bytes that a compressed text may unfold to.
const MAX_UNFOLDED: usize = 1 << 21;
/// Deflate makes no more than this of one byte.
const MAX_RATIO: u64 = 1032;

/// The picture and its settings. Transparency is laid over white.
///
/// # Errors
/// [`ImageError::Malformed`] where the bytes are no complete PNG, [`ImageError::TooLarge`] beyond 2²⁵ pixels.
pub fn read(bytes: &[u8]) -> Result<(Picture, Option<Settings>), ImageError> {
    let settings = read_settings(bytes)?;
    let mut limits = ImageLimits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    reader.limits(limits);
    let pixels = reader.decode().map_err(malformed)?;
    Ok((to_picture(pixels), settings))
}

/// The settings alone: checks the header and reads the text chunks, but no pixels.
///
/// # Errors
/// [`ImageError::Malformed`] where the bytes do not begin as a PNG does, [`ImageError::TooLarge`] beyond 2²⁵ pixels.
pub fn read_settings(bytes: &[u8]) -> Result<Option<Settings>, ImageError> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_TEXT });
    check_size(decoder.read_header_info().map_err(malformed)?, bytes.len() as u64)?;
    let mut reader = decoder.read_info().map_err(malformed)?;
    // Some programs write text behind the pixels. A file that is cut off there is found when the pixels are read.
    let _ = reader.finish();
    let info = reader.info();
    let request = find_text(info, REQUEST).and_then(|json| serde_json::from_str::<Value>(&json).ok());
    let settings = find_text(info, PARAMETERS).map(|text| Settings::from_parameters(&text));
    Ok(match (settings, request) {
        (settings, Some(request)) => Some(settings.unwrap_or_default().with_request(request)),
        (settings, None) => settings,
    })
}

/// Refuses what is too large, and what these few bytes cannot possibly hold, before anything is allocated for it.
fn check_size(info: &Info<'_>, bytes: u64) -> Result<(), ImageError> {
    let (width, height) = (info.width, info.height);
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height, max: MAX_PIXELS });
    }
    let needed = pixels * info.bits_per_pixel() as u64 / 8;
    if needed > bytes.saturating_mul(MAX_RATIO) {
        return Err(malformed(format!("{bytes} bytes cannot hold {width}×{height} pixels")));
    }
    Ok(())
}

fn malformed(reason: impl ToString) -> ImageError {
    ImageError::Malformed { reason: reason.to_string() }
}

/// The first text under a key, in whichever of the three kinds of text chunk it is. Compressed text may unfold to
/// [`MAX_UNFOLDED`] bytes: read without a limit, a small file could ask for gigabytes.
fn find_text(info: &Info<'_>, key: &str) -> Option<String> {
    let latin = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == key).map(|chunk| chunk.text.clone());
    let utf8 = || {
        let mut chunk = info.utf8_text.iter().find(|chunk| chunk.keyword == key)?.clone();
        chunk.decompress_text_with_limit(MAX_UNFOLDED).ok()?;
        chunk.get_text().ok()
    };
    let compressed = || {
        let mut chunk = info.compressed_latin1_text.iter().find(|chunk| chunk.keyword == key)?.clone();
        chunk.decompress_text_with_limit(MAX_UNFOLDED).ok()?;
        chunk.get_text().ok()
    };
    latin.or_else(utf8).or_else(compressed)
}

fn to_picture(pixels: DynamicImage) -> Picture {
    let (width, height) = (pixels.width(), pixels.height());
    let rgb = if pixels.color().has_alpha() {
        pixels.into_rgba8().pixels().flat_map(|pixel| over_white(pixel.0)).collect()
    } else {
        pixels.into_rgb8().into_raw()
    };
    Picture { width, height, rgb }
}

fn over_white([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [r, g, b].map(|colour| ((u32::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}
