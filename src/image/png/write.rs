//! Writing: 8-bit RGB with the settings in text chunks in front of the pixels.

use ::png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use super::provenance::XMP_PACKET;
use super::{PARAMETERS, REQUEST, Settings, XMP};
use crate::image::error::expect_planes;
use crate::image::{ImageError, Picture};

/// The picture as the bytes of a PNG file, with its settings under `parameters`, the request as JSON under `imagen` and
/// its provenance as XMP.
///
/// # Errors
/// Where the picture's bytes do not make up its size, or it has no pixels.
pub fn write(picture: &Picture, settings: &Settings) -> Result<Vec<u8>, ImageError> {
    checked(picture, Some(settings))
}

/// The picture alone as the bytes of a PNG file: one of many that no model made, so compressed quickly.
///
/// # Errors
/// As [`write()`].
pub fn write_plain(picture: &Picture) -> Result<Vec<u8>, ImageError> {
    checked(picture, None)
}

fn checked(picture: &Picture, settings: Option<&Settings>) -> Result<Vec<u8>, ImageError> {
    expect_planes(picture.rgb.len(), [3, picture.height as usize, picture.width as usize])?;
    encode(picture, settings).map_err(|error| ImageError::Encode { reason: error.to_string() })
}

fn encode(picture: &Picture, settings: Option<&Settings>) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    if let Some(settings) = settings {
        add_text(&mut encoder, PARAMETERS, settings.to_parameters())?;
        if !settings.request.is_null() {
            add_text(&mut encoder, REQUEST, settings.request.to_string())?;
        }
        encoder.add_itxt_chunk(XMP.to_owned(), XMP_PACKET.to_owned())?;
    } else {
        encoder.set_compression(Compression::Fast);
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.rgb)?;
    writer.finish()?;
    Ok(bytes)
}

/// tEXt where the text is Latin-1, else iTXt. Neither may hold a NUL.
fn add_text<W: std::io::Write>(encoder: &mut Encoder<'_, W>, key: &str, text: String) -> Result<(), EncodingError> {
    let text = text.replace('\0', " ");
    if text.chars().all(|c| u32::from(c) <= 0xFF) {
        encoder.add_text_chunk(key.to_owned(), text)
    } else {
        encoder.add_itxt_chunk(key.to_owned(), text)
    }
}
