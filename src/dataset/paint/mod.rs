//! Painting with `tiny-skia`: colours and light, paths, and the pen.

mod colour;
mod path;
mod pen;

pub(super) use colour::{LINE, Rgb, SHADE, WHITE};
pub(super) use pen::Pen;
