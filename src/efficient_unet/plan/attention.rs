//! Attention by cosines. The queries' lengths are divided out by the norm of root mean squares, which leaves a factor of
//! 1/√width that the scores' factor takes along.

use super::Network;
use crate::efficient_unet::architecture::{Heads, Transformer};
use crate::efficient_unet::attention::SCALE;
use crate::efficient_unet::feed_forward::NORM_EPS;
use crate::gpu::GpuError;
use crate::gpu::kernels::{Activation, Attention, CosineKeys, Linear};
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};

/// In place of the least length that queries are divided by.
const LEAST_SQUARE: f32 = 1e-30;

impl Network {
    /// `x + CrossAttention(x, tokens)`
    pub(super) fn cross_attention(
        &self,
        b: &mut PlanBuilder,
        name: &str,
        heads: Heads,
        x: Tensor,
    ) -> Result<Tensor, GpuError> {
        let of = |part: &str| format!("{name}.{part}");
        let normed = norm(b, &of("norm"), x)?;
        let query = b.linear(normed, Linear::new(&of("to_q.weight")))?;
        let context = b.linear(self.tokens, Linear::new(&of("to_kv.weight")))?;
        let source = CosineKeys {
            null_kv: &of("null_kv"),
            tokens: &[context],
            k_scale: &of("k_scale"),
            heads: heads.count as u32,
        };
        let keys = b.cosine_keys(source)?;
        let attended = attend(b, &of("q_scale"), heads, heads.count as u32, query, keys)?;
        to_out(b, name, attended, x)
    }

    pub(super) fn transformer(
        &self,
        b: &mut PlanBuilder,
        name: &str,
        options: &Transformer,
        mut x: Tensor,
    ) -> Result<Tensor, GpuError> {
        for layer in 0..options.depth {
            x = self.attention(b, &format!("{name}.layers.{layer}.attn"), options, x)?;
            x = feed_forward(b, &format!("{name}.layers.{layer}.ff"), x)?;
        }
        Ok(x)
    }

    /// `x + Attention(x)`, whose heads share keys and values.
    fn attention(&self, b: &mut PlanBuilder, name: &str, options: &Transformer, x: Tensor) -> Result<Tensor, GpuError> {
        let of = |part: &str| format!("{name}.{part}");
        let normed = norm(b, &of("norm"), x)?;
        let query = b.linear(normed, Linear::new(&of("to_q.weight")))?;
        let mut tokens = Vec::new();
        if options.context_dim.is_some() {
            let (weight, bias) = (of("to_context.norm.weight"), of("to_context.norm.bias"));
            let context = b.layer_norm(self.tokens, &weight, Some(&bias), NORM_EPS as f32)?;
            let (weight, bias) = (of("to_context.linear.weight"), of("to_context.linear.bias"));
            tokens.push(b.linear(context, Linear { bias: Some(&bias), ..Linear::new(&weight) })?);
        }
        tokens.push(b.linear(normed, Linear::new(&of("to_kv.weight")))?);
        let source = CosineKeys { null_kv: &of("null_kv"), tokens: &tokens, k_scale: &of("k_scale"), heads: 1 };
        let keys = b.cosine_keys(source)?;
        let attended = attend(b, &of("q_scale"), options.heads, 1, query, keys)?;
        to_out(b, name, attended, x)
    }
}

/// Attention of `[n, h, w, heads·width]` queries. Where keys have one head for all, the queries' heads are further tokens.
fn attend(
    b: &mut PlanBuilder,
    q_scale: &str,
    heads: Heads,
    key_heads: u32,
    query: Tensor,
    keys: (Tensor, Tensor),
) -> Result<Tensor, GpuError> {
    let view = |tensor: Tensor, shape: Shape| {
        let failed = || GpuError::shape("efficient_unet", format!("{:?} is not {shape:?}", tensor.shape));
        tensor.view(shape).ok_or_else(failed)
    };
    let (count, width) = (heads.count as u32, heads.dim as u32);
    let Shape { batch, .. } = query.shape;
    let each = Shape::tokens(batch, query.shape.positions() * count, width);
    let normed = b.rms_norm(view(query, each)?, q_scale, LEAST_SQUARE)?;
    let shape = Shape::tokens(batch, query.shape.positions() * count / key_heads, width * key_heads);
    let attention = Attention {
        keys: &[keys],
        heads: key_heads,
        scale: SCALE as f32 / (width as f32).sqrt(),
        bias: None,
        mask: None,
    };
    let attended = b.attention(view(normed, shape)?, attention)?;
    view(attended, query.shape)
}

/// `x + norm(linear(attended))`
fn to_out(b: &mut PlanBuilder, name: &str, attended: Tensor, x: Tensor) -> Result<Tensor, GpuError> {
    let projected = b.linear(attended, Linear::new(&format!("{name}.to_out.linear.weight")))?;
    let normed = norm(b, &format!("{name}.to_out.norm"), projected)?;
    b.plus(normed, x)
}

fn feed_forward(b: &mut PlanBuilder, name: &str, x: Tensor) -> Result<Tensor, GpuError> {
    let of = |part: &str| format!("{name}.{part}");
    let hidden = norm(b, &of("norm_1"), x)?;
    let hidden = b.linear(hidden, Linear { activation: Activation::Gelu, ..Linear::new(&of("linear_1.weight")) })?;
    let hidden = norm(b, &of("norm_2"), hidden)?;
    b.linear(hidden, Linear { residual: Some(x), ..Linear::new(&of("linear_2.weight")) })
}

/// A layer norm without a bias.
fn norm(b: &mut PlanBuilder, name: &str, x: Tensor) -> Result<Tensor, GpuError> {
    b.layer_norm(x, &format!("{name}.weight"), None, NORM_EPS as f32)
}
