//! Changes of a picture's size between levels.

use crate::unet::resnet::{convolution, convolve};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{PixelShuffleConfig, PixelUnshuffleConfig};
use burn::tensor::{Device, Tensor, activation::silu};

/// Half the size: four pixels' channels side by side, then a convolution of one pixel (`Downsample`).
#[derive(Module, Debug)]
pub struct Downsample {
    pub conv: Conv2d,
}

impl Downsample {
    pub(super) fn new(dim: usize, dim_out: usize, device: &Device) -> Self {
        Self { conv: convolution(4 * dim, dim_out, 1, device) }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        convolve(&self.conv, PixelUnshuffleConfig::new(2).init().forward(x))
    }
}

/// What stands in a downsampling's place at the last level: the sum of two convolutions (`Parallel`).
#[derive(Module, Debug)]
pub struct Parallel {
    pub convs: Vec<Conv2d>,
}

impl Parallel {
    pub(super) fn new(dim: usize, dim_out: usize, device: &Device) -> Self {
        Self { convs: [3, 1].map(|kernel| convolution(dim, dim_out, kernel, device)).into() }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut sums = self.convs.iter().map(|conv| convolve(conv, x.clone()));
        let first = sums.next();
        first.map_or(x.clone(), |first| sums.fold(first, |sum, other| sum + other))
    }
}

/// Behind a level of the way down.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a network holds a handful, and a module cannot be derived through a box"
)]
pub enum PostDownsample {
    Downsample(Downsample),
    Parallel(Parallel),
}

impl PostDownsample {
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Downsample(layer) => layer.forward(x),
            Self::Parallel(layer) => layer.forward(x),
        }
    }
}

/// Twice the size (`PixelShuffleUpsample`).
#[derive(Module, Debug)]
pub struct Upsample {
    pub conv: Conv2d,
}

impl Upsample {
    pub(super) fn new(dim: usize, dim_out: usize, device: &Device) -> Self {
        Self { conv: convolution(dim, 4 * dim_out, 1, device) }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        PixelShuffleConfig::new(2).init().forward(silu(convolve(&self.conv, x)))
    }
}

/// Convolutions with windows of several sizes, their outputs side by side (`CrossEmbedLayer`).
#[derive(Module, Debug)]
pub struct CrossEmbedLayer {
    pub convs: Vec<Conv2d>,
}

impl CrossEmbedLayer {
    /// `convs`: kernel and output channels of each.
    pub(super) fn new(dim: usize, convs: &[(usize, usize)], device: &Device) -> Self {
        let conv = |&(kernel, channels): &(usize, usize)| convolution(dim, channels, kernel, device);
        Self { convs: convs.iter().map(conv).collect() }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::cat(self.convs.iter().map(|conv| convolve(conv, x.clone())).collect(), 1)
    }
}
