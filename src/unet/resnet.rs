//! Residual blocks (`ResnetBlock2D` of diffusers): two convolutions, the time embedding between them, and the
//! change of resolution.

use super::architecture::{Activation, Resample, Resnet};
use super::cpu;
use super::norm::normalise;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};

/// A residual block.
#[derive(Module, Debug)]
pub struct ResnetBlock {
    pub norm1: GroupNorm,
    pub conv1: Conv2d,
    pub time_emb_proj: Linear,
    pub norm2: GroupNorm,
    pub conv2: Conv2d,
    /// Where input and output differ in channels.
    pub conv_shortcut: Option<Conv2d>,
    #[module(skip)]
    pub options: Resnet,
}

impl ResnetBlock {
    /// A block with random weights.
    pub fn new(options: Resnet, device: &Device) -> Self {
        let Resnet { out_channels, time_channels, groups, eps, .. } = options;
        let in_channels = options.in_channels + options.skip_channels;
        let norm = |channels| GroupNormConfig::new(groups, channels).with_epsilon(eps).init(device);
        let time_outputs = if options.scale_shift { 2 * out_channels } else { out_channels };
        Self {
            norm1: norm(in_channels),
            conv1: convolution(in_channels, out_channels, 3, device),
            time_emb_proj: LinearConfig::new(time_channels, time_outputs).init(device),
            norm2: norm(out_channels),
            conv2: convolution(out_channels, out_channels, 3, device),
            conv_shortcut: (in_channels != out_channels).then(|| convolution(in_channels, out_channels, 1, device)),
            options,
        }
    }

    /// Applies the block to the input, with the skip connection's channels behind it.
    ///
    /// # Shapes
    /// - x: `[batch, in_channels, height, width]`
    /// - skip: `[batch, skip_channels, height, width]`
    /// - time: `[batch, time_channels]`
    /// - output: `[batch, out_channels, height', width']`; height and width are halved or doubled if it resamples
    pub fn forward(&self, x: Tensor<4>, skip: Option<Tensor<4>>, time: Tensor<2>) -> Tensor<4> {
        let x = match skip {
            Some(skip) => Tensor::cat(vec![x, skip], 1),
            None => x,
        };
        let activation = self.options.activation;
        let hidden = normalise(x.clone(), &self.norm1, None, Some(activation));
        let (x, hidden) = (self.resample(x), self.resample(hidden));
        let hidden = convolve(&self.conv1, hidden);
        let hidden = self.time(hidden, time, activation);
        let hidden = convolve(&self.conv2, hidden);
        let x = match &self.conv_shortcut {
            Some(shortcut) => convolve(shortcut, x),
            None => x,
        };
        let sum = x + hidden;
        if self.options.scale_factor == 1.0 { sum } else { sum.div_scalar(self.options.scale_factor) }
    }

    /// The time embedding, the second norm and its activation.
    fn time(&self, hidden: Tensor<4>, time: Tensor<2>, activation: Activation) -> Tensor<4> {
        let time = if self.options.skip_time_act { time } else { activation.forward(time) };
        let time = self.time_emb_proj.forward(time);
        if self.options.scale_shift {
            let [scale, shift]: [Tensor<2>; 2] = halves(time);
            normalise(hidden, &self.norm2, Some((scale, shift)), Some(activation))
        } else {
            let [batch, channels] = time.dims();
            let hidden = hidden + time.reshape([batch, channels, 1, 1]);
            normalise(hidden, &self.norm2, None, Some(activation))
        }
    }

    fn resample(&self, x: Tensor<4>) -> Tensor<4> {
        match self.options.resample {
            Resample::None => x,
            Resample::Down => avg_pool2d(x, AvgPoolOptions::new([2, 2]).with_stride([2, 2])),
            Resample::Up => {
                let options = InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
                interpolate(x, options)
            }
        }
    }
}

/// The two halves of the channels.
fn halves(x: Tensor<2>) -> [Tensor<2>; 2] {
    let [batch, channels] = x.dims();
    [x.clone().slice([0..batch, 0..channels / 2]), x.slice([0..batch, channels / 2..channels])]
}

/// A convolution that keeps the picture's size.
pub(crate) fn convolution(in_channels: usize, out_channels: usize, kernel: usize, device: &Device) -> Conv2d {
    let padding = (kernel - 1) / 2;
    Conv2dConfig::new([in_channels, out_channels], [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .init(device)
}

/// Applies a [`convolution`].
pub(crate) fn convolve(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    match cpu::convolve(&x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val())) {
        Some(y) => y,
        None => layer.forward(x),
    }
}
