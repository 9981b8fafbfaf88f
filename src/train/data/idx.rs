//! MNIST's IDX files: `NAME-images-idx3-ubyte` with grey pictures and `NAME-labels-idx1-ubyte` with a digit for each. Captions are
//! "digit 0" to "digit 9".
//!
//! The format: two zero bytes, the type (8: unsigned bytes), the number of dimensions, the dimensions as big-endian u32,
//! the values.

use super::{Dataset, Record, files};
use crate::train::TrainError;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};

const IMAGES: &str = "images-idx3-ubyte";
const LABELS: &str = "labels-idx1-ubyte";

pub(super) struct Digits {
    path: PathBuf,
    side: [usize; 2],
    pixels: Vec<u8>,
    labels: Vec<u8>,
    notes: Vec<String>,
}

/// None where there are no such files.
pub(super) fn open(path: &Path) -> Result<Option<Digits>, TrainError> {
    let is_images = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(IMAGES));
    let images = match path.is_dir() {
        true => files(path)?.into_iter().find(|path| is_images(path)),
        false => Some(path.to_owned()).filter(|path| is_images(path)),
    };
    let Some(images) = images else { return Ok(None) };
    let name = images.file_name().unwrap_or_default().to_string_lossy().replace(IMAGES, LABELS);
    let labels = images.with_file_name(name);
    let (dimensions, pixels) = read(&images, 3)?;
    let (_, labels) = read(&labels, 1)?;
    let side = [dimensions[1], dimensions[2]];
    let each = side[0] * side[1];
    if each == 0 || dimensions[0] == 0 {
        let reason = format!("it holds {} pictures of {}×{} pixels", dimensions[0], side[1], side[0]);
        return Err(TrainError::Empty { path: images.display().to_string(), reason });
    }
    let (pictures, captions) = (pixels.len() / each, labels.len());
    let mut notes = Vec::new();
    if pictures != captions || pictures != dimensions[0] {
        let listed = dimensions[0];
        notes.push(format!("{pictures} pictures of {listed} and {captions} labels are there; pairs of both are used"));
    }
    Ok(Some(Digits { path: images, side, pixels, labels, notes }))
}

/// The dimensions, and the values that are there.
fn read(path: &Path, expected: usize) -> Result<(Vec<usize>, Vec<u8>), TrainError> {
    let bytes = fs::read(path).map_err(|error| TrainError::read(path, error))?;
    let unusable = || TrainError::read(path, format!("it is no IDX file of bytes in {expected} dimensions"));
    let head = 4 + 4 * expected;
    if bytes.len() < head || bytes[..4] != [0, 0, 8, expected as u8] {
        return Err(unusable());
    }
    let sizes = bytes[4..head].chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]));
    let sizes: Vec<usize> = sizes.map(|size| size as usize).collect();
    let each = sizes[1..].iter().try_fold(1usize, |product, &size| product.checked_mul(size)).ok_or_else(unusable)?;
    let whole = each.checked_mul(sizes[0]).ok_or_else(unusable)?;
    let mut values = bytes[head..].to_vec();
    values.truncate(whole);
    values.truncate(values.len() / each.max(1) * each);
    Ok((sizes, values))
}

impl Dataset for Digits {
    fn len(&self) -> usize {
        self.labels.len().min(self.pixels.len() / (self.side[0] * self.side[1]))
    }

    fn name(&self, index: usize) -> String {
        format!("picture {index} of {}", self.path.display())
    }

    fn read(&self, index: usize) -> Result<Record, String> {
        let [height, width] = self.side;
        let pixels = &self.pixels[index * height * width..][..height * width];
        let grey = |x: u32, y: u32| Rgb([pixels[y as usize * width + x as usize]; 3]);
        let picture = RgbImage::from_fn(width as u32, height as u32, grey);
        Ok(Record { picture, caption: format!("digit {}", self.labels[index]) })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
