//! `FeedForward`: two linear layers with norms of the package's own kind, which have no bias.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::gelu};

/// Epsilon of all layer norms.
pub(crate) const NORM_EPS: f64 = 1e-5;

/// A layer norm without a bias (`LayerNorm` of the package).
pub(super) fn own_norm(channels: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(channels).with_epsilon(NORM_EPS).with_bias(false).init(device)
}

/// A layer norm with a bias (`nn.LayerNorm`).
pub(super) fn norm(channels: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(channels).with_epsilon(NORM_EPS).init(device)
}

/// A linear layer without a bias.
pub(super) fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).with_bias(false).init(device)
}

/// Norm, linear, GELU, norm, linear.
#[derive(Module, Debug)]
pub struct FeedForward {
    pub norm_1: LayerNorm,
    pub linear_1: Linear,
    pub norm_2: LayerNorm,
    pub linear_2: Linear,
}

impl FeedForward {
    /// Layers with random weights.
    pub fn new(channels: usize, hidden: usize, device: &Device) -> Self {
        Self {
            norm_1: own_norm(channels, device),
            linear_1: linear(channels, hidden, device),
            norm_2: own_norm(hidden, device),
            linear_2: linear(hidden, channels, device),
        }
    }

    /// `[batch, tokens, channels]` to the same.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = gelu(self.linear_1.forward(self.norm_1.forward(x)));
        self.linear_2.forward(self.norm_2.forward(hidden))
    }
}
