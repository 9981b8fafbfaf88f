//! The burn module: plain, differentiable, the definition of the network. Paths of its parameters are the names of a
//! diffusers checkpoint.

use super::architecture::Architecture;
use super::attention::TextKeys;
use super::block::Block;
use super::embeddings::{Sinusoids, TimestepEmbedding};
use super::norm::normalise;
use super::pooling::TextTimeEmbedding;
use super::resnet::{convolution, convolve};
use super::{UNetConfig, UNetError};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PixelShuffleConfig, PixelUnshuffleConfig};
use burn::tensor::{Device, Tensor};

/// A U-Net.
#[derive(Module, Debug)]
pub struct UNet {
    pub conv_in: Conv2d,
    pub time_embedding: TimestepEmbedding,
    pub class_embedding: Option<TimestepEmbedding>,
    pub add_embedding: Option<TextTimeEmbedding>,
    pub encoder_hid_proj: Option<Linear>,
    pub down_blocks: Vec<Block>,
    pub mid_block: Option<Block>,
    pub up_blocks: Vec<Block>,
    pub conv_norm_out: GroupNorm,
    pub conv_out: Conv2d,
    #[module(skip)]
    options: Options,
}

/// What the forward pass reads of the configuration.
#[derive(Clone, Debug)]
struct Options {
    sinusoids: Sinusoids,
    architecture: Architecture,
}

/// What a text contributes, the same at every step of a prompt: see [`UNet::condition`].
#[derive(Clone, Debug)]
pub struct Conditioning {
    /// The pooled text, `[batch, time_channels]`.
    pub pooled: Option<Tensor<2>>,
    /// Keys and values of every attention layer, per block, in the order in which blocks run.
    pub keys: Vec<Vec<TextKeys>>,
}

impl UNetConfig {
    /// A U-Net with random weights.
    ///
    /// # Errors
    /// As [`UNetConfig::validate`].
    pub fn init(&self, device: &Device) -> Result<UNet, UNetError> {
        let architecture = Architecture::new(self)?;
        let Architecture { base_channels, time_channels, activation, .. } = architecture;
        let time = |post| TimestepEmbedding::new([base_channels, time_channels], activation, post, device);
        let blocks = |blocks: &[super::architecture::Block]| blocks.iter().map(|b| Block::new(b, device)).collect();
        Ok(UNet {
            conv_in: convolution(architecture.in_channels, base_channels, architecture.conv_in_kernel, device),
            time_embedding: time(architecture.time_post_activation),
            class_embedding: architecture.class_embedding.then(|| time(None)),
            add_embedding: architecture.text_pooling.map(|p| TextTimeEmbedding::new(p, time_channels, device)),
            encoder_hid_proj: architecture.text_projection.map(|(from, to)| LinearConfig::new(from, to).init(device)),
            down_blocks: blocks(&architecture.down),
            mid_block: architecture.mid.as_ref().map(|mid| Block::new(mid, device)),
            up_blocks: blocks(&architecture.up),
            conv_norm_out: GroupNormConfig::new(architecture.groups, base_channels)
                .with_epsilon(architecture.eps)
                .init(device),
            conv_out: convolution(base_channels, architecture.out_channels, architecture.conv_out_kernel, device),
            options: Options { sinusoids: Sinusoids::of(self), architecture },
        })
    }
}

impl UNet {
    /// Predicts from a noisy picture: [`UNet::condition`] and [`UNet::forward_conditioned`] in one.
    ///
    /// # Shapes
    /// - x: `[batch, input_channels, size, size]`, in pixels
    /// - timestep: `[batch]`
    /// - text: `[batch, tokens, text_channels]`
    /// - class_labels: `[batch]`, the noise level of a super-resolution stage's conditioning; none means 0
    /// - output: `[batch, output_channels, size, size]`
    pub fn forward(
        &self,
        x: Tensor<4>,
        timestep: Tensor<1>,
        text: Tensor<3>,
        class_labels: Option<Tensor<1>>,
    ) -> Tensor<4> {
        self.forward_conditioned(x, timestep, &self.condition(text), class_labels)
    }

    /// Everything that depends on the text alone: once per prompt.
    ///
    /// # Shapes
    /// - text: `[batch, tokens, text_channels]`
    pub fn condition(&self, text: Tensor<3>) -> Conditioning {
        let pooled = self.add_embedding.as_ref().map(|pooling| pooling.forward(text.clone()));
        let text = match &self.encoder_hid_proj {
            Some(projection) => projection.forward(text),
            None => text,
        };
        let keys = |block: &Block| block.attentions.iter().map(|layer| layer.text_keys(text.clone())).collect();
        let blocks = self.down_blocks.iter().chain(&self.mid_block).chain(&self.up_blocks);
        Conditioning { pooled, keys: blocks.map(keys).collect() }
    }

    /// Predicts from a noisy picture and a text that [`UNet::condition`] has read.
    ///
    /// # Shapes
    /// - x: `[batch, input_channels, size, size]`, in pixels; the size a multiple of patch_size · 2^(levels - 1)
    /// - timestep: `[batch]`
    /// - class_labels: `[batch]`; none means 0
    /// - output: `[batch, output_channels, size, size]`
    pub fn forward_conditioned(
        &self,
        x: Tensor<4>,
        timestep: Tensor<1>,
        text: &Conditioning,
        class_labels: Option<Tensor<1>>,
    ) -> Tensor<4> {
        let options = &self.options.architecture;
        let time = self.embed(timestep, text, class_labels);
        let x = if options.center_input { x.mul_scalar(2.0).sub_scalar(1.0) } else { x };
        let x = convolve(&self.conv_in, self.unshuffle(x));
        let mut keys = text.keys.iter().map(Vec::as_slice);
        let mut skips = vec![x.clone()];
        let mut x = x;
        for block in &self.down_blocks {
            x = block.down(x, &time, keys.next().unwrap_or_default(), &mut skips);
        }
        if let Some(block) = &self.mid_block {
            x = block.mid(x, &time, keys.next().unwrap_or_default());
        }
        for block in &self.up_blocks {
            x = block.up(x, &time, keys.next().unwrap_or_default(), &mut skips);
        }
        let x = normalise(x, &self.conv_norm_out, None, Some(options.activation));
        self.shuffle(convolve(&self.conv_out, x))
    }

    /// The sum of all embeddings, `[batch, time_channels]`.
    fn embed(&self, timestep: Tensor<1>, text: &Conditioning, class_labels: Option<Tensor<1>>) -> Tensor<2> {
        let Options { sinusoids, architecture } = &self.options;
        let mut embedding = self.time_embedding.forward(sinusoids.forward(timestep));
        if let Some(layers) = &self.class_embedding {
            let [batch, _] = embedding.dims();
            let labels = class_labels.unwrap_or_else(|| Tensor::zeros([batch], &embedding.device()));
            embedding = embedding + layers.forward(sinusoids.forward(labels));
        }
        if let Some(pooled) = &text.pooled {
            embedding = embedding + pooled.clone();
        }
        match architecture.embedding_activation {
            Some(activation) => activation.forward(embedding),
            None => embedding,
        }
    }

    fn unshuffle(&self, x: Tensor<4>) -> Tensor<4> {
        match self.options.architecture.patch_size {
            1 => x,
            patch => PixelUnshuffleConfig::new(patch).init().forward(x),
        }
    }

    fn shuffle(&self, x: Tensor<4>) -> Tensor<4> {
        match self.options.architecture.patch_size {
            1 => x,
            patch => PixelShuffleConfig::new(patch).init().forward(x),
        }
    }
}
