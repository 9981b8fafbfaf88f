//! A contact sheet: the first scenes of a data set, small, in the order of their captions.

use super::write::Order;
use super::{DatasetError, render};
use crate::image::Picture;
use rayon::prelude::*;

/// Pictures per row.
const COLUMNS: u64 = 8;
const ROWS: u64 = 8;
/// Pixels between two pictures.
const GAP: usize = 4;
/// Larger pictures are drawn at this size.
const LARGEST: u32 = 256;

/// The first pictures of this order, row by row from the top left, on white.
///
/// # Errors
/// Those of [`Order::check`].
pub fn contact_sheet(order: &Order) -> Result<Picture, DatasetError> {
    order.check()?;
    let count = order.count.min(COLUMNS * ROWS);
    let pictures: Vec<Picture> = (0..count)
        .into_par_iter()
        .map(|index| render(&order.scene(index), order.size.min(LARGEST)))
        .collect::<Result<_, _>>()?;
    let columns = count.min(COLUMNS) as usize;
    let rows = pictures.len().div_ceil(columns);
    let side = order.size.min(LARGEST) as usize;
    let [width, height] = [columns, rows].map(|cells| cells * (side + GAP) + GAP);
    let mut rgb = vec![255; width * height * 3];
    for (at, picture) in pictures.iter().enumerate() {
        let (left, top) = (GAP + at % columns * (side + GAP), GAP + at / columns * (side + GAP));
        for (row, pixels) in picture.rgb.chunks_exact(side * 3).enumerate() {
            let start = ((top + row) * width + left) * 3;
            rgb[start..start + side * 3].copy_from_slice(pixels);
        }
    }
    Ok(Picture { width: width as u32, height: height as u32, rgb })
}
