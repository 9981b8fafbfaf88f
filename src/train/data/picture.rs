//! From the bytes of a picture to the square that a stage trains on.

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use std::io::Cursor;

/// Pixels per side at most; a decoder is not given more memory than such a picture needs.
const LARGEST: u32 = 16_384;
const MOST_BYTES: u64 = 1 << 30;

/// Decodes a PNG or JPEG, upright as its metadata say that it was taken. What is transparent becomes white, as on paper.
pub(super) fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format() == Some(ImageFormat::Jpeg) && !has_end(bytes) {
        return Err("it ends early".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST);
    limits.max_image_height = Some(LARGEST);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let picture = upright(reader).map_err(|error| match error {
        ImageError::Limits(_) => format!("it is larger than {LARGEST}×{LARGEST} pixels or 1 GiB"),
        other => other.to_string(),
    })?;
    Ok(on_white(picture))
}

fn upright(reader: ImageReader<Cursor<&[u8]>>) -> Result<DynamicImage, ImageError> {
    let mut decoder = reader.into_decoder()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG's marker of its end comes after its last scan begins: where it is missing, the decoder would fill the rest with
/// grey. No such bytes occur within a scan, and what follows the end does not matter.
fn has_end(jpeg: &[u8]) -> bool {
    let last = |marker: u8| jpeg.windows(2).rposition(|pair| pair == [0xFF, marker]);
    last(0xD9) > last(0xDA)
}

fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u16::from);
        Rgb([red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

/// The middle square of a picture in `size`×`size` pixels: planar `[3, size, size]`, from −1 to 1. `least` is how many pixels
/// the shorter side has to have.
pub fn fit(picture: &RgbImage, size: usize, least: usize) -> Result<Vec<f32>, String> {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    if (side as usize) < least {
        return Err(format!("it has {width}×{height} pixels, {least}×{least} are needed"));
    }
    let square = imageops::crop_imm(picture, (width - side) / 2, (height - side) / 2, side, side);
    let sized = match side as usize == size {
        true => square.to_image(),
        false => imageops::resize(&*square, size as u32, size as u32, FilterType::Lanczos3),
    };
    let pixels = size * size;
    let bytes = sized.into_raw();
    Ok((0..3 * pixels).map(|i| f32::from(bytes[i % pixels * 3 + i / pixels]) / 127.5 - 1.0).collect())
}
