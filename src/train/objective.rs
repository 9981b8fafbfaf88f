//! What a stage learns: its noising, the target of its prediction, the weight of each noise level, and the loss.
//!
//! Targets are those of the schedule (epsilon, v, sample). Min-SNR-γ weights are Hang et al.'s (2303.09556): with
//! snr = ᾱ / (1 − ᾱ), min(snr, γ) on an error of x0, which is that over snr for epsilon and that over snr + 1 for v.
//! A learned variance adds the variational bound of Improved DDPM (2102.09672, section 3.1): see [`bound`](super::bound).

use super::bound::{Bound, BoundInputs};
use super::{Example, TrainError};
use crate::diffusion::{Prediction, Schedule, Variance};
use burn::tensor::{Device, Tensor, TensorData};

/// How much a noise level counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighting {
    /// All the same.
    Plain,
    /// min(snr, γ) of x0's error; γ is 5 in the paper.
    MinSnr { gamma: f32 },
}

/// The objective of a stage.
pub struct Objective {
    schedule: Schedule,
    weighting: Weighting,
    bound: Option<Bound>,
}

/// A noised batch and what the network should say of it.
pub struct Noised {
    /// What the network sees: noisy picture, and behind it the low-resolution one, `[batch, channels, size, size]`.
    pub input: Tensor<4>,
    /// `[batch, 3, size, size]`
    pub target: Tensor<4>,
    /// Weight of each example, `[batch, 1, 1, 1]`.
    weight: Tensor<4>,
    bound: Option<BoundInputs>,
}

impl Objective {
    /// The objective of a schedule. `bound` is the factor of the variational bound for a learned variance, 0.001 in the
    /// paper; `residual` what residuals are divided by, where they are diffused.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a γ or a factor that is not above 0.
    pub fn new(
        schedule: Schedule,
        weighting: Weighting,
        bound: f32,
        residual: Option<f32>,
    ) -> Result<Self, TrainError> {
        if let Weighting::MinSnr { gamma } = weighting
            && (gamma <= 0.0 || !gamma.is_finite())
        {
            return Err(TrainError::setting("min-snr", format!("{gamma} is not above 0")));
        }
        if bound <= 0.0 || !bound.is_finite() {
            return Err(TrainError::setting("vlb", format!("{bound} is not above 0")));
        }
        let learned = schedule.config().variance == Variance::LearnedRange;
        let bound = learned.then(|| Bound::new(&schedule, bound, residual));
        Ok(Self { schedule, weighting, bound })
    }

    /// The noise schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Noises a batch of examples of one size.
    pub fn noise(&self, examples: &[Example], device: &Device) -> Noised {
        let (mut input, mut target, mut weight) = (Vec::new(), Vec::new(), Vec::new());
        for example in examples {
            let alpha_bar = self.alpha_bar(example.timestep);
            let (alpha, sigma) = (alpha_bar.sqrt(), (1.0 - alpha_bar).sqrt());
            let pairs = || example.clean.iter().zip(&example.noise);
            input.extend(pairs().map(|(&clean, &noise)| alpha * clean + sigma * noise));
            input.extend(example.low.iter().flat_map(|low| &low.picture));
            match self.prediction() {
                Prediction::Epsilon => target.extend_from_slice(&example.noise),
                Prediction::Sample => target.extend_from_slice(&example.clean),
                Prediction::VPrediction => {
                    target.extend(pairs().map(|(&clean, &noise)| alpha * noise - sigma * clean));
                }
            }
            weight.push(self.weight(alpha_bar));
        }
        let (count, size) = (examples.len(), examples.first().map_or(0, |example| example.size));
        let picture = |values: Vec<f32>| {
            let channels = values.len() / (count * size * size).max(1);
            Tensor::from_data(TensorData::new(values, [count, channels, size, size]), device)
        };
        let (input, target) = (picture(input), picture(target));
        let bound = self.bound.as_ref().map(|bound| bound.inputs(examples, &input, device));
        let weight = Tensor::from_data(TensorData::new(weight, [count, 1, 1, 1]), device);
        Noised { input, target, weight, bound }
    }

    /// The mean loss of the batch, `[1]`; `out` is `[batch, 3 or 6, size, size]`.
    pub fn loss(&self, out: Tensor<4>, noised: &Noised) -> Tensor<1> {
        let [count, _, height, width] = out.dims();
        let prediction = out.clone().slice([0..count, 0..3, 0..height, 0..width]);
        let error = (prediction.clone() - noised.target.clone()).square() * noised.weight.clone();
        let simple = error.mean();
        match (&self.bound, &noised.bound) {
            (Some(bound), Some(inputs)) => {
                let variance = out.slice([0..count, 3..6, 0..height, 0..width]);
                simple + bound.loss(self.prediction(), prediction.detach(), variance, inputs)
            }
            _ => simple,
        }
    }

    fn prediction(&self) -> Prediction {
        self.schedule.config().prediction
    }

    fn alpha_bar(&self, timestep: u32) -> f32 {
        self.schedule.alphas_cumprod()[timestep as usize]
    }

    fn weight(&self, alpha_bar: f32) -> f32 {
        let Weighting::MinSnr { gamma } = self.weighting else { return 1.0 };
        let snr = alpha_bar / (1.0 - alpha_bar);
        let of_x0 = snr.min(gamma);
        match self.prediction() {
            Prediction::Epsilon => of_x0 / snr,
            Prediction::Sample => of_x0,
            Prediction::VPrediction => of_x0 / (snr + 1.0),
        }
    }
}
