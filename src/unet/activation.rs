//! Activations, as burn computes them.

use super::architecture::Activation;
use burn::tensor::{Tensor, activation};

impl Activation {
    /// Applies it to every value.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => activation::relu(x),
            Self::Silu => activation::silu(x),
            Self::Gelu => activation::gelu(x),
        }
    }
}
