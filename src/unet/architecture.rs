//! A configuration spelled out: every block of the U-Net with its channels, heads and options.
//!
//! The rules are those of diffusers' `UNet2DConditionModel`, its quirks included; the burn module and the GPU program
//! are both built from this, so neither interprets a configuration by itself.

use super::options;
use super::{UNetConfig, UNetError};

/// A U-Net's activation functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Relu,
    /// Also called swish.
    Silu,
    /// The exact form, with the error function.
    Gelu,
}

/// How a residual block changes the resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    None,
    /// 2×2 average pooling.
    Down,
    /// Nearest neighbour, twice the size.
    Up,
}

/// `ResnetBlock2D`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resnet {
    /// Channels that come from the block before.
    pub in_channels: usize,
    /// Channels of the skip connection, concatenated behind them; 0 without one.
    pub skip_channels: usize,
    pub out_channels: usize,
    pub time_channels: usize,
    pub groups: usize,
    pub eps: f64,
    pub activation: Activation,
    /// The time embedding scales and shifts the second norm, instead of being added before it.
    pub scale_shift: bool,
    /// The time embedding enters without an activation.
    pub skip_time_act: bool,
    /// Divisor of the residual sum.
    pub scale_factor: f64,
    pub resample: Resample,
}

/// Norm of the text before keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextNorm {
    None,
    /// 32 groups, over group and tokens.
    Group,
    Layer,
}

/// `Attention` with added keys and values for the text (`AttnAddedKVProcessor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    pub channels: usize,
    pub heads: usize,
    pub text_channels: usize,
    /// Groups of the image's norm.
    pub groups: usize,
    /// The image's own positions are not attended to.
    pub text_only: bool,
    pub text_norm: TextNorm,
}

/// A level of the way down or up, or the middle.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub resnets: Vec<Resnet>,
    /// One after each residual block (in the middle: between them); or none.
    pub attentions: Vec<Attention>,
    /// The residual block that halves or doubles the size at the end.
    pub resampler: Option<Resnet>,
}

/// The pooled text that is added to the time embedding (`TextTimeEmbedding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPooling {
    pub text_channels: usize,
    pub heads: usize,
}

/// A whole U-Net.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    pub patch_size: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub center_input: bool,
    /// Channels of the first level, and of the sinusoidal embedding.
    pub base_channels: usize,
    pub time_channels: usize,
    pub activation: Activation,
    /// After the time embedding's second layer.
    pub time_post_activation: Option<Activation>,
    /// Once, on the sum of all embeddings.
    pub embedding_activation: Option<Activation>,
    /// A second time embedding for the noise level.
    pub class_embedding: bool,
    pub text_pooling: Option<TextPooling>,
    /// The text's channels before and after its projection.
    pub text_projection: Option<(usize, usize)>,
    pub groups: usize,
    pub eps: f64,
    pub conv_in_kernel: usize,
    pub conv_out_kernel: usize,
    pub down: Vec<Block>,
    pub mid: Option<Block>,
    pub up: Vec<Block>,
}

impl Architecture {
    /// Spells a configuration out.
    ///
    /// # Errors
    /// As [`UNetConfig::validate`], which is this.
    pub fn new(config: &UNetConfig) -> Result<Self, UNetError> {
        options::check(config)?;
        let levels = config.block_out_channels.len();
        let plan = Levels::new(config, levels)?;
        let text = options::text(config)?;
        let head_dims = config.attention_head_dim.expand("attention_head_dim", levels)?;
        let mut down = Vec::with_capacity(levels);
        for (level, head_dim) in head_dims.iter().enumerate() {
            down.push(plan.down(level, *head_dim)?);
        }
        let mid = plan.mid(head_dims[levels - 1])?;
        let mut up = Vec::with_capacity(levels);
        for (position, level) in (0..levels).rev().enumerate() {
            // diffusers reverses every per-block option on the way up but this one.
            up.push(plan.up(level, head_dims[position])?);
        }
        Ok(Self {
            patch_size: config.patch_size,
            in_channels: config.in_channels,
            out_channels: config.out_channels,
            center_input: config.center_input_sample,
            base_channels: config.block_out_channels[0],
            time_channels: plan.time_channels,
            activation: plan.activation,
            time_post_activation: options::optional_activation("timestep_post_act", &config.timestep_post_act)?,
            embedding_activation: options::optional_activation("time_embedding_act_fn", &config.time_embedding_act_fn)?,
            class_embedding: config.class_embed_type.is_some(),
            text_pooling: text.pooling,
            text_projection: text.projection,
            groups: plan.groups,
            eps: f64::from(config.norm_eps),
            conv_in_kernel: config.conv_in_kernel,
            conv_out_kernel: config.conv_out_kernel,
            down,
            mid,
            up,
        })
    }

    /// By how much the unshuffled picture's sides must be divisible.
    pub fn granularity(&self) -> usize {
        1 << self.down.iter().filter(|block| block.resampler.is_some()).count()
    }
}

/// The per-level options, expanded.
struct Levels<'a> {
    config: &'a UNetConfig,
    time_channels: usize,
    activation: Activation,
    groups: usize,
    scale_shift: bool,
    layers: Vec<usize>,
    text_only: Vec<bool>,
    text_channels: usize,
    text_norm: TextNorm,
}

impl<'a> Levels<'a> {
    fn new(config: &'a UNetConfig, levels: usize) -> Result<Self, UNetError> {
        let groups = config.norm_num_groups.ok_or_else(|| UNetError::unsupported("norm_num_groups", "null"))?;
        Ok(Self {
            config,
            time_channels: config.time_embedding_dim.unwrap_or(config.block_out_channels[0] * 4),
            activation: options::activation("act_fn", &config.act_fn)?,
            groups,
            scale_shift: options::scale_shift(config)?,
            layers: config.layers_per_block.expand("layers_per_block", levels)?,
            text_only: config.only_cross_attention.expand("only_cross_attention", levels)?,
            text_channels: options::attention_text_channels(config, levels)?,
            text_norm: options::text_norm(config)?,
        })
    }

    fn resnet(&self, in_channels: usize, skip: usize, out: usize, resample: Resample) -> Result<Resnet, UNetError> {
        for channels in [in_channels + skip, out] {
            options::divides("norm_num_groups", self.groups, channels)?;
        }
        Ok(Resnet {
            in_channels,
            skip_channels: skip,
            out_channels: out,
            time_channels: self.time_channels,
            groups: self.groups,
            eps: f64::from(self.config.norm_eps),
            activation: self.activation,
            scale_shift: self.scale_shift,
            skip_time_act: self.config.resnet_skip_time_act,
            scale_factor: f64::from(self.config.resnet_out_scale_factor),
            resample,
        })
    }

    fn attention(&self, channels: usize, head_dim: usize, text_only: bool) -> Result<Attention, UNetError> {
        options::divides("attention_head_dim", head_dim, channels)?;
        match self.text_norm {
            TextNorm::Group => options::divides("cross_attention_norm", 32, self.text_channels)?,
            TextNorm::Layer if channels != self.text_channels => {
                let reason = format!("layer_norm needs cross_attention_dim = {channels}, the block's channels");
                return Err(UNetError::invalid("cross_attention_norm", reason));
            }
            _ => {}
        }
        Ok(Attention {
            channels,
            heads: channels / head_dim,
            text_channels: self.text_channels,
            groups: self.groups,
            text_only,
            text_norm: self.text_norm,
        })
    }

    fn down(&self, level: usize, head_dim: usize) -> Result<Block, UNetError> {
        let channels = &self.config.block_out_channels;
        let (from, out) = (channels[level.saturating_sub(1)], channels[level]);
        let cross = options::down_block_has_attention(&self.config.down_block_types[level])?;
        let mut block = Block { resnets: Vec::new(), attentions: Vec::new(), resampler: None };
        for layer in 0..self.layers[level] {
            block.resnets.push(self.resnet(if layer == 0 { from } else { out }, 0, out, Resample::None)?);
            if cross {
                block.attentions.push(self.attention(out, head_dim, self.text_only[level])?);
            }
        }
        if level + 1 < channels.len() {
            block.resampler = Some(self.resnet(out, 0, out, Resample::Down)?);
        }
        Ok(block)
    }

    fn mid(&self, head_dim: usize) -> Result<Option<Block>, UNetError> {
        let channels = self.config.block_out_channels[self.config.block_out_channels.len() - 1];
        let mut resnet = self.resnet(channels, 0, channels, Resample::None)?;
        resnet.scale_factor = f64::from(self.config.mid_block_scale_factor);
        let block = match self.config.mid_block_type.as_deref() {
            None => return Ok(None),
            Some("UNetMidBlock2DSimpleCrossAttn") => {
                let text_only = match (&self.config.only_cross_attention, self.config.mid_block_only_cross_attention) {
                    (_, Some(text_only)) => text_only,
                    (super::PerBlock::All(text_only), None) => *text_only,
                    (super::PerBlock::Each(_), None) => false,
                };
                let attention = self.attention(channels, head_dim, text_only)?;
                Block { resnets: vec![resnet; 2], attentions: vec![attention], resampler: None }
            }
            // diffusers builds it with one residual block and no attention, and without `resnet_skip_time_act`.
            Some("UNetMidBlock2D") => {
                resnet.skip_time_act = false;
                Block { resnets: vec![resnet], attentions: Vec::new(), resampler: None }
            }
            Some(other) => return Err(UNetError::unsupported("mid_block_type", other)),
        };
        Ok(Some(block))
    }

    fn up(&self, level: usize, head_dim: usize) -> Result<Block, UNetError> {
        let channels = &self.config.block_out_channels;
        let last = channels.len() - 1;
        let out = channels[level];
        let (before, skip) = (channels[(level + 1).min(last)], channels[level.saturating_sub(1)]);
        let cross = options::up_block_has_attention(&self.config.up_block_types[last - level])?;
        let layers = self.layers[level] + 1;
        let mut block = Block { resnets: Vec::new(), attentions: Vec::new(), resampler: None };
        for layer in 0..layers {
            let from = if layer == 0 { before } else { out };
            let skip = if layer + 1 == layers { skip } else { out };
            block.resnets.push(self.resnet(from, skip, out, Resample::None)?);
            if cross {
                block.attentions.push(self.attention(out, head_dim, self.text_only[level])?);
            }
        }
        if level > 0 {
            block.resampler = Some(self.resnet(out, 0, out, Resample::Up)?);
        }
        Ok(block)
    }
}
