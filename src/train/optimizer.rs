//! One update of all weights: gradients clipped to a norm, AdamW (burn's own, on the CPU [`fused`]), and the moving average of the
//! weights.
//!
//! Clipping is PyTorch's `clip_grad_norm_`, over all parameters together; burn's clips each parameter by itself.

use super::fused;
use super::parameters::Values;
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// Settings of the updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerOptions {
    /// Decay of the running mean of gradients.
    pub beta_1: f32,
    /// Decay of the running mean of squared gradients.
    pub beta_2: f32,
    pub epsilon: f32,
    /// Decoupled: a step takes away rate · decay of each weight.
    pub weight_decay: f32,
    /// Norm of all gradients together beyond which they are scaled down.
    pub clip: f32,
    /// Decay of the moving average once it is warm: update n decays by min(this, (1 + n) / (10 + n)).
    pub ema: f64,
}

impl Default for OptimizerOptions {
    /// PyTorch's defaults, a norm of 1, and an average over about a thousand updates.
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.01, clip: 1.0, ema: 0.999 }
    }
}

/// What PyTorch adds to the norm before it divides by it.
const CLIP_EPSILON: f64 = 1e-6;

/// Weights, their moving average, and AdamW's moments.
pub struct Optimizer {
    options: OptimizerOptions,
    pub weights: Values,
    pub average: Values,
    moments: BTreeMap<String, [Tensor<1>; 2]>,
    updates: u64,
}

/// The two moments of a checkpoint.
pub struct Moments {
    pub first: Values,
    pub second: Values,
}

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub options: OptimizerOptions,
    /// Counted from 1.
    pub number: u64,
    pub rate: f64,
    /// Factor of all gradients.
    pub scale: f64,
    /// How far the average moves to the weights.
    pub share: f64,
}

/// A parameter in all its forms.
pub(super) struct Parameter {
    pub weight: Tensor<1>,
    pub average: Tensor<1>,
    /// None before the first update.
    pub moments: Option<[Tensor<1>; 2]>,
}

impl Optimizer {
    /// Starts from `weights`, which are the average too.
    pub fn new(options: OptimizerOptions, weights: Values) -> Self {
        let average = weights.clone();
        Self { options, weights, average, moments: BTreeMap::new(), updates: 0 }
    }

    /// Goes on from a checkpoint after `updates` updates.
    pub fn restore(&mut self, weights: Values, average: Values, moments: Moments, updates: u64) {
        let Moments { first, mut second } = moments;
        let pair = |(name, first): (String, Tensor<1>)| {
            let second = second.remove(&name)?;
            Some((name, [first, second]))
        };
        self.moments = first.into_iter().filter_map(pair).collect();
        (self.weights, self.average, self.updates) = (weights, average, updates);
    }

    /// AdamW's moments, for a checkpoint.
    pub fn moments(&self) -> Moments {
        let all = |which: usize| self.moments.iter().map(|(name, pair)| (name.clone(), pair[which].clone())).collect();
        Moments { first: all(0), second: all(1) }
    }

    /// How many updates were made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// One update at a learning rate. `norm` is that of the gradients ([`norm`](super::parameters::norm)). Parameters without a
    /// gradient stay as they are.
    pub fn update(&mut self, rate: f64, gradients: Values, norm: f64) {
        self.updates += 1;
        let count = self.updates as f64;
        let update = Update {
            options: self.options,
            number: self.updates,
            rate,
            scale: (f64::from(self.options.clip) / (norm + CLIP_EPSILON)).min(1.0),
            share: 1.0 - self.options.ema.min((1.0 + count) / (10.0 + count)),
        };
        for (name, gradient) in gradients {
            let Some(weight) = self.weights.get_mut(&name) else { continue };
            let average = self.average.remove(&name).unwrap_or_else(|| weight.clone());
            let parameter = Parameter { weight: weight.clone(), average, moments: self.moments.remove(&name) };
            let updated = match fused::is_on_cpu(weight) {
                true => fused::step(&update, parameter, gradient),
                false => step(&update, parameter, gradient),
            };
            *weight = updated.weight;
            self.average.insert(name.clone(), updated.average);
            self.moments.extend(updated.moments.map(|moments| (name, moments)));
        }
    }
}

/// The update of one parameter by burn's AdamW, on any device.
fn step(update: &Update, parameter: Parameter, gradient: Tensor<1>) -> Parameter {
    let Update { options, number, rate, scale, share } = *update;
    let config = AdamWConfig::new().with_beta_1(options.beta_1).with_beta_2(options.beta_2);
    let adamw = config.with_epsilon(options.epsilon).with_weight_decay(options.weight_decay).build();
    let state = parameter
        .moments
        .map(|[first, second]| AdamWState::new(AdaptiveMomentumState::new(number as usize - 1, first, second)));
    let gradient = if scale < 1.0 { gradient.mul_scalar(scale) } else { gradient };
    let (weight, state) = adamw.step(rate, parameter.weight, gradient, state);
    let average = parameter.average.clone() + (weight.clone() - parameter.average).mul_scalar(share);
    let moments = state.map(|AdamWState { momentum }| [momentum.moment_1, momentum.moment_2]);
    Parameter { weight, average, moments }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::parameters;
    use burn::tensor::{Device, TensorData};

    fn vector(values: &[f32]) -> Tensor<1> {
        Tensor::from_data(TensorData::from(values), &Device::flex())
    }

    fn values(tensor: &Tensor<1>) -> Vec<f32> {
        tensor.to_data().iter::<f32>().collect()
    }

    #[test]
    fn fused_updates_are_burns() {
        let options = OptimizerOptions { weight_decay: 0.3, ..OptimizerOptions::default() };
        let mut random = fastrand::Rng::with_seed(5);
        let mut draw = |count: usize| vector(&(0..count).map(|_| random.f32() - 0.5).collect::<Vec<f32>>());
        for count in [1, 70, 40_000] {
            let begin = draw(count);
            let parameter = || Parameter { weight: begin.clone(), average: begin.clone(), moments: None };
            let (mut ours, mut burns) = (parameter(), parameter());
            for number in 1..=5 {
                let update =
                    Update { options, number, rate: 0.01 * number as f64, scale: 1.0 / number as f64, share: 0.2 };
                let gradient = draw(count);
                ours = fused::step(&update, ours, gradient.clone());
                burns = step(&update, burns, gradient);
            }
            let all = |Parameter { weight, average, moments }: Parameter| {
                let [first, second] = moments.unwrap();
                [weight, average, first, second].map(|tensor| values(&tensor))
            };
            for (ours, burns) in all(ours).into_iter().zip(all(burns)) {
                assert_eq!(ours.len(), count);
                assert!(ours.iter().zip(&burns).all(|(a, b)| (a - b).abs() <= 1e-6), "{count}");
            }
        }
    }

    #[test]
    fn a_gradient_beyond_the_norm_is_scaled_over_all_parameters() {
        let weights: Values = [("a", 2), ("b", 1)].map(|(name, n)| (name.to_owned(), vector(&vec![0.0; n]))).into();
        let gradients: Values = [("a".to_owned(), vector(&[30.0, 0.0])), ("b".to_owned(), vector(&[-40.0]))].into();
        let norm = parameters::norm(&gradients);
        assert_eq!(norm, 50.0);
        let mut optimizer = Optimizer::new(OptimizerOptions { clip: 5.0, ..Default::default() }, weights);
        optimizer.update(0.1, gradients, norm);
        // The first moments are a tenth of the scaled gradients, and the first step is one rate long.
        let moments = optimizer.moments().first;
        assert!((values(&moments["a"])[0] - 0.3).abs() < 1e-6 && (values(&moments["b"])[0] + 0.4).abs() < 1e-6);
        assert!((values(&optimizer.weights["a"])[0] + 0.1).abs() < 1e-6 && values(&optimizer.weights["a"])[1] == 0.0);
        // The average follows by 1 - 2/11 at once.
        assert!((values(&optimizer.average["b"])[0] - 0.1 * 9.0 / 11.0).abs() < 1e-6);
    }
}
