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

/// Behind a level of the way down: a downsampling, or at the last level the sum of two convolutions (`Parallel`).
#[derive(Module, Debug)]
pub struct PostDownsample {
    /// The downsampling's.
    pub conv: Option<Conv2d>,
    pub convs: Vec<Conv2d>,
}

impl PostDownsample {
    pub(super) fn downsample(dim: usize, dim_out: usize, device: &Device) -> Self {
        Self { conv: Some(Downsample::new(dim, dim_out, device).conv), convs: Vec::new() }
    }

    pub(super) fn parallel(dim: usize, dim_out: usize, device: &Device) -> Self {
        let convs = [3, 1].map(|kernel| convolution(dim, dim_out, kernel, device));
        Self { conv: None, convs: convs.into() }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if let Some(conv) = &self.conv {
            return convolve(conv, PixelUnshuffleConfig::new(2).init().forward(x));
        }
        let mut parts = self.convs.iter().map(|conv| convolve(conv, x.clone()));
        let first = parts.next();
        first.map_or(x.clone(), |first| parts.fold(first, |sum, part| sum + part))
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
