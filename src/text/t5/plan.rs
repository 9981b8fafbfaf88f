//! The T5 encoder as a GPU program: the same network as `model.rs`, compiled for one batch and length.
//!
//! The embedding table stays on the CPU, which reads the rows that the prompt needs, and so does the position bias's
//! table. Everything between blocks is f32: v1.1's largest sizes overflow f16 in the feed-forward.

use super::{FeedForwardKind, T5Config, stored_name};
use crate::gpu::GpuError;
use crate::gpu::kernels::{Activation, Attention, Linear};
use crate::gpu::plan::{PlanBuilder, PlanDescription, Shape, Tensor};

/// The phase in which the whole encoder runs.
pub const PHASE: &str = "encode";
/// Input `[batch, tokens, d_model]`: the rows of the embedding table.
pub const HIDDEN: &str = "hidden";
/// Input `[batch, tokens]`, added to the scores of each key: 0 for a token, [`super::MASKED`] for padding.
pub const MASK: &str = "mask";
/// Input `[heads, tokens, tokens]` (query, key), from [`super::position_bias`].
pub const POSITION_BIAS: &str = "position_bias";
/// Output `[batch, tokens, d_model]`.
pub const EMBEDDING: &str = "embedding";

/// The whole program, one section per block and one for the last norm. `b` is an empty builder.
///
/// # Errors
/// As [`build`].
pub fn describe(mut b: PlanBuilder, config: &T5Config, batch: u32, tokens: u32) -> Result<PlanDescription, GpuError> {
    b.single_precision();
    build(&mut b, config, batch, tokens)?;
    b.finish()
}

/// Records the encoder: inputs [`HIDDEN`], [`MASK`] and [`POSITION_BIAS`], output [`EMBEDDING`], which is returned too.
///
/// # Errors
/// A missing or misshapen weight, or an activation that the device cannot bind.
pub fn build(b: &mut PlanBuilder, config: &T5Config, batch: u32, tokens: u32) -> Result<Tensor, GpuError> {
    b.phase(PHASE);
    let mut hidden = b.input(HIDDEN, Shape::tokens(batch, tokens, config.d_model as u32))?;
    let heads = config.num_heads as u32;
    let scores = Scores {
        mask: b.input(MASK, Shape::vector(batch, tokens))?,
        bias: b.input(POSITION_BIAS, Shape::image(heads, 1, tokens, tokens))?,
    };
    for index in 0..config.num_layers {
        b.section();
        hidden = block(b, config, index, hidden, scores)?;
    }
    b.section();
    let embedding = norm(b, config, hidden, "encoder.final_layer_norm")?;
    b.output(EMBEDDING, embedding);
    Ok(embedding)
}

/// What is added to the scores of every block.
#[derive(Clone, Copy)]
struct Scores {
    mask: Tensor,
    bias: Tensor,
}

fn block(
    b: &mut PlanBuilder,
    config: &T5Config,
    index: usize,
    hidden: Tensor,
    scores: Scores,
) -> Result<Tensor, GpuError> {
    let layer = |layer: usize| format!("encoder.block.{index}.layer.{layer}");
    let hidden = attention(b, config, &layer(0), hidden, scores)?;
    feed_forward(b, config, &layer(1), hidden)
}

fn attention(
    b: &mut PlanBuilder,
    config: &T5Config,
    layer: &str,
    hidden: Tensor,
    scores: Scores,
) -> Result<Tensor, GpuError> {
    let x = norm(b, config, hidden, &format!("{layer}.layer_norm"))?;
    let (outer, inner) = (config.d_model, config.inner_dim());
    let mut names = Vec::new();
    for part in ["q", "k", "v"] {
        names.push(weight(b, &format!("{layer}.SelfAttention.{part}"), inner, outer)?);
    }
    let layers: Vec<_> = names.iter().map(|name| Linear::new(name)).collect();
    let projected = b.linears(x, &layers)?;
    let (q, k, v) = (projected[0], projected[1], projected[2]);
    let heads = config.num_heads as u32;
    let Scores { mask, bias } = scores;
    // T5 folds the usual 1/√d into its initial weights.
    let mixed = b.attention(q, Attention { keys: &[(k, v)], heads, scale: 1.0, bias: Some(bias), mask: Some(mask) })?;
    let weight = weight(b, &format!("{layer}.SelfAttention.o"), outer, inner)?;
    b.linear(mixed, Linear { residual: Some(hidden), ..Linear::new(&weight) })
}

fn feed_forward(b: &mut PlanBuilder, config: &T5Config, layer: &str, hidden: Tensor) -> Result<Tensor, GpuError> {
    let x = norm(b, config, hidden, &format!("{layer}.layer_norm"))?;
    let up = |b: &mut PlanBuilder, part: &str, activation: Activation, gate: Option<Tensor>| {
        let weight = weight(b, &format!("{layer}.DenseReluDense.{part}"), config.d_ff, config.d_model)?;
        b.linear(x, Linear { activation, gate, ..Linear::new(&weight) })
    };
    let inner = match config.feed_forward {
        FeedForwardKind::Relu => up(b, "wi", Activation::Relu, None)?,
        FeedForwardKind::GatedGelu => {
            let gate = up(b, "wi_1", Activation::None, None)?;
            up(b, "wi_0", Activation::GeluTanh, Some(gate))?
        }
    };
    let weight = weight(b, &format!("{layer}.DenseReluDense.wo"), config.d_model, config.d_ff)?;
    b.linear(inner, Linear { residual: Some(hidden), ..Linear::new(&weight) })
}

fn norm(b: &mut PlanBuilder, config: &T5Config, x: Tensor, name: &str) -> Result<Tensor, GpuError> {
    let weight = stored_name(&format!("{name}.weight"), |name| b.has_weight(name));
    b.rms_norm(x, &weight, config.layer_norm_epsilon as f32)
}

/// The file's name of a weight, which must be `[rows, columns]`.
fn weight(b: &PlanBuilder, name: &str, rows: usize, columns: usize) -> Result<String, GpuError> {
    let tensor = stored_name(&format!("{name}.weight"), |name| b.has_weight(name));
    let (actual, expected) = (b.weight_shape(&tensor)?.to_vec(), vec![rows, columns]);
    if actual == expected { Ok(tensor) } else { Err(GpuError::WeightShape { tensor, expected, actual }) }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
