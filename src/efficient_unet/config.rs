//! The configuration: the arguments of imagen-pytorch's `Unet`.
//!
//! Options keep the package's names, meanings and defaults. What its defaults and its presets `BaseUnet64`, `SRUnet256` and
//! `SRUnet1024` use is supported, and so is what follows from the same code; anything else is an error that names it.

use super::architecture::Architecture;
use crate::unet::{PerBlock, UNetError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Options that have no effect on what the network computes, with all that it supports.
const WITHOUT_EFFECT: [&str; 6] = [
    "num_image_tokens",
    "layer_attns_add_text_cond",
    "dropout",
    "init_conv_kernel_size",
    "cross_embed_downsample_kernel_sizes",
    "resize_mode",
];
/// Options that are supported at one value only, the package's default.
const FIXED: [(&str, Value); 8] = [
    ("init_cross_embed", Value::Bool(true)),
    ("use_linear_attn", Value::Bool(false)),
    ("use_linear_cross_attn", Value::Bool(false)),
    ("cross_embed_downsample", Value::Bool(false)),
    ("self_cond", Value::Bool(false)),
    ("combine_upsample_fmaps", Value::Bool(false)),
    ("init_conv_to_final_conv_residual", Value::Bool(false)),
    ("pixel_shuffle_upsample", Value::Bool(true)),
];

/// A network's options. Missing ones take the package's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EfficientUNetConfig {
    /// Channels that everything else is a multiple of.
    pub dim: usize,
    /// Channels of a text embedding; T5 base's where it is not told.
    pub text_embed_dim: Option<usize>,
    /// Residual blocks of a level, beside the one that every level begins with.
    pub num_resnet_blocks: PerBlock<usize>,
    /// Channels of the conditioning's tokens; `dim` where it is not told.
    pub cond_dim: Option<usize>,
    pub num_time_tokens: usize,
    pub learned_sinu_pos_emb_dim: usize,
    /// Channels of a level as multiples of `dim`.
    pub dim_mults: Vec<usize>,
    pub channels: usize,
    pub channels_out: Option<usize>,
    pub attn_dim_head: usize,
    pub attn_heads: usize,
    /// Hidden channels of a feed-forward layer in attention blocks, as a multiple.
    pub ff_mult: f64,
    /// Takes a low-resolution picture, and is told how noisy it was made.
    pub lowres_cond: bool,
    /// Attention blocks at the end of a level.
    pub layer_attns: PerBlock<bool>,
    pub layer_attns_depth: PerBlock<usize>,
    pub layer_mid_attns_depth: usize,
    pub attend_at_middle: bool,
    /// Attention to the conditioning's tokens in a level's first residual block.
    pub layer_cross_attns: PerBlock<bool>,
    pub cond_on_text: bool,
    /// Tokens to which every text is cut or filled up with `null_text_embed`.
    pub max_text_len: usize,
    /// Channels after the first convolution; `dim` where it is not told.
    pub init_dim: Option<usize>,
    pub init_cross_embed_kernel_sizes: Vec<usize>,
    /// Brings a text to a few tokens.
    pub attn_pool_text: bool,
    pub attn_pool_num_latents: usize,
    /// The Efficient U-Net's order: a level changes the size first.
    pub memory_efficient: bool,
    pub use_global_context_attn: bool,
    /// Skip connections times 1/√2.
    pub scale_skip_connection: bool,
    pub final_resnet_block: bool,
    pub final_conv_kernel_size: usize,
    /// Every other option, kept so that [`EfficientUNetConfig::validate`] can name what is not supported.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Default for EfficientUNetConfig {
    fn default() -> Self {
        Self {
            // The package has no default; 0 is refused.
            dim: 0,
            text_embed_dim: None,
            num_resnet_blocks: PerBlock::All(1),
            cond_dim: None,
            num_time_tokens: 2,
            learned_sinu_pos_emb_dim: 16,
            dim_mults: vec![1, 2, 4, 8],
            channels: 3,
            channels_out: None,
            attn_dim_head: 64,
            attn_heads: 8,
            ff_mult: 2.0,
            lowres_cond: false,
            layer_attns: PerBlock::All(true),
            layer_attns_depth: PerBlock::All(1),
            layer_mid_attns_depth: 1,
            attend_at_middle: true,
            layer_cross_attns: PerBlock::All(true),
            cond_on_text: true,
            max_text_len: 256,
            init_dim: None,
            init_cross_embed_kernel_sizes: vec![3, 7, 15],
            attn_pool_text: true,
            attn_pool_num_latents: 32,
            memory_efficient: false,
            use_global_context_attn: true,
            scale_skip_connection: true,
            final_resnet_block: true,
            final_conv_kernel_size: 3,
            other: BTreeMap::new(),
        }
    }
}

impl EfficientUNetConfig {
    /// Reads a configuration and checks it.
    ///
    /// # Errors
    /// Text that is no such configuration, and everything of [`EfficientUNetConfig::validate`].
    pub fn from_json(text: &str) -> Result<Self, UNetError> {
        let config: Self = serde_json::from_str(text).map_err(|error| UNetError::Malformed(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that every option is supported and that they agree with each other.
    ///
    /// # Errors
    /// [`UNetError::Unsupported`] names an option whose value is not implemented, [`UNetError::Invalid`] one that
    /// contradicts another.
    pub fn validate(&self) -> Result<(), UNetError> {
        Architecture::new(self).map(|_| ())
    }

    /// Channels of the input picture, the low-resolution one's included.
    pub fn input_channels(&self) -> usize {
        self.channels * (1 + usize::from(self.lowres_cond))
    }

    /// Channels of a text embedding; none for a network without text.
    pub fn text_channels(&self) -> Option<usize> {
        self.cond_on_text.then(|| self.text_embed_dim.unwrap_or(768))
    }

    /// Refuses the options that are kept aside.
    pub(super) fn check_other(&self) -> Result<(), UNetError> {
        for (option, value) in &self.other {
            if WITHOUT_EFFECT.contains(&option.as_str()) || option == "cond_images_channels" && value == 0 {
                continue;
            }
            let known = FIXED.iter().find(|(name, _)| name == option);
            // A value per level serves where all are the same.
            let each = value.as_array().filter(|values| !values.is_empty());
            let same = |fixed: &Value| match each {
                Some(values) => values.iter().all(|value| value == fixed),
                None => value == fixed,
            };
            if !known.is_some_and(|(_, fixed)| same(fixed)) {
                return Err(UNetError::unsupported(option, value));
            }
        }
        Ok(())
    }
}
