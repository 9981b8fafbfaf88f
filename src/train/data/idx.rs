//! MNIST's IDX files: `NAME-images-idx3-ubyte` with grey pictures and `NAME-labels-idx1-ubyte` with a digit for each. Captions are
//! "digit 0" to "digit 9". Of several pairs in a folder the one called `train` is taken.
//!
//! The format: two zero bytes, the type (8: unsigned bytes), the number of dimensions, the dimensions as big-endian u32,
//! the values.

use super::{Dataset, Record, files, some};
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
    let mut images = match path.is_dir() {
        true => files(path)?,
        false => vec![path.to_owned()],
    };
    images.retain(|path| name(path).contains(IMAGES));
    if images.is_empty() {
        return Ok(None);
    }
    let mut notes = Vec::new();
    if images.len() > 1 {
        let (train, others): (Vec<_>, Vec<_>) = images.into_iter().partition(|path| name(path).starts_with("train"));
        let others: Vec<String> = others.iter().map(|path| name(path)).collect();
        if train.len() != 1 {
            let reason = "it holds several pairs of IDX files, and not one that is called train; name one's pictures";
            return Err(TrainError::read(path, reason));
        }
        notes.push(format!("other pictures are left out: {}", some(&others)));
        images = train;
    }
    let images = images.swap_remove(0);
    let labels = images.with_file_name(name(&images).replace(IMAGES, LABELS));
    let (dimensions, pixels) = read(&images, 3)?;
    let (_, labels) = read(&labels, 1)?;
    let side = [dimensions[1], dimensions[2]];
    let each = side[0] * side[1];
    let (pictures, captions) = (pixels.len().checked_div(each).unwrap_or(0), labels.len());
    if pictures.min(captions) == 0 {
        let reason = format!("{pictures} pictures of {}×{} pixels and {captions} labels are there", side[1], side[0]);
        return Err(TrainError::Empty { path: images.display().to_string(), reason });
    }
    if pictures != captions || pictures != dimensions[0] {
        let listed = dimensions[0];
        notes.push(format!("{pictures} pictures of {listed} and {captions} labels are there; pairs of both are used"));
    }
    Ok(Some(Digits { path: images, side, pixels, labels, notes }))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
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

    /// A mirrored digit is none.
    fn may_be_mirrored(&self) -> bool {
        false
    }
}
