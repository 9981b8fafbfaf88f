//! Classifier-free guidance (2207.12598) and the split of a network's output into mean and variance.

use super::DiffusionError;
use super::error::expect_length;

/// uncond + scale · (cond − uncond): 1 is the conditional prediction, 0 the unconditional one.
///
/// Only the prediction is mixed, never the variance channels: split those off first with [`split_variance`].
///
/// # Errors
/// [`DiffusionError::Length`] where both differ in length.
pub fn guide(uncond: &[f32], cond: &[f32], scale: f32) -> Result<Vec<f32>, DiffusionError> {
    expect_length("the conditional prediction", uncond.len(), cond.len())?;
    Ok(uncond.iter().zip(cond).map(|(&uncond, &cond)| uncond + scale * (cond - uncond)).collect())
}

/// Leaves of the guidance only what is orthogonal to the conditional prediction, which keeps strong guidance from
/// oversaturating ("Eliminating Oversaturation and Artifacts of High Guidance Scales", 2410.02416): changes `uncond` so that
/// [`guide`] goes along that part of cond − uncond. Both hold `images` pictures; sums are in f64.
///
/// # Errors
/// [`DiffusionError::Length`] where both differ in length.
pub fn remove_parallel(uncond: &mut [f32], cond: &[f32], images: usize) -> Result<(), DiffusionError> {
    expect_length("the conditional prediction", uncond.len(), cond.len())?;
    let length = (cond.len() / images.max(1)).max(1);
    for (uncond, cond) in uncond.chunks_mut(length).zip(cond.chunks(length)) {
        let (mut along, mut square) = (0.0, 0.0);
        for (&u, &c) in uncond.iter().zip(cond) {
            along += f64::from(c - u) * f64::from(c);
            square += f64::from(c) * f64::from(c);
        }
        if square > 0.0 {
            let share = (along / square) as f32;
            uncond.iter_mut().zip(cond).for_each(|(u, &c)| *u += share * c);
        }
    }
    Ok(())
}

/// Splits an output `[images, 2·c, h, w]` into the prediction and the variance, `[images, c, h, w]` each.
///
/// # Errors
/// [`DiffusionError::Length`] where the output does not split evenly.
pub fn split_variance(out: &[f32], images: usize) -> Result<(Vec<f32>, Vec<f32>), DiffusionError> {
    let half = out.len() / (2 * images.max(1));
    expect_length("an output with variance channels", half * 2 * images.max(1), out.len())?;
    let (mut mean, mut variance) = (Vec::with_capacity(out.len() / 2), Vec::with_capacity(out.len() / 2));
    for image in out.chunks(2 * half.max(1)) {
        let (first, second) = image.split_at(half);
        mean.extend_from_slice(first);
        variance.extend_from_slice(second);
    }
    Ok((mean, variance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guidance_extrapolates() {
        assert_eq!(guide(&[0.0, 1.0], &[1.0, 0.0], 4.0), Ok(vec![4.0, -3.0]));
        assert_eq!(guide(&[0.5], &[2.0], 1.0), Ok(vec![2.0]));
        assert!(guide(&[0.5], &[2.0, 1.0], 1.0).is_err());
    }

    #[test]
    fn what_is_parallel_is_removed() {
        let (cond, mut uncond) = ([2.0, 0.0, 3.0, 4.0], [1.0, -1.0, 3.0, 4.0]);
        remove_parallel(&mut uncond, &cond, 2).unwrap();
        // cond − uncond was (1, 1) on (2, 0), and nothing in the second picture.
        assert_eq!(guide(&uncond, &cond, 3.0), Ok(vec![2.0, 2.0, 3.0, 4.0]));
        assert!(remove_parallel(&mut uncond, &cond[1..], 1).is_err());
    }

    #[test]
    fn variance_is_the_second_half_of_every_image() {
        let out = [1.0, 2.0, -1.0, -2.0, 3.0, 4.0, -3.0, -4.0];
        assert_eq!(split_variance(&out, 2), Ok((vec![1.0, 2.0, 3.0, 4.0], vec![-1.0, -2.0, -3.0, -4.0])));
        assert!(split_variance(&out, 3).is_err());
    }
}
