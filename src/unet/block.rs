//! A level of the U-Net: residual blocks, each followed by attention where the level has it, and a residual block
//! that halves or doubles the size. One type serves `ResnetDownsampleBlock2D`, `SimpleCrossAttnDownBlock2D`,
//! `UNetMidBlock2D`, `UNetMidBlock2DSimpleCrossAttn`, `ResnetUpsampleBlock2D` and `SimpleCrossAttnUpBlock2D`.

use super::architecture::{self, Resample};
use super::attention::{Attention, TextKeys};
use super::resnet::ResnetBlock;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A level on the way down or up, or the middle.
#[derive(Module, Debug)]
pub struct Block {
    pub resnets: Vec<ResnetBlock>,
    pub attentions: Vec<Attention>,
    /// At most one.
    pub downsamplers: Vec<ResnetBlock>,
    /// At most one.
    pub upsamplers: Vec<ResnetBlock>,
}

impl Block {
    /// A level with random weights.
    pub fn new(options: &architecture::Block, device: &Device) -> Self {
        let resamplers = |kind| {
            let wanted = options.resampler.filter(|resampler| resampler.resample == kind);
            wanted.map(|resampler| ResnetBlock::new(resampler, device)).into_iter().collect()
        };
        Self {
            resnets: options.resnets.iter().map(|resnet| ResnetBlock::new(*resnet, device)).collect(),
            attentions: options.attentions.iter().map(|attention| Attention::new(*attention, device)).collect(),
            downsamplers: resamplers(Resample::Down),
            upsamplers: resamplers(Resample::Up),
        }
    }

    /// A level of the way down: every result is kept for the way up.
    ///
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    /// - time: `[batch, time_channels]`
    /// - output: `[batch, channels', height', width']`
    pub fn down(&self, x: Tensor<4>, time: &Tensor<2>, text: &[TextKeys], skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
        let mut x = x;
        for (layer, resnet) in self.resnets.iter().enumerate() {
            x = self.attend(layer, resnet.forward(x, None, time.clone()), text);
            skips.push(x.clone());
        }
        for downsampler in &self.downsamplers {
            x = downsampler.forward(x, None, time.clone());
            skips.push(x.clone());
        }
        x
    }

    /// The middle: attention between the residual blocks.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    /// - time: `[batch, time_channels]`
    pub fn mid(&self, x: Tensor<4>, time: &Tensor<2>, text: &[TextKeys]) -> Tensor<4> {
        let mut x = x;
        for (layer, resnet) in self.resnets.iter().enumerate() {
            x = self.attend(layer, resnet.forward(x, None, time.clone()), text);
        }
        x
    }

    /// A level of the way up: every residual block takes the last kept result.
    ///
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    /// - time: `[batch, time_channels]`
    /// - output: `[batch, channels', height', width']`
    pub fn up(&self, x: Tensor<4>, time: &Tensor<2>, text: &[TextKeys], skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
        let mut x = x;
        for (layer, resnet) in self.resnets.iter().enumerate() {
            x = self.attend(layer, resnet.forward(x, skips.pop(), time.clone()), text);
        }
        for upsampler in &self.upsamplers {
            x = upsampler.forward(x, None, time.clone());
        }
        x
    }

    fn attend(&self, layer: usize, x: Tensor<4>, text: &[TextKeys]) -> Tensor<4> {
        match (self.attentions.get(layer), text.get(layer)) {
            (Some(attention), Some(text)) => attention.forward(x, text),
            _ => x,
        }
    }
}
