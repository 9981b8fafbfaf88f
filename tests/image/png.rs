//! PNG: the exact chunks, settings there and back, and pictures of other programs.

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, Rgba, RgbaImage};
use imagen_web::image::png::{Settings, read, write};
use imagen_web::image::{ImageError, Picture};
use proptest::prelude::*;
use serde_json::json;

pub fn picture(width: u32, height: u32) -> Picture {
    let rgb = (0..width * height * 3).map(|i| (i * i % 251) as u8).collect();
    Picture { width, height, rgb }
}

pub fn settings(prompt: &str, negative: &str) -> Settings {
    Settings {
        prompt: prompt.into(),
        negative_prompt: negative.into(),
        seed: 7,
        sampler: "ddim".into(),
        steps: "64=25,256=1".into(),
        guidance: 4.5,
        size: [5, 3],
        model: "storybook".into(),
        version: "imagen-web 0.1.0".into(),
        request: json!({ "prompt": prompt, "negative_prompt": negative, "seed": 7, "stages": [{ "steps": 25 }] }),
    }
}

/// Type and data of every chunk, read by hand.
pub fn chunks(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut rest = &file[8..];
    let mut chunks = Vec::new();
    while let [a, b, c, d, after @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        chunks.push((String::from_utf8(after[..4].to_vec()).unwrap(), after[4..4 + length].to_vec()));
        rest = &after[length + 8..];
    }
    chunks
}

#[test]
fn latin_text_is_in_text_chunks_in_front_of_the_pixels() {
    let made = settings("a café", "blurry");
    let file = write(&picture(5, 3), &made).unwrap();
    let chunks = chunks(&file);
    let kinds = chunks.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>();
    assert_eq!(kinds, ["IHDR", "tEXt", "tEXt", "iTXt", "IDAT", "IEND"]);
    let mut expected =
        b"parameters\0a caf\xE9\nNegative prompt: blurry\nSteps: \"64=25,256=1\", Sampler: ddim, ".to_vec();
    expected.extend(b"CFG scale: 4.5, Seed: 7, Size: 5x3, Model: storybook, Version: imagen-web 0.1.0");
    assert_eq!(chunks[1].1, expected);
    let request = chunks[2].1.strip_prefix(b"imagen\0").unwrap();
    let request = request.iter().map(|&byte| char::from(byte)).collect::<String>();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&request).unwrap(), made.request);
    // iTXt: keyword, two zeros for "not compressed", no language, no translated keyword.
    let xmp = chunks[3].1.strip_prefix(b"XML:com.adobe.xmp\0\0\0\0\0").unwrap();
    let xmp = std::str::from_utf8(xmp).unwrap();
    assert!(xmp.contains(
        "<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</"
    ));
    assert_eq!(read(&file).unwrap(), (picture(5, 3), Some(made)));
}

#[test]
fn other_text_is_in_international_chunks() {
    let made = settings("ein Schloß, 城, 🏰", "");
    let file = write(&picture(4, 4), &made).unwrap();
    let chunks = chunks(&file);
    let start = "parameters\0\0\0\0\0ein Schloß, 城, 🏰\nSteps: ";
    assert_eq!(chunks[1].0, "iTXt");
    assert!(chunks[1].1.starts_with(start.as_bytes()));
    assert_eq!(read(&file).unwrap().1, Some(made));
}

#[test]
fn pictures_without_settings_have_none() {
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::new_rgb8(3, 2).write_to(&mut file, ImageFormat::Png).unwrap();
    let black = Picture { width: 3, height: 2, rgb: vec![0; 18] };
    assert_eq!(read(file.get_ref()).unwrap(), (black, None));
}

#[test]
fn every_pixel_layout_becomes_rgb() {
    let encode = |image: DynamicImage| {
        let mut file = std::io::Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).unwrap();
        read(file.get_ref()).unwrap().0.rgb
    };
    assert_eq!(encode(GrayImage::from_pixel(1, 1, image::Luma([9])).into()), [9, 9, 9]);
    let deep = image::ImageBuffer::from_pixel(1, 1, Rgb([0xFFFF_u16, 0x8080, 0]));
    assert_eq!(encode(DynamicImage::ImageRgb16(deep)), [255, 128, 0]);
    let clear = RgbaImage::from_fn(3, 1, |x, _| Rgba([200, 0, 100, [0, 255, 51][x as usize]]));
    assert_eq!(encode(clear.into()), [255, 255, 255, 200, 0, 100, 244, 204, 224]);
}

#[test]
fn what_is_no_picture_is_not_written() {
    let odd = Picture { width: 2, height: 2, rgb: vec![0; 11] };
    assert!(matches!(write(&odd, &Settings::default()), Err(ImageError::Shape { .. })));
    let empty = Picture { width: 0, height: 0, rgb: vec![] };
    assert!(matches!(write(&empty, &Settings::default()), Err(ImageError::Encode { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_prompt_comes_back(prompt in "[^\0]*", negative in "[^\0]*", seed: u64, width in 1u32..9, height in 1u32..9) {
        let made = Settings { seed, size: [width, height], ..settings(&prompt, &negative) };
        let file = write(&picture(width, height), &made).unwrap();
        prop_assert_eq!(read(&file).unwrap(), (picture(width, height), Some(made)));
    }
}
