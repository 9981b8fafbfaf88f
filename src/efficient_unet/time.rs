//! What the network is told about noise: the logarithm of the signal-to-noise ratio, through sinusoids of learnt
//! frequencies.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::silu};
use std::f32::consts::TAU;

/// The value itself with sines and cosines of it (`LearnedSinusoidalPosEmb`).
#[derive(Module, Debug)]
pub struct LearnedSinusoidalPosEmb {
    /// Frequencies in turns.
    pub weights: Param<Tensor<1>>,
}

impl LearnedSinusoidalPosEmb {
    /// `[batch]` to `[batch, 1 + 2 · frequencies]`.
    fn forward(&self, x: Tensor<1>) -> Tensor<2> {
        let x = x.unsqueeze_dim::<2>(1);
        let angles = (x.clone() * self.weights.val().unsqueeze()).mul_scalar(2.0).mul_scalar(TAU / 2.0);
        Tensor::cat(vec![x, angles.clone().sin(), angles.cos()], 1)
    }
}

/// Sinusoids and a linear layer with SiLU.
#[derive(Module, Debug)]
pub struct TimeHiddens {
    pub sinu_pos_emb: LearnedSinusoidalPosEmb,
    pub linear: Linear,
}

impl TimeHiddens {
    /// Layers with random weights.
    pub fn new(sinusoids: usize, channels: usize, device: &Device) -> Self {
        let frequencies = Initializer::Normal { mean: 0.0, std: 1.0 };
        Self {
            sinu_pos_emb: LearnedSinusoidalPosEmb { weights: frequencies.init([sinusoids / 2], device) },
            linear: LinearConfig::new(sinusoids + 1, channels).init(device),
        }
    }

    /// `[batch]` to `[batch, channels]`.
    pub fn forward(&self, log_snr: Tensor<1>) -> Tensor<2> {
        silu(self.linear.forward(self.sinu_pos_emb.forward(log_snr)))
    }
}
