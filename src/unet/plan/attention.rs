//! Attention over the text and, unless it sees the text alone, the image itself.

use super::names::Names;
use crate::gpu::GpuError;
use crate::gpu::kernels::{self, Activation, GroupNorm, Linear, Norm};
use crate::gpu::plan::{PlanBuilder, Tensor};
use crate::unet::architecture::{Attention, TextNorm};
use crate::unet::attention::{IMAGE_NORM_EPS, TEXT_NORM_EPS, TEXT_NORM_GROUPS};

/// Keys and values of the text for one layer, `[B, tokens, channels]`.
#[derive(Clone, Copy)]
pub(super) struct TextKeys {
    keys: Tensor,
    values: Tensor,
}

/// Keys and values of a text, phase "prompt".
pub(super) fn text_keys(
    b: &mut PlanBuilder,
    names: &Names,
    options: &Attention,
    text: Tensor,
) -> Result<TextKeys, GpuError> {
    let cross = names.child("norm_cross");
    let (weight, bias) = (cross.of("weight"), cross.of("bias"));
    let (text, norm) = match options.text_norm {
        TextNorm::None => (text, None),
        TextNorm::Layer => (b.layer_norm(text, &weight, &bias, TEXT_NORM_EPS as f32)?, None),
        TextNorm::Group => {
            let (groups, eps) = (TEXT_NORM_GROUPS as u32, TEXT_NORM_EPS as f32);
            let norm = GroupNorm { groups, eps, weight: &weight, bias: &bias, scale_shift: None };
            let affine = b.group_norm(text, None, norm)?;
            (text, Some(Norm { affine, activation: Activation::None }))
        }
    };
    Ok(TextKeys {
        keys: project(b, &names.child("add_k_proj"), text, norm, None)?,
        values: project(b, &names.child("add_v_proj"), text, norm, None)?,
    })
}

/// `x + to_out(attention(norm(x)))`
pub(super) fn record(
    b: &mut PlanBuilder,
    names: &Names,
    options: &Attention,
    x: Tensor,
    text: TextKeys,
) -> Result<Tensor, GpuError> {
    let group_norm = names.child("group_norm");
    let affine = b.group_norm(
        x,
        None,
        GroupNorm {
            groups: options.groups as u32,
            eps: IMAGE_NORM_EPS as f32,
            weight: &group_norm.of("weight"),
            bias: &group_norm.of("bias"),
            scale_shift: None,
        },
    )?;
    let norm = Some(Norm { affine, activation: Activation::None });
    let query = project(b, &names.child("to_q"), x, norm, None)?;
    let mut keys = vec![(text.keys, text.values)];
    if !options.text_only {
        keys.push((project(b, &names.child("to_k"), x, norm, None)?, project(b, &names.child("to_v"), x, norm, None)?));
    }
    let head_dim = (options.channels / options.heads) as f32;
    let attention = kernels::Attention {
        keys: &keys,
        heads: options.heads as u32,
        scale: 1.0 / head_dim.sqrt(),
        bias: None,
        mask: None,
    };
    let attended = b.attention(query, attention)?;
    project(b, &names.child("to_out.0"), attended, None, Some(x))
}

fn project(
    b: &mut PlanBuilder,
    names: &Names,
    x: Tensor,
    norm: Option<Norm>,
    residual: Option<Tensor>,
) -> Result<Tensor, GpuError> {
    b.linear(x, Linear { bias: Some(&names.of("bias")), norm, residual, ..Linear::new(&names.of("weight")) })
}
