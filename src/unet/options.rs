//! Reading single options of a configuration: which values are supported, which contradict each other.

use super::architecture::{Activation, TextNorm, TextPooling};
use super::{PerBlock, UNetConfig, UNetError};
use serde_json::Value;

/// Bounds that no real U-Net reaches: a configuration beyond them is a broken or hostile file.
const MAX_LEVELS: usize = 10;
const MAX_LAYERS: usize = 64;
const MAX_CHANNELS: usize = 1 << 16;
const MAX_KERNEL: usize = 15;
const MAX_PATCH: usize = 32;

/// Checks everything that does not depend on the level.
pub(super) fn check(config: &UNetConfig) -> Result<(), UNetError> {
    unknown(config)?;
    let levels = config.block_out_channels.len();
    if levels == 0 || levels > MAX_LEVELS {
        return Err(UNetError::invalid("block_out_channels", format!("{levels} levels, expected 1 to {MAX_LEVELS}")));
    }
    for (option, types) in [("down_block_types", &config.down_block_types), ("up_block_types", &config.up_block_types)]
    {
        if types.len() != levels {
            let reason = format!("it lists {} blocks for {levels} block_out_channels", types.len());
            return Err(UNetError::invalid(option, reason));
        }
    }
    let sizes = config.block_out_channels.iter().map(|channels| ("block_out_channels", *channels));
    let sizes = sizes.chain([
        ("in_channels", config.in_channels),
        ("out_channels", config.out_channels),
        ("norm_num_groups", config.norm_num_groups.unwrap_or(1)),
        ("time_embedding_dim", config.time_embedding_dim.unwrap_or(1)),
        ("encoder_hid_dim", config.encoder_hid_dim.unwrap_or(1)),
        ("addition_embed_type_num_heads", config.addition_embed_type_num_heads),
    ]);
    for (option, size) in sizes {
        in_range(option, size, MAX_CHANNELS)?;
    }
    for layers in config.layers_per_block.expand("layers_per_block", levels)? {
        in_range("layers_per_block", layers, MAX_LAYERS)?;
    }
    in_range("patch_size", config.patch_size, MAX_PATCH)?;
    let area = config.patch_size * config.patch_size;
    if !config.in_channels.is_multiple_of(area) || !config.out_channels.is_multiple_of(area) {
        let reason = format!("in_channels and out_channels must be multiples of its square, {area}");
        return Err(UNetError::invalid("patch_size", reason));
    }
    for (option, kernel) in [("conv_in_kernel", config.conv_in_kernel), ("conv_out_kernel", config.conv_out_kernel)] {
        in_range(option, kernel, MAX_KERNEL)?;
        if kernel.is_multiple_of(2) {
            return Err(UNetError::invalid(option, "an even kernel would change the picture's size"));
        }
    }
    for (option, factor) in [
        ("resnet_out_scale_factor", config.resnet_out_scale_factor),
        ("mid_block_scale_factor", config.mid_block_scale_factor),
        ("norm_eps", config.norm_eps),
    ] {
        if !factor.is_finite() || factor <= 0.0 {
            return Err(UNetError::invalid(option, format!("{factor} is not a positive number")));
        }
    }
    if config.block_out_channels[0].is_multiple_of(2) && config.freq_shift * 2.0 == config.block_out_channels[0] as f32
    {
        return Err(UNetError::invalid("freq_shift", "it equals the number of frequencies"));
    }
    match config.class_embed_type.as_deref() {
        None | Some("timestep") => Ok(()),
        Some(other) => Err(UNetError::unsupported("class_embed_type", other)),
    }
}

/// Options that diffusers has and this does not: fine at the default, else an error with its name.
fn unknown(config: &UNetConfig) -> Result<(), UNetError> {
    for (option, value) in &config.other {
        let fine = match (option.as_str(), value) {
            ("_class_name", value) => value == "UNet2DConditionModel",
            (option, _) if option.starts_with('_') => true,
            // Only a plain convolution's padding; the residual blocks that resample here pool.
            ("downsample_padding", _) => true,
            // Only of transformer blocks, which are refused by their names.
            ("transformer_layers_per_block" | "reverse_transformer_layers_per_block" | "use_linear_projection", _) => {
                true
            }
            ("attention_type", value) => value == "default",
            ("time_embedding_type", value) => value == "positional",
            (_, value) => matches!(value, Value::Null | Value::Bool(false)),
        };
        if !fine {
            return Err(UNetError::unsupported(option, value));
        }
    }
    Ok(())
}

fn in_range(option: &str, value: usize, most: usize) -> Result<(), UNetError> {
    if value == 0 || value > most {
        return Err(UNetError::invalid(option, format!("{value} is not in 1..={most}")));
    }
    Ok(())
}

/// Checks that `channels` can be split into groups or heads of `part`.
pub(super) fn divides(option: &str, part: usize, channels: usize) -> Result<(), UNetError> {
    if part == 0 || !channels.is_multiple_of(part) {
        return Err(UNetError::invalid(option, format!("{part} does not divide {channels} channels")));
    }
    Ok(())
}

pub(super) fn activation(option: &str, name: &str) -> Result<Activation, UNetError> {
    match name.to_lowercase().as_str() {
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        _ => Err(UNetError::unsupported(option, name)),
    }
}

pub(super) fn optional_activation(option: &str, name: &Option<String>) -> Result<Option<Activation>, UNetError> {
    name.as_deref().map(|name| activation(option, name)).transpose()
}

pub(super) fn scale_shift(config: &UNetConfig) -> Result<bool, UNetError> {
    match config.resnet_time_scale_shift.as_str() {
        "default" => Ok(false),
        "scale_shift" => Ok(true),
        other => Err(UNetError::unsupported("resnet_time_scale_shift", other)),
    }
}

pub(super) fn text_norm(config: &UNetConfig) -> Result<TextNorm, UNetError> {
    match config.cross_attention_norm.as_deref() {
        None => Ok(TextNorm::None),
        Some("group_norm") => Ok(TextNorm::Group),
        Some("layer_norm") => Ok(TextNorm::Layer),
        Some(other) => Err(UNetError::unsupported("cross_attention_norm", other)),
    }
}

/// The one width of the text that all attention layers see.
pub(super) fn attention_text_channels(config: &UNetConfig, levels: usize) -> Result<usize, UNetError> {
    let widths = config.cross_attention_dim.expand("cross_attention_dim", levels)?;
    let first = widths[0];
    in_range("cross_attention_dim", first, MAX_CHANNELS)?;
    if widths.iter().any(|width| *width != first) {
        return Err(UNetError::unsupported("cross_attention_dim", format!("{widths:?} (one width for all blocks is)")));
    }
    Ok(first)
}

/// What happens to the text before the attention layers.
pub(super) struct Text {
    pub projection: Option<(usize, usize)>,
    pub pooling: Option<TextPooling>,
}

pub(super) fn text(config: &UNetConfig) -> Result<Text, UNetError> {
    let seen = attention_text_channels(config, config.block_out_channels.len())?;
    let projection = match (config.encoder_hid_dim_type.as_deref(), config.encoder_hid_dim) {
        (None, None) => None,
        // diffusers: the projection's type defaults to `text_proj` once its width is given.
        (None | Some("text_proj"), Some(width)) => Some((width, seen)),
        (Some("text_proj"), None) => {
            return Err(UNetError::invalid("encoder_hid_dim", "encoder_hid_dim_type text_proj needs it"));
        }
        (Some(other), _) => return Err(UNetError::unsupported("encoder_hid_dim_type", other)),
    };
    if projection.is_some() && matches!(config.cross_attention_dim, PerBlock::Each(_)) {
        return Err(UNetError::unsupported("cross_attention_dim", "a list, with a text projection"));
    }
    let text_channels = projection.map_or(seen, |(width, _)| width);
    let pooling = match config.addition_embed_type.as_deref() {
        None => None,
        Some("text") => {
            let heads = config.addition_embed_type_num_heads;
            divides("addition_embed_type_num_heads", heads, text_channels)?;
            Some(TextPooling { text_channels, heads })
        }
        Some(other) => return Err(UNetError::unsupported("addition_embed_type", other)),
    };
    Ok(Text { projection, pooling })
}

pub(super) fn down_block_has_attention(name: &str) -> Result<bool, UNetError> {
    match name.strip_prefix("UNetRes").unwrap_or(name) {
        "ResnetDownsampleBlock2D" => Ok(false),
        "SimpleCrossAttnDownBlock2D" => Ok(true),
        _ => Err(UNetError::unsupported("down_block_types", name)),
    }
}

pub(super) fn up_block_has_attention(name: &str) -> Result<bool, UNetError> {
    match name.strip_prefix("UNetRes").unwrap_or(name) {
        "ResnetUpsampleBlock2D" => Ok(false),
        "SimpleCrossAttnUpBlock2D" => Ok(true),
        _ => Err(UNetError::unsupported("up_block_types", name)),
    }
}
