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
