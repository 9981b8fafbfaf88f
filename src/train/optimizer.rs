//! One update of all weights: gradients clipped to a norm, AdamW (burn's own), and the moving average of the weights.
//!
//! Clipping is PyTorch's `clip_grad_norm_`, over all parameters together; burn's clips each parameter by itself.

use super::parameters::Values;
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
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
    adamw: AdamW,
    pub weights: Values,
    pub average: Values,
    moments: BTreeMap<String, AdamWState<1>>,
    updates: u64,
}

/// The two moments of a checkpoint.
pub struct Moments {
    pub first: Values,
    pub second: Values,
}

impl Optimizer {
    /// Starts from `weights`, which are the average too.
    pub fn new(options: OptimizerOptions, weights: Values) -> Self {
        let config = AdamWConfig::new().with_beta_1(options.beta_1).with_beta_2(options.beta_2);
        let adamw = config.with_epsilon(options.epsilon).with_weight_decay(options.weight_decay).build();
        let average = weights.clone();
        Self { options, adamw, weights, average, moments: BTreeMap::new(), updates: 0 }
    }

    /// Goes on from a checkpoint after `updates` updates.
    pub fn restore(&mut self, weights: Values, average: Values, moments: Moments, updates: u64) {
        let Moments { first, mut second } = moments;
        let state = |(name, first): (String, Tensor<1>)| {
            let second = second.remove(&name)?;
            Some((name, AdamWState::new(AdaptiveMomentumState::new(updates as usize, first, second))))
        };
        self.moments = first.into_iter().filter_map(state).collect();
        (self.weights, self.average, self.updates) = (weights, average, updates);
    }

    /// AdamW's moments, for a checkpoint.
    pub fn moments(&self) -> Moments {
        let all = |moment: fn(&AdamWState<1>) -> &Tensor<1>| {
            self.moments.iter().map(|(name, state)| (name.clone(), moment(state).clone())).collect()
        };
        Moments { first: all(|state| &state.momentum.moment_1), second: all(|state| &state.momentum.moment_2) }
    }

    /// How many updates were made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// One update at a learning rate. `norm` is that of the gradients ([`norm`](super::parameters::norm)).
    pub fn update(&mut self, rate: f64, mut gradients: Values, norm: f64) {
        let scale = (f64::from(self.options.clip) / (norm + CLIP_EPSILON)).min(1.0);
        self.updates += 1;
        let count = self.updates as f64;
        let share = 1.0 - self.options.ema.min((1.0 + count) / (10.0 + count));
        for (name, weight) in &mut self.weights {
            if let Some(gradient) = gradients.remove(name) {
                let gradient = if scale < 1.0 { gradient.mul_scalar(scale) } else { gradient };
                let state = self.moments.remove(name);
                let (updated, state) = self.adamw.step(rate, weight.clone(), gradient, state);
                *weight = updated;
                self.moments.extend(state.map(|state| (name.clone(), state)));
            }
            if let Some(average) = self.average.get_mut(name) {
                *average = average.clone() + (weight.clone() - average.clone()).mul_scalar(share);
            }
        }
    }
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
