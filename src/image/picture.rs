//! A picture of 8-bit RGB pixels, and its planar form with values from −1 to 1 that the networks see.

use super::ImageError;
use super::error::expect_planes;

/// 8-bit RGB, rows from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width · height · 3` bytes, the colours of a pixel side by side.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// From planar values `[3, height, width]`; −1 is black, 1 is full, what lies beyond is cut off. Halves round to
    /// the even value.
    ///
    /// # Errors
    /// [`ImageError::Shape`] where the number of values is another one.
    pub fn from_planar(values: &[f32], width: usize, height: usize) -> Result<Self, ImageError> {
        expect_planes(values.len(), [3, height, width])?;
        let pixels = width * height;
        let byte = |value: f32| ((value.clamp(-1.0, 1.0) + 1.0) * 127.5).round_ties_even() as u8;
        let rgb = (0..pixels * 3).map(|i| byte(values[i % 3 * pixels + i / 3])).collect();
        Ok(Self { width: width as u32, height: height as u32, rgb })
    }

    /// Planar values `[3, height, width]` from −1 to 1.
    pub fn to_planar(&self) -> Vec<f32> {
        let pixels = self.rgb.len() / 3;
        (0..pixels * 3).map(|i| f32::from(self.rgb[i % pixels * 3 + i / pixels]) / 127.5 - 1.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_bytes() {
        // One pixel per column: black, grey (127.5 is a tie), full; beyond the range on the second plane.
        let values = [-1.0, 0.0, 1.0, -7.0, 7.0, f32::NAN, 0.5, -0.5, 1.0 / 255.0];
        let picture = Picture::from_planar(&values, 3, 1).unwrap();
        assert_eq!(picture.rgb, [0, 0, 191, 128, 255, 64, 255, 0, 128]);
        assert!(matches!(Picture::from_planar(&values, 3, 2), Err(ImageError::Shape { .. })));
    }

    #[test]
    fn every_byte_survives() {
        let rgb = (0..=255).chain((0..=255).rev()).chain(0..=255).collect::<Vec<u8>>();
        let picture = Picture { width: 16, height: 16, rgb };
        assert_eq!(Picture::from_planar(&picture.to_planar(), 16, 16).unwrap(), picture);
    }
}
