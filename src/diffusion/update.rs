//! One sampling step on the CPU: the meaning of a [`Step`], which the GPU's kernel repeats.

use super::error::expect_length;
use super::{DiffusionError, NoiseScale, Prediction, Step, Thresholding, threshold};

/// x0 as the network's output implies it, before thresholding: all pixels of all images in any order.
pub fn predict_x0(step: &Step, prediction: Prediction, x: &[f32], out: &[f32]) -> Vec<f32> {
    let Step { alpha, sigma, .. } = *step;
    let pairs = x.iter().zip(out);
    match prediction {
        Prediction::Epsilon => pairs.map(|(&x, &out)| (x - sigma * out) / alpha).collect(),
        Prediction::Sample => out.to_vec(),
        Prediction::VPrediction => pairs.map(|(&x, &out)| alpha * x - sigma * out).collect(),
    }
}

/// Moves `x` from this step's noise level to the next one's, in place.
///
/// `x`, `out` (the guided prediction), `variance` (the network's variance channels, for a learned variance) and
/// `noise` (standard normal, for a stochastic step) are planar `[images, c, h, w]`. `previous` is the sampler's memory:
/// pass an empty vector to the first step and the same one to all further steps. Afterwards it holds this step's
/// thresholded x0, which is also the best preview of the final picture.
///
/// # Errors
/// Where an array has the wrong length, or one that the step needs is missing; `x` is then unchanged.
#[allow(clippy::too_many_arguments)]
pub fn update(
    step: &Step,
    prediction: Prediction,
    thresholding: Thresholding,
    x: &mut [f32],
    previous: &mut Vec<f32>,
    out: &[f32],
    variance: Option<&[f32]>,
    noise: Option<&[f32]>,
    images: usize,
) -> Result<(), DiffusionError> {
    expect_length("the prediction", x.len(), out.len())?;
    expect_length("a batch of whole images", x.len() / images.max(1) * images.max(1), x.len())?;
    if step.previous != 0.0 {
        expect_length("the sampler's memory", x.len(), previous.len())?;
    }
    let noise = match step.noise {
        NoiseScale::None => None,
        NoiseScale::Fixed(_) | NoiseScale::Learned { .. } => {
            let noise = noise.ok_or(DiffusionError::Missing { what: "noise" })?;
            expect_length("the noise", x.len(), noise.len())?;
            Some(noise)
        }
    };
    let variance = match step.noise {
        NoiseScale::Learned { .. } => {
            let variance = variance.ok_or(DiffusionError::Missing { what: "the network's variance channels" })?;
            expect_length("the variance", x.len(), variance.len())?;
            Some(variance)
        }
        NoiseScale::None | NoiseScale::Fixed(_) => None,
    };

    let mut x0 = predict_x0(step, prediction, x, out);
    threshold(thresholding, &mut x0, images);
    x.iter_mut().zip(&x0).for_each(|(x, &x0)| *x = step.keep * *x + step.denoised * x0);
    if step.previous != 0.0 {
        x.iter_mut().zip(previous.iter()).for_each(|(x, &before)| *x += step.previous * before);
    }
    if let Some(noise) = noise {
        add_noise(step.noise, x, noise, variance.unwrap_or_default());
    }
    *previous = x0;
    Ok(())
}

fn add_noise(scale: NoiseScale, x: &mut [f32], noise: &[f32], variance: &[f32]) {
    match scale {
        NoiseScale::None => {}
        NoiseScale::Fixed(deviation) => x.iter_mut().zip(noise).for_each(|(x, &noise)| *x += deviation * noise),
        NoiseScale::Learned { min_log, max_log } => {
            for ((x, &noise), &v) in x.iter_mut().zip(noise).zip(variance) {
                let share = (v + 1.0) / 2.0;
                *x += libm::expf(0.5 * (share * max_log + (1.0 - share) * min_log)) * noise;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        timestep: 9.0,
        alpha: 0.8,
        sigma: 0.6,
        keep: 0.5,
        denoised: 0.25,
        previous: 0.0,
        noise: NoiseScale::None,
    };

    fn apply(step: &Step, variance: Option<&[f32]>, noise: Option<&[f32]>) -> Result<Vec<f32>, DiffusionError> {
        let (mut x, mut previous) = (vec![1.0, -2.0], vec![10.0, 20.0]);
        let out = [0.5, 0.25];
        let sample = Prediction::Sample;
        update(step, sample, Thresholding::None, &mut x, &mut previous, &out, variance, noise, 1)?;
        assert_eq!(previous, out);
        Ok(x)
    }

    #[test]
    fn predictions_of_one_picture_agree() {
        let (x0, noise) = ([0.3, -0.9], [1.5, 0.2]);
        let mix = |a: f32, b: f32| [a * x0[0] + b * noise[0], a * x0[1] + b * noise[1]];
        let x = mix(0.8, 0.6);
        let outs = [(Prediction::Epsilon, noise), (Prediction::Sample, x0), (Prediction::VPrediction, mix(-0.6, 0.8))];
        for (prediction, out) in outs {
            let found = predict_x0(&STEP, prediction, &x, &out);
            assert!(found.iter().zip(x0).all(|(a, b)| (a - b).abs() < 1e-6), "{prediction:?}");
        }
    }

    #[test]
    fn coefficients_mean_what_they_say() {
        assert_eq!(apply(&STEP, None, None), Ok(vec![0.625, -0.9375]));
        assert_eq!(apply(&Step { previous: 0.1, ..STEP }, None, None), Ok(vec![1.625, 1.0625]));
        let fixed = Step { noise: NoiseScale::Fixed(2.0), ..STEP };
        assert_eq!(apply(&fixed, None, Some(&[1.0, -1.0])), Ok(vec![2.625, -2.9375]));
        // The variance channel −1 chooses min_log, 1 max_log.
        let (min_log, max_log) = (libm::logf(0.25), libm::logf(4.0));
        let learned = Step { noise: NoiseScale::Learned { min_log, max_log }, ..STEP };
        let x = apply(&learned, Some(&[-1.0, 1.0]), Some(&[1.0, 1.0])).unwrap();
        assert!((x[0] - 1.125).abs() < 1e-6 && (x[1] - 1.0625).abs() < 1e-6, "{x:?}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let fixed = Step { noise: NoiseScale::Fixed(1.0), ..STEP };
        assert_eq!(apply(&fixed, None, None), Err(DiffusionError::Missing { what: "noise" }));
        assert!(matches!(apply(&fixed, None, Some(&[0.0])), Err(DiffusionError::Length { .. })));
        let learned = Step { noise: NoiseScale::Learned { min_log: 0.0, max_log: 0.0 }, ..STEP };
        assert!(matches!(apply(&learned, None, Some(&[0.0; 2])), Err(DiffusionError::Missing { .. })));
        let mut x = [0.0; 2];
        let mut forgotten = Vec::new();
        let multistep = Step { previous: 1.0, ..STEP };
        let (v, none) = (Prediction::VPrediction, Thresholding::None);
        assert!(update(&multistep, v, none, &mut x, &mut forgotten, &[0.0; 2], None, None, 1).is_err());
        assert!(update(&STEP, v, none, &mut x, &mut forgotten, &[0.0; 3], None, None, 1).is_err());
    }
}
