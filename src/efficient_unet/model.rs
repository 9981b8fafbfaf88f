//! The burn module: plain, differentiable, the definition of the network. [`names::checkpoint_name`](super::names) tells
//! what the package calls its parameters.

use super::EfficientUNetConfig;
use super::architecture::{Architecture, Level, Transformer};
use super::attention::TransformerBlock;
use super::conditioner::{Conditioner, Conditions};
use super::resnet::ResnetBlock;
use super::sampling::{CrossEmbedLayer, Downsample, PostDownsample, Upsample};
use crate::unet::UNetError;
use crate::unet::resnet::{convolution, convolve};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

/// A level of the way down.
#[derive(Module, Debug)]
pub struct Down {
    pub pre_downsample: Option<Downsample>,
    pub init_block: ResnetBlock,
    pub resnet_blocks: Vec<ResnetBlock>,
    pub attn_block: Option<TransformerBlock>,
    pub post_downsample: Option<PostDownsample>,
}

/// A level of the way up.
#[derive(Module, Debug)]
pub struct Up {
    pub init_block: ResnetBlock,
    pub resnet_blocks: Vec<ResnetBlock>,
    pub attn_block: Option<TransformerBlock>,
    pub upsample: Option<Upsample>,
}

/// A U-Net of imagen-pytorch.
#[derive(Module, Debug)]
pub struct EfficientUNet {
    pub conditioner: Conditioner,
    pub init_conv: CrossEmbedLayer,
    pub init_resnet_block: Option<ResnetBlock>,
    pub downs: Vec<Down>,
    pub mid_block1: ResnetBlock,
    pub mid_attn: Option<TransformerBlock>,
    pub mid_block2: ResnetBlock,
    /// From the last level to the first.
    pub ups: Vec<Up>,
    pub final_res_block: Option<ResnetBlock>,
    pub final_conv: Conv2d,
    skip_scale: f32,
}

impl EfficientUNetConfig {
    /// A U-Net with random weights.
    ///
    /// # Errors
    /// As [`EfficientUNetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<EfficientUNet, UNetError> {
        let architecture = Architecture::new(self)?;
        let Architecture { levels, memory_efficient, .. } = &architecture;
        let last = levels.len() - 1;
        let resnets = |options: &[_]| options.iter().map(|options| ResnetBlock::new(options, device)).collect();
        let attention = |options: &Transformer| TransformerBlock::new(options, device);
        let down = |(i, level): (usize, &Level)| Down {
            pre_downsample: memory_efficient.then(|| Downsample::new(level.dim_in, level.dim_out, device)),
            init_block: ResnetBlock::new(&level.init_block, device),
            resnet_blocks: resnets(&level.resnet_blocks),
            attn_block: level.attn_block.as_ref().map(attention),
            post_downsample: match (memory_efficient, i == last) {
                (true, _) => None,
                (false, false) => Some(PostDownsample::downsample(level.dim_in, level.dim_out, device)),
                (false, true) => Some(PostDownsample::parallel(level.dim_in, level.dim_out, device)),
            },
        };
        let up = |(i, level): (usize, &Level)| Up {
            init_block: ResnetBlock::new(&level.up_init_block, device),
            resnet_blocks: resnets(&level.up_resnet_blocks),
            attn_block: level.up_attn_block.as_ref().map(attention),
            upsample: (i > 0 || *memory_efficient).then(|| Upsample::new(level.dim_out, level.dim_in, device)),
        };
        let resnet = |options: &_| ResnetBlock::new(options, device);
        let end = architecture.dim + if self.lowres_cond { self.channels } else { 0 };
        Ok(EfficientUNet {
            conditioner: self.init_conditioner(device)?,
            init_conv: CrossEmbedLayer::new(architecture.in_channels, &architecture.init_conv, device),
            init_resnet_block: architecture.init_resnet_block.as_ref().map(resnet),
            downs: levels.iter().enumerate().map(down).collect(),
            mid_block1: resnet(&architecture.mid_block),
            mid_attn: architecture.mid_attn.as_ref().map(attention),
            mid_block2: resnet(&architecture.mid_block),
            ups: levels.iter().enumerate().rev().map(up).collect(),
            final_res_block: architecture.final_res_block.as_ref().map(resnet),
            final_conv: convolution(end, architecture.out_channels, architecture.final_conv_kernel, device),
            skip_scale: architecture.skip_scale,
        })
    }
}

impl EfficientUNet {
    /// Predicts from a noisy picture.
    ///
    /// # Shapes
    /// - x: `[batch, 3, size, size]`; the size a multiple of [`Architecture::granularity`]
    /// - low: as x, where the network takes a low-resolution picture
    /// - output: as x
    pub fn forward(&self, x: Tensor<4>, low: Option<Tensor<4>>, conditions: &Conditions) -> Tensor<4> {
        let beside = |x: Tensor<4>| match &low {
            Some(low) => Tensor::cat(vec![x, low.clone()], 1),
            None => x,
        };
        let mut x = self.init_conv.forward(beside(x));
        if let Some(block) = &self.init_resnet_block {
            x = block.forward(x, conditions);
        }
        let mut skips = Vec::new();
        for level in &self.downs {
            if let Some(layer) = &level.pre_downsample {
                x = layer.forward(x);
            }
            x = level.init_block.forward(x, conditions);
            for block in &level.resnet_blocks {
                x = block.forward(x, conditions);
                skips.push(x.clone());
            }
            x = attend(level.attn_block.as_ref(), x, conditions);
            skips.push(x.clone());
            if let Some(layer) = &level.post_downsample {
                x = layer.forward(x);
            }
        }
        x = self.mid_block1.forward(x, conditions);
        x = attend(self.mid_attn.as_ref(), x, conditions);
        x = self.mid_block2.forward(x, conditions);
        for level in &self.ups {
            x = level.init_block.forward(self.skip(x, &mut skips), conditions);
            for block in &level.resnet_blocks {
                x = block.forward(self.skip(x, &mut skips), conditions);
            }
            x = attend(level.attn_block.as_ref(), x, conditions);
            if let Some(layer) = &level.upsample {
                x = layer.forward(x);
            }
        }
        if let Some(block) = &self.final_res_block {
            x = block.forward(x, conditions);
        }
        convolve(&self.final_conv, beside(x))
    }

    /// The last skip connection beside x.
    fn skip(&self, x: Tensor<4>, skips: &mut Vec<Tensor<4>>) -> Tensor<4> {
        match skips.pop() {
            Some(skip) => Tensor::cat(vec![x, skip.mul_scalar(self.skip_scale)], 1),
            None => x,
        }
    }
}

fn attend(block: Option<&TransformerBlock>, x: Tensor<4>, conditions: &Conditions) -> Tensor<4> {
    match block {
        Some(block) => block.forward(x, &conditions.tokens),
        None => x,
    }
}
