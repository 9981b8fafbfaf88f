//! The variational bound that teaches a learned variance (Improved DDPM, 2102.09672, section 3.1).
//!
//! The network's second half of the channels, v, chooses between the logarithms of the posterior's variance β̃ and of β:
//! log Σ = f · log β + (1 − f) · log β̃ with f = (v + 1) / 2. The bound's term of a timestep is the divergence of the
//! posterior q(x' | x, x0) from the step that the network makes, in bits per value; at the last timestep, the logarithm of
//! the probability of the picture's 8-bit values. The mean is not taught by it: the prediction comes in without gradient.

use super::Example;
use crate::diffusion::{Prediction, Schedule};
use burn::tensor::{Device, Tensor, TensorData};
use std::f64::consts::{LN_2, SQRT_2};

/// Half of the distance of two 8-bit values in [-1, 1].
const HALF_BIN: f64 = 1.0 / 255.0;
/// Pictures' values beyond this are the first or last bin, which reaches to infinity.
const EDGE: f64 = 0.999;
/// The least probability of a bin.
const LEAST: f64 = 1e-12;

/// The bound's factor, and a row of coefficients per timestep.
pub(super) struct Bound {
    factor: f64,
    /// What the picture's residual is divided by; none where the picture itself is diffused.
    residual: Option<f32>,
    steps: Vec<Coefficients>,
}

#[derive(Clone, Copy)]
struct Coefficients {
    /// √ᾱ and √(1 − ᾱ).
    alpha: f64,
    sigma: f64,
    /// The posterior's mean is this much of x0 and the rest of x.
    of_x0: f64,
    of_x: f64,
    /// log β̃, that of the second timestep at the first, where it is −∞.
    min_log: f64,
    /// log β
    max_log: f64,
}

/// What the bound needs of a batch.
pub(super) struct BoundInputs {
    clean: Tensor<4>,
    x: Tensor<4>,
    /// Rows of coefficients, `[batch, 1, 1, 1]` each.
    alpha: Tensor<4>,
    sigma: Tensor<4>,
    of_x0: Tensor<4>,
    of_x: Tensor<4>,
    min_log: Tensor<4>,
    max_log: Tensor<4>,
    /// 1 for examples at timestep 0; none where there is none.
    last: Option<Tensor<4>>,
}

impl Bound {
    /// `factor` is that of the sum of all timesteps' terms.
    pub fn new(schedule: &Schedule, factor: f32, residual: Option<f32>) -> Self {
        let alphas = schedule.alphas_cumprod();
        let before = |t: usize| if t == 0 { 1.0 } else { f64::from(alphas[t - 1]) };
        let beta = |t: usize| 1.0 - f64::from(alphas[t]) / before(t);
        let posterior = |t: usize| beta(t) * (1.0 - before(t)) / (1.0 - f64::from(alphas[t]));
        let coefficients = |t: usize| {
            let alpha_bar = f64::from(alphas[t]);
            Coefficients {
                alpha: alpha_bar.sqrt(),
                sigma: (1.0 - alpha_bar).sqrt(),
                of_x0: before(t).sqrt() * beta(t) / (1.0 - alpha_bar),
                of_x: (1.0 - beta(t)).sqrt() * (1.0 - before(t)) / (1.0 - alpha_bar),
                min_log: posterior(t.max(1).min(alphas.len() - 1)).max(f64::MIN_POSITIVE).ln(),
                max_log: beta(t).ln(),
            }
        };
        let steps: Vec<Coefficients> = (0..alphas.len()).map(coefficients).collect();
        Self { factor: f64::from(factor) * steps.len() as f64, residual, steps }
    }

    /// The batch's tensors; `input` is what the network sees.
    pub fn inputs(&self, examples: &[Example], input: &Tensor<4>, device: &Device) -> BoundInputs {
        let [count, _, height, width] = input.dims();
        let clean = examples.iter().flat_map(|example| example.clean.iter().copied()).collect::<Vec<f32>>();
        let column = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [count, 1, 1, 1]), device);
        let of = |field: fn(&Coefficients) -> f64| {
            column(examples.iter().map(|example| field(&self.steps[example.timestep as usize]) as f32).collect())
        };
        let last = examples
            .iter()
            .any(|example| example.timestep == 0)
            .then(|| column(examples.iter().map(|example| if example.timestep == 0 { 1.0 } else { 0.0 }).collect()));
        BoundInputs {
            clean: Tensor::from_data(TensorData::new(clean, [count, 3, height, width]), device),
            x: input.clone().slice([0..count, 0..3, 0..height, 0..width]),
            alpha: of(|c| c.alpha),
            sigma: of(|c| c.sigma),
            of_x0: of(|c| c.of_x0),
            of_x: of(|c| c.of_x),
            min_log: of(|c| c.min_log),
            max_log: of(|c| c.max_log),
            last,
        }
    }

    /// The batch's share of the loss, `[1]`.
    pub fn loss(
        &self,
        prediction: Prediction,
        predicted: Tensor<4>,
        variance: Tensor<4>,
        inputs: &BoundInputs,
    ) -> Tensor<1> {
        let x0 = match prediction {
            Prediction::Sample => predicted,
            Prediction::Epsilon => (inputs.x.clone() - predicted * inputs.sigma.clone()) / inputs.alpha.clone(),
            Prediction::VPrediction => inputs.x.clone() * inputs.alpha.clone() - predicted * inputs.sigma.clone(),
        };
        let share = variance.add_scalar(1.0).mul_scalar(0.5);
        let log = inputs.min_log.clone() + share * (inputs.max_log.clone() - inputs.min_log.clone());
        let term = divergence(inputs, &x0, log.clone());
        let term = match &inputs.last {
            Some(last) => {
                let mean = x0 * inputs.of_x0.clone() + inputs.x.clone() * inputs.of_x.clone();
                let others = last.clone().neg().add_scalar(1.0);
                term * others + self.likelihood(&inputs.clean, mean, log) * last.clone()
            }
            None => term,
        };
        term.mean().mul_scalar(self.factor / LN_2)
    }

    /// Minus the logarithm of the probability of the picture's bins, in nats.
    fn likelihood(&self, clean: &Tensor<4>, mean: Tensor<4>, log: Tensor<4>) -> Tensor<4> {
        let half = HALF_BIN / self.residual.map_or(1.0, f64::from);
        let centred = clean.clone() - mean;
        let inverse = log.mul_scalar(-0.5).exp();
        let below = |edge: f64| {
            let z = inverse.clone() * centred.clone().add_scalar(edge);
            z.mul_scalar(1.0 / SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5)
        };
        let (mut upper, mut lower) = (below(half), below(-half));
        if self.residual.is_none() {
            // The outermost bins reach to infinity. Of a residual, which ends elsewhere at every pixel, there are none.
            upper = upper.mask_fill(clean.clone().greater_elem(EDGE), 1.0);
            lower = lower.mask_fill(clean.clone().lower_elem(-EDGE), 0.0);
        }
        (upper - lower).clamp_min(LEAST).log().neg()
    }
}

/// The divergence of the posterior from the network's step, in nats.
fn divergence(inputs: &BoundInputs, x0: &Tensor<4>, log: Tensor<4>) -> Tensor<4> {
    let apart = (inputs.clean.clone() - x0.clone()) * inputs.of_x0.clone();
    let narrower = (log.clone().neg() + inputs.min_log.clone()).exp();
    let spread = log.clone() - inputs.min_log.clone();
    (spread + narrower + apart.square() * log.neg().exp()).sub_scalar(1.0).mul_scalar(0.5)
}
