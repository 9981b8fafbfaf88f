//! Keeping x0 in range: static and dynamic thresholding (Imagen, 2205.11487, section 2.3).

use super::Thresholding;

/// Limits x0 in place; `x0` holds `images` pictures one after the other, each with its own scale.
pub fn threshold(thresholding: Thresholding, x0: &mut [f32], images: usize) {
    match thresholding {
        Thresholding::None => {}
        Thresholding::Static { max } => x0.iter_mut().for_each(|value| *value = limited(*value, max)),
        Thresholding::Dynamic { .. } => {
            let scales = scales(thresholding, x0, images);
            for (picture, scale) in x0.chunks_mut(picture_length(x0, images)).zip(scales) {
                picture.iter_mut().for_each(|value| *value = limited(*value, scale) / scale);
            }
        }
    }
}

/// The limit of every picture: s of dynamic thresholding, the maximum of static, infinity of none. `[images]`.
pub fn scales(thresholding: Thresholding, x0: &[f32], images: usize) -> Vec<f32> {
    match thresholding {
        Thresholding::None => vec![f32::INFINITY; images],
        Thresholding::Static { max } => vec![max; images],
        Thresholding::Dynamic { quantile, max } => {
            let mut magnitudes = Vec::new();
            x0.chunks(picture_length(x0, images))
                .map(|picture| {
                    magnitudes.clear();
                    magnitudes.extend(picture.iter().map(|value| value.abs()));
                    // In this order a maximum below 1 wins over the minimum of 1, as in torch.clamp.
                    self::quantile(&mut magnitudes, quantile).max(1.0).min(max)
                })
                .collect()
        }
    }
}

/// A clamp that passes NaN on and cannot panic, whatever the limit.
fn limited(value: f32, limit: f32) -> f32 {
    if value > limit {
        limit
    } else if value < -limit {
        -limit
    } else {
        value
    }
}

fn picture_length(x0: &[f32], images: usize) -> usize {
    (x0.len() / images.max(1)).max(1)
}

/// The q-quantile by exact selection, interpolated linearly between two order statistics as torch.quantile does: q in
/// f32, its rank exact. Reorders the values. 0 for no values.
fn quantile(values: &mut [f32], q: f32) -> f32 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let rank = f64::from(q.clamp(0.0, 1.0)) * last as f64;
    let below = (rank as usize).min(last);
    let weight = (rank - below as f64) as f32;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    match above.iter().copied().min_by(f32::total_cmp) {
        Some(high) if weight < 0.5 => low + weight * (high - low),
        Some(high) => high - (high - low) * (1.0 - weight),
        None => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_interpolates() {
        let mut values = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(quantile(&mut values, 0.5), 3.0);
        assert_eq!(quantile(&mut values, 0.0), 1.0);
        assert_eq!(quantile(&mut values, 1.0), 5.0);
        assert!((quantile(&mut values, 0.9) - 4.6).abs() < 1e-6);
        assert_eq!(quantile(&mut [7.0], 0.3), 7.0);
        assert_eq!(quantile(&mut [], 0.3), 0.0);
    }

    #[test]
    fn every_picture_has_its_own_scale() {
        let mut x0 = [0.5, -0.5, 1.2, -1.2, 0.0, 9.0, -9.0, 9.0];
        let dynamic = Thresholding::Dynamic { quantile: 1.0, max: 3.0 };
        assert_eq!(scales(dynamic, &x0, 2), [1.2, 3.0]);
        threshold(dynamic, &mut x0, 2);
        assert_eq!(x0, [0.5 / 1.2, -0.5 / 1.2, 1.0, -1.0, 0.0, 1.0, -1.0, 1.0]);
    }

    #[test]
    fn small_pictures_are_left_alone() {
        let mut x0 = [0.25, -0.75];
        threshold(Thresholding::Dynamic { quantile: 0.95, max: 1.5 }, &mut x0, 1);
        threshold(Thresholding::Static { max: 1.0 }, &mut x0, 1);
        threshold(Thresholding::None, &mut x0, 1);
        assert_eq!(x0, [0.25, -0.75]);
    }

    #[test]
    fn static_clamps() {
        let mut x0 = [5.0, -5.0, 0.5];
        threshold(Thresholding::Static { max: 4.0 }, &mut x0, 1);
        assert_eq!(x0, [4.0, -4.0, 0.5]);
    }
}
