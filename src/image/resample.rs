//! Resampling of planar pictures, separable, as torch.nn.functional.interpolate does it without antialiasing.

use serde::{Deserialize, Serialize};

use super::ImageError;
use super::error::expect_planes;

/// How values between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Cubic convolution with a = −0.75, half-pixel centres, edges repeated; may overshoot.
    Bicubic,
    /// Linear, half-pixel centres.
    Bilinear,
    /// Linear, the centres of the corner pixels on each other.
    BilinearAlignCorners,
    /// The pixel at ⌊i · in / out⌋.
    Nearest,
}

/// Resamples `planes`, `[channels, height, width]` (or `[images · channels, …]`), to `size` = `[height, width]`.
///
/// # Errors
/// Where the number of values is another one, or a side has no pixels.
pub fn upsample(planes: &[f32], shape: [usize; 3], filter: Filter, size: [usize; 2]) -> Result<Vec<f32>, ImageError> {
    expect_planes(planes.len(), shape)?;
    let [channels, height, width] = shape;
    let [new_height, new_width] = size;
    if [height, width, new_height, new_width].contains(&0) {
        return Err(ImageError::Resample { height, width, new_height, new_width });
    }
    let (columns, rows) = (taps(filter, width, new_width), taps(filter, height, new_height));
    let mut out = Vec::with_capacity(channels * new_height * new_width);
    let mut narrow = vec![0.0; height * new_width];
    for plane in planes.chunks_exact(height * width) {
        for (row, wide) in plane.chunks_exact(width).zip(narrow.chunks_exact_mut(new_width)) {
            wide.iter_mut().zip(&columns).for_each(|(value, tap)| *value = tap.gather(row));
        }
        for tap in &rows {
            let [a, b, c, d] = tap.index.map(|row| &narrow[row * new_width..][..new_width]);
            let [wa, wb, wc, wd] = tap.weight;
            out.extend((0..new_width).map(|x| wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x]));
        }
    }
    Ok(out)
}

/// Averages blocks of `factor`×`factor` pixels of `planes`, `[channels, height, width]`.
///
/// # Errors
/// Where the number of values is another one, or the factor does not divide both sides.
pub fn box_downsample(planes: &[f32], shape: [usize; 3], factor: usize) -> Result<Vec<f32>, ImageError> {
    expect_planes(planes.len(), shape)?;
    let [channels, height, width] = shape;
    if factor == 0 || height % factor != 0 || width % factor != 0 {
        let divided = |side: usize| side.checked_div(factor).unwrap_or(0);
        let (new_height, new_width) = (divided(height), divided(width));
        return Err(ImageError::Resample { height, width, new_height, new_width });
    }
    let new_width = width / factor;
    let share = 1.0 / (factor * factor) as f32;
    let mut out = Vec::with_capacity(channels * (height / factor) * new_width);
    for rows in planes.chunks_exact((width * factor).max(1)) {
        out.extend((0..new_width).map(|x| {
            let row_sum = |row: &[f32]| row[x * factor..][..factor].iter().sum::<f32>();
            rows.chunks_exact(width).map(row_sum).sum::<f32>() * share
        }));
    }
    Ok(out)
}

/// Where one output value comes from along one axis.
#[derive(Clone, Copy, Debug)]
struct Tap {
    index: [usize; 4],
    weight: [f32; 4],
}

impl Tap {
    fn gather(&self, values: &[f32]) -> f32 {
        let [a, b, c, d] = self.index.map(|i| values[i]);
        let [wa, wb, wc, wd] = self.weight;
        wa * a + wb * b + wc * c + wd * d
    }
}

/// The taps of every output position of an axis.
fn taps(filter: Filter, input: usize, output: usize) -> Vec<Tap> {
    let scale = input as f32 / output as f32;
    let centre = |i: usize| scale * (i as f32 + 0.5) - 0.5;
    let tap = |i: usize| match filter {
        Filter::Nearest => linear(input, (i as f32 * scale).floor()),
        Filter::Bilinear => linear(input, centre(i).max(0.0)),
        Filter::BilinearAlignCorners => {
            let scale = if output > 1 { (input - 1) as f32 / (output - 1) as f32 } else { 0.0 };
            linear(input, scale * i as f32)
        }
        Filter::Bicubic => cubic(input, centre(i)),
    };
    (0..output).map(tap).collect()
}

/// Two neighbours of a position at or right of the first pixel.
fn linear(input: usize, position: f32) -> Tap {
    let first = (position as usize).min(input - 1);
    let second = (first + 1).min(input - 1);
    let share = (position - first as f32).clamp(0.0, 1.0);
    Tap { index: [first, second, first, first], weight: [1.0 - share, share, 0.0, 0.0] }
}

/// Four neighbours of a position, with Keys' cubic convolution kernel.
fn cubic(input: usize, position: f32) -> Tap {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let floor = position.floor();
    let t = position - floor;
    let pixel = |offset: i64| (floor as i64 + offset).clamp(0, input as i64 - 1) as usize;
    Tap {
        index: [pixel(-1), pixel(0), pixel(1), pixel(2)],
        weight: [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [Filter; 4] = [Filter::Bicubic, Filter::Bilinear, Filter::BilinearAlignCorners, Filter::Nearest];

    #[test]
    fn flat_pictures_stay_flat_and_equal_sizes_stay_equal() {
        for filter in FILTERS {
            let flat = upsample(&[0.3; 18], [2, 3, 3], filter, [7, 12]).unwrap();
            assert_eq!(flat.len(), 2 * 7 * 12);
            assert!(flat.iter().all(|value| (value - 0.3).abs() < 1e-6), "{filter:?}");
            let ramp = (0..12).map(|i| i as f32).collect::<Vec<_>>();
            assert_eq!(upsample(&ramp, [1, 3, 4], filter, [3, 4]).unwrap(), ramp, "{filter:?}");
        }
    }

    #[test]
    fn boxes_undo_nearest() {
        let planes = (0..24).map(|i| (i * i) as f32).collect::<Vec<_>>();
        let large = upsample(&planes, [2, 3, 4], Filter::Nearest, [12, 16]).unwrap();
        assert_eq!(box_downsample(&large, [2, 12, 16], 4).unwrap(), planes);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(matches!(upsample(&[0.0; 5], [1, 2, 3], Filter::Nearest, [4, 4]), Err(ImageError::Shape { .. })));
        assert!(upsample(&[], [1, 0, 3], Filter::Bicubic, [4, 4]).is_err());
        assert!(upsample(&[0.0], [1, 1, 1], Filter::Bicubic, [0, 4]).is_err());
        assert!(box_downsample(&[0.0; 9], [1, 3, 3], 2).is_err());
        assert!(box_downsample(&[0.0; 9], [1, 3, 3], 0).is_err());
    }
}
