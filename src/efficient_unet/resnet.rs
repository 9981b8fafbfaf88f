//! Residual blocks: two convolutions behind norms over the channels, cross attention between them, and a factor per
//! channel at the end (`GlobalContext`).

use super::architecture::Resnet;
use super::attention::{CrossAttention, LEAST_LENGTH};
use super::conditioner::Conditions;
use crate::unet::resnet::{convolution, convolve};
use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, silu, softmax};
use burn::tensor::{Device, Tensor};

/// Brings every pixel's channels to a root mean square of 1, times a factor per channel.
#[derive(Module, Debug)]
pub struct ChanRMSNorm {
    pub gamma: Param<Tensor<1>>,
}

impl ChanRMSNorm {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, channels, _, _] = x.dims();
        let length = x.clone().square().sum_dim(1).sqrt().clamp_min(LEAST_LENGTH);
        let factors = self.gamma.val().mul_scalar((channels as f32).sqrt());
        x / length * factors.reshape([1, channels, 1, 1])
    }
}

/// Norm, the time's scale and shift, SiLU, convolution.
#[derive(Module, Debug)]
pub struct Block {
    pub norm: ChanRMSNorm,
    pub project: Conv2d,
}

impl Block {
    fn new(dim: usize, dim_out: usize, device: &Device) -> Self {
        let norm = ChanRMSNorm { gamma: super::attention::factors(dim, device) };
        Self { norm, project: convolution(dim, dim_out, 3, device) }
    }

    fn forward(&self, x: Tensor<4>, scale_shift: Option<(Tensor<4>, Tensor<4>)>) -> Tensor<4> {
        let x = self.norm.forward(x);
        let x = match scale_shift {
            Some((scale, shift)) => x * scale.add_scalar(1.0) + shift,
            None => x,
        };
        convolve(&self.project, silu(x))
    }
}

/// The two layers behind the pooled picture.
#[derive(Module, Debug)]
pub struct ContextNet {
    pub conv_1: Conv2d,
    pub conv_2: Conv2d,
}

/// A factor per channel from the whole picture, which a softmax over its positions averages.
#[derive(Module, Debug)]
pub struct GlobalContext {
    pub to_k: Conv2d,
    pub net: ContextNet,
}

impl GlobalContext {
    fn new(dim: usize, device: &Device) -> Self {
        let hidden = (dim / 2).max(3);
        let layer = |inputs, outputs| convolution(inputs, outputs, 1, device);
        Self { to_k: layer(dim, 1), net: ContextNet { conv_1: layer(dim, hidden), conv_2: layer(hidden, dim) } }
    }

    /// `[batch, dim, height, width]` to `[batch, dim, 1, 1]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, dim, height, width] = x.dims();
        let weights = self.to_k.forward(x.clone()).reshape([batch, height * width, 1]);
        let pooled = x.reshape([batch, dim, height * width]).matmul(softmax(weights, 1));
        let hidden = silu(self.net.conv_1.forward(pooled.reshape([batch, dim, 1, 1])));
        sigmoid(self.net.conv_2.forward(hidden))
    }
}

/// A residual block.
#[derive(Module, Debug)]
pub struct ResnetBlock {
    pub time_mlp: Linear,
    pub cross_attn: Option<CrossAttention>,
    pub block1: Block,
    pub block2: Block,
    pub gca: Option<GlobalContext>,
    /// Where input and output differ in channels.
    pub res_conv: Option<Conv2d>,
}

impl ResnetBlock {
    /// A block with random weights.
    pub fn new(options: &Resnet, device: &Device) -> Self {
        let Resnet { dim, dim_out, time_cond_dim, cross_attn, global_context } = *options;
        Self {
            time_mlp: LinearConfig::new(time_cond_dim, 2 * dim_out).init(device),
            cross_attn: cross_attn.map(|(context, heads)| CrossAttention::new(dim_out, context, heads, device)),
            block1: Block::new(dim, dim_out, device),
            block2: Block::new(dim_out, dim_out, device),
            gca: global_context.then(|| GlobalContext::new(dim_out, device)),
            res_conv: (dim != dim_out).then(|| convolution(dim, dim_out, 1, device)),
        }
    }

    /// # Shapes
    /// - x: `[batch, dim, height, width]`
    /// - output: `[batch, dim_out, height, width]`
    pub fn forward(&self, x: Tensor<4>, conditions: &Conditions) -> Tensor<4> {
        let time = self.time_mlp.forward(silu(conditions.time.clone()));
        let [batch, channels] = time.dims();
        let dim = channels / 2;
        let half = |from: usize| time.clone().slice([0..batch, from..from + dim]).reshape([batch, dim, 1, 1]);
        let mut hidden = self.block1.forward(x.clone(), None);
        if let Some(attention) = &self.cross_attn {
            let [_, _, height, width] = hidden.dims();
            let tokens = hidden.reshape([batch, dim, height * width]).swap_dims(1, 2);
            let tokens = attention.forward(tokens.clone(), conditions.tokens.clone()) + tokens;
            hidden = tokens.swap_dims(1, 2).reshape([batch, dim, height, width]);
        }
        let hidden = self.block2.forward(hidden, Some((half(0), half(dim))));
        let hidden = match &self.gca {
            Some(gca) => hidden.clone() * gca.forward(hidden),
            None => hidden,
        };
        match &self.res_conv {
            Some(layer) => hidden + convolve(layer, x),
            None => hidden + x,
        }
    }
}
