//! The configuration of a U-Net: diffusers' `config.json` of `UNet2DConditionModel`, plus `patch_size`.
//!
//! Options keep diffusers' names, meanings and defaults. What DeepFloyd IF uses is supported; anything else at
//! another value than diffusers' default is an error that names it ([`UNetConfig::validate`]).

use super::{UNetError, architecture::Architecture};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One value for all blocks, or one per block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerBlock<T> {
    All(T),
    Each(Vec<T>),
}

impl<T: Clone> PerBlock<T> {
    /// The value of each of `blocks` blocks, counted from the input.
    pub(crate) fn expand(&self, option: &str, blocks: usize) -> Result<Vec<T>, UNetError> {
        match self {
            Self::All(value) => Ok(vec![value.clone(); blocks]),
            Self::Each(values) if values.len() == blocks => Ok(values.clone()),
            Self::Each(values) => {
                Err(UNetError::invalid(option, format!("it lists {} values for {blocks} blocks", values.len())))
            }
        }
    }
}

/// A U-Net's options. Missing ones take diffusers' defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UNetConfig {
    /// Pixels of a patch's side: the picture enters pixel-unshuffled (channel order c·p² + i·p + j) and leaves
    /// shuffled back. Not an option of diffusers; 1 there.
    pub patch_size: usize,
    /// Channels of the unshuffled input: picture channels × patch_size².
    pub in_channels: usize,
    /// Channels of the output before the shuffle. Twice the picture's when the variance is learned.
    pub out_channels: usize,
    /// Maps an input in [0, 1] to [-1, 1].
    pub center_input_sample: bool,
    /// Order of the sinusoidal embedding: cosines first.
    pub flip_sin_to_cos: bool,
    /// Shift of the embedding's frequencies.
    pub freq_shift: f32,
    pub down_block_types: Vec<String>,
    pub mid_block_type: Option<String>,
    pub up_block_types: Vec<String>,
    /// Attention over the text alone, without the image's own positions.
    pub only_cross_attention: PerBlock<bool>,
    pub mid_block_only_cross_attention: Option<bool>,
    pub block_out_channels: Vec<usize>,
    pub layers_per_block: PerBlock<usize>,
    /// Divisor of the mid block's residual sums.
    pub mid_block_scale_factor: f32,
    pub act_fn: String,
    pub norm_num_groups: Option<usize>,
    pub norm_eps: f32,
    /// Channels of the text as the attention layers see it.
    pub cross_attention_dim: PerBlock<usize>,
    /// Norm of the text before an attention layer's keys and values: `null`, `group_norm` or `layer_norm`.
    pub cross_attention_norm: Option<String>,
    /// Channels of the text encoder's output, when a projection to `cross_attention_dim` follows.
    pub encoder_hid_dim: Option<usize>,
    pub encoder_hid_dim_type: Option<String>,
    /// Channels of one attention head.
    pub attention_head_dim: PerBlock<usize>,
    /// `timestep`: a second time embedding, which carries the conditioning's noise level.
    pub class_embed_type: Option<String>,
    /// `text`: the text, pooled by attention, is added to the time embedding.
    pub addition_embed_type: Option<String>,
    pub addition_embed_type_num_heads: usize,
    /// How the time embedding enters a residual block: `default` (added) or `scale_shift`.
    pub resnet_time_scale_shift: String,
    /// Skips the activation before a residual block's time projection.
    pub resnet_skip_time_act: bool,
    /// Divisor of the residual sums.
    pub resnet_out_scale_factor: f32,
    pub time_embedding_dim: Option<usize>,
    pub time_embedding_act_fn: Option<String>,
    pub timestep_post_act: Option<String>,
    pub conv_in_kernel: usize,
    pub conv_out_kernel: usize,
    /// Side of the unshuffled input during training. Informative: other sizes run too.
    pub sample_size: Option<Value>,
    /// Training only: no effect on a prediction.
    pub dropout: f32,
    /// Every other option, kept so that [`UNetConfig::validate`] can name what is not supported.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Default for UNetConfig {
    fn default() -> Self {
        let names = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        let cross = "CrossAttnDownBlock2D";
        let cross_up = "CrossAttnUpBlock2D";
        Self {
            patch_size: 1,
            in_channels: 4,
            out_channels: 4,
            center_input_sample: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            down_block_types: names([cross, cross, cross, "DownBlock2D"]),
            mid_block_type: Some("UNetMidBlock2DCrossAttn".to_owned()),
            up_block_types: names(["UpBlock2D", cross_up, cross_up, cross_up]),
            only_cross_attention: PerBlock::All(false),
            mid_block_only_cross_attention: None,
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerBlock::All(2),
            mid_block_scale_factor: 1.0,
            act_fn: "silu".to_owned(),
            norm_num_groups: Some(32),
            norm_eps: 1e-5,
            cross_attention_dim: PerBlock::All(1280),
            cross_attention_norm: None,
            encoder_hid_dim: None,
            encoder_hid_dim_type: None,
            attention_head_dim: PerBlock::All(8),
            class_embed_type: None,
            addition_embed_type: None,
            addition_embed_type_num_heads: 64,
            resnet_time_scale_shift: "default".to_owned(),
            resnet_skip_time_act: false,
            resnet_out_scale_factor: 1.0,
            time_embedding_dim: None,
            time_embedding_act_fn: None,
            timestep_post_act: None,
            conv_in_kernel: 3,
            conv_out_kernel: 3,
            sample_size: None,
            dropout: 0.0,
            other: BTreeMap::new(),
        }
    }
}

impl UNetConfig {
    /// Reads `config.json` and checks it.
    ///
    /// # Errors
    /// Text that is no such configuration, and everything of [`UNetConfig::validate`].
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

    /// Channels of the input picture, the conditioning's included: 3, or 6 with a low-resolution picture.
    pub fn input_channels(&self) -> usize {
        self.in_channels / self.patch_size.saturating_mul(self.patch_size).max(1)
    }

    /// Channels of the predicted picture: 3, or 6 with a learned variance.
    pub fn output_channels(&self) -> usize {
        self.out_channels / self.patch_size.saturating_mul(self.patch_size).max(1)
    }

    /// Channels of the text that goes in.
    pub fn text_channels(&self) -> Option<usize> {
        match (&self.encoder_hid_dim, &self.cross_attention_dim) {
            (Some(channels), _) => Some(*channels),
            (None, PerBlock::All(channels)) => Some(*channels),
            (None, PerBlock::Each(channels)) => channels.first().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn stage_one() -> Value {
        serde_json::json!({
            "_class_name": "UNet2DConditionModel", "in_channels": 3, "out_channels": 6, "act_fn": "gelu",
            "down_block_types": ["ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"],
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
            "up_block_types": ["SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"],
            "block_out_channels": [64, 128], "layers_per_block": [1, 2], "norm_num_groups": 32,
            "attention_head_dim": 64, "cross_attention_dim": 128, "cross_attention_norm": "group_norm",
            "encoder_hid_dim": 512, "addition_embed_type": "text", "addition_embed_type_num_heads": 8,
            "resnet_time_scale_shift": "scale_shift", "upcast_attention": false, "num_class_embeds": null
        })
    }

    fn parse(change: impl FnOnce(&mut Value)) -> Result<UNetConfig, UNetError> {
        let mut value = stage_one();
        change(&mut value);
        UNetConfig::from_json(&value.to_string())
    }

    #[test]
    fn reads_a_stage_one_configuration() {
        let config = parse(|_| ()).unwrap();
        assert_eq!((config.input_channels(), config.output_channels(), config.text_channels()), (3, 6, Some(512)));
        let again: UNetConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(config, again);
    }

    #[test]
    fn names_what_is_not_supported() {
        for (option, value) in [
            ("class_embeddings_concat", serde_json::json!(true)),
            ("dual_cross_attention", serde_json::json!(true)),
            ("time_embedding_type", serde_json::json!("fourier")),
            ("attention_type", serde_json::json!("gated")),
            ("class_embed_type", serde_json::json!("projection")),
            ("addition_embed_type", serde_json::json!("text_time")),
            ("encoder_hid_dim_type", serde_json::json!("image_proj")),
            ("num_class_embeds", serde_json::json!(10)),
            ("mid_block_type", serde_json::json!("UNetMidBlock2DCrossAttn")),
            ("resnet_time_scale_shift", serde_json::json!("spatial")),
            ("act_fn", serde_json::json!("geglu")),
            ("norm_num_groups", Value::Null),
            ("an_option_of_tomorrow", serde_json::json!("on")),
        ] {
            match parse(|config| config[option] = value.clone()) {
                Err(UNetError::Unsupported { option: named, .. }) => assert_eq!(named, option),
                other => panic!("{option}: {other:?}"),
            }
        }
    }

    #[test]
    fn names_what_is_contradictory() {
        for (option, value) in [
            ("up_block_types", serde_json::json!(["ResnetUpsampleBlock2D"])),
            ("norm_num_groups", serde_json::json!(7)),
            ("layers_per_block", serde_json::json!([1, 2, 3])),
            ("attention_head_dim", serde_json::json!(48)),
            ("attention_head_dim", serde_json::json!(0)),
            ("patch_size", serde_json::json!(2)),
            ("patch_size", serde_json::json!(0)),
            ("conv_in_kernel", serde_json::json!(4)),
            ("resnet_out_scale_factor", serde_json::json!(0.0)),
        ] {
            match parse(|config| config[option] = value.clone()) {
                Err(UNetError::Invalid { option: named, .. }) => assert_eq!(named, option),
                other => panic!("{option}: {other:?}"),
            }
        }
    }
}
