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
        TextNorm::Layer => (b.layer_norm(text, &weight, Some(&bias), TEXT_NORM_EPS as f32)?, None),
        TextNorm::Group => {
            let (groups, eps) = (TEXT_NORM_GROUPS as u32, TEXT_NORM_EPS as f32);
            let norm = GroupNorm { groups, eps, weight: &weight, bias: &bias, scale_shift: None };
            let affine = b.group_norm(text, None, norm)?;
            (text, Some(Norm { affine, activation: Activation::None }))
        }
    };
    let projected = project(b, names, &["add_k_proj", "add_v_proj"], text, norm)?;
    Ok(TextKeys { keys: projected[0], values: projected[1] })
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
    // Query and, unless the layer sees the text alone, the image's own keys and values.
    let layers: &[&str] = if options.text_only { &["to_q"] } else { &["to_q", "to_k", "to_v"] };
    let projected = project(b, names, layers, x, norm)?;
    let mut keys = vec![(text.keys, text.values)];
    if let [_, own_keys, own_values] = projected[..] {
        keys.push((own_keys, own_values));
    }
    let head_dim = (options.channels / options.heads) as f32;
    let attention = kernels::Attention {
        keys: &keys,
        heads: options.heads as u32,
        scale: 1.0 / head_dim.sqrt(),
        bias: None,
        mask: None,
    };
    let attended = b.attention(projected[0], attention)?;
    let out = names.child("to_out.0");
    b.linear(attended, Linear { bias: Some(&out.of("bias")), residual: Some(x), ..Linear::new(&out.of("weight")) })
}

/// Layers of one input, in one dispatch if possible.
fn project(
    b: &mut PlanBuilder,
    names: &Names,
    layers: &[&str],
    x: Tensor,
    norm: Option<Norm>,
) -> Result<Vec<Tensor>, GpuError> {
    let named: Vec<(String, String)> =
        layers.iter().map(|layer| names.child(layer)).map(|layer| (layer.of("weight"), layer.of("bias"))).collect();
    let layers: Vec<Linear<'_>> =
        named.iter().map(|(weight, bias)| Linear { bias: Some(bias), norm, ..Linear::new(weight) }).collect();
    b.linears(x, &layers)
}
