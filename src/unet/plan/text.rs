//! What depends on the prompt alone: the text's projection, its keys and values in every attention layer, the pooled
//! text and the noise level's embedding.

use super::attention::{self, TextKeys};
use super::names::Names;
use super::time::two_layers;
use crate::gpu::GpuError;
use crate::gpu::kernels::{Activation, Attention, Linear};
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
use crate::unet::architecture::{Architecture, Block, TextPooling};

/// Epsilon of PyTorch's layer norm.
const LAYER_NORM_EPS: f32 = 1e-5;

/// What the steps read.
pub(super) struct Text {
    /// Summands of the time embedding, `[B, time_channels]`.
    pub embedding: Option<Tensor>,
    /// Per block, in the order in which blocks run.
    pub keys: Vec<Vec<TextKeys>>,
}

pub(super) fn record(
    b: &mut PlanBuilder,
    network: &Architecture,
    batch: u32,
    tokens: u32,
    input: &str,
) -> Result<Text, GpuError> {
    let width = text_channels(network);
    let text = width.map(|width| b.input(input, Shape::tokens(batch, tokens, width as u32))).transpose()?;
    let pooled = match (text, &network.text_pooling) {
        (Some(text), Some(options)) => Some(pool(b, options, text)?),
        _ => None,
    };
    let embedding = if network.class_embedding { Some(class(b, network, batch, pooled)?) } else { pooled };
    let seen = match (text, network.text_projection) {
        (Some(text), Some(_)) => Some(project(b, &Names::new("encoder_hid_proj"), text)?),
        _ => text,
    };
    let mut keys = Vec::new();
    for (path, block) in blocks(network) {
        let mut layers = Vec::new();
        for (layer, options) in block.attentions.iter().enumerate() {
            // A block with attention makes `text_channels` some.
            if let Some(seen) = seen {
                let names = Names::new(format!("{path}.attentions.{layer}"));
                layers.push(attention::text_keys(b, &names, options, seen)?);
            }
        }
        keys.push(layers);
    }
    Ok(Text { embedding, keys })
}

/// Channels of the text as the encoder gives it; none if nothing reads it.
fn text_channels(network: &Architecture) -> Option<usize> {
    let attended = blocks(network).find_map(|(_, block)| block.attentions.first()).map(|layer| layer.text_channels);
    match (network.text_pooling, attended, network.text_projection) {
        (Some(pooling), _, _) => Some(pooling.text_channels),
        (None, Some(_), Some((width, _))) => Some(width),
        (None, attended, _) => attended,
    }
}

/// All blocks with their paths, in the order in which they run.
fn blocks(network: &Architecture) -> impl Iterator<Item = (String, &Block)> {
    let down = network.down.iter().enumerate().map(|(level, block)| (format!("down_blocks.{level}"), block));
    let mid = network.mid.iter().map(|block| ("mid_block".to_owned(), block));
    let up = network.up.iter().enumerate().map(|(level, block)| (format!("up_blocks.{level}"), block));
    down.chain(mid).chain(up)
}

fn project(b: &mut PlanBuilder, names: &Names, x: Tensor) -> Result<Tensor, GpuError> {
    b.linear(x, Linear { bias: Some(&names.of("bias")), ..Linear::new(&names.of("weight")) })
}

/// Attention from the class token over itself and all tokens.
fn pool(b: &mut PlanBuilder, options: &TextPooling, text: Tensor) -> Result<Tensor, GpuError> {
    let norm = |b: &mut PlanBuilder, name: &str, x: Tensor| {
        let names = Names::new(format!("add_embedding.{name}"));
        b.layer_norm(x, &names.of("weight"), Some(&names.of("bias")), LAYER_NORM_EPS)
    };
    let text = norm(b, "norm1", text)?;
    let class_token = b.mean_tokens(text, Some("add_embedding.pool.positional_embedding"))?;
    let layer = |name: &str| Names::new(format!("add_embedding.pool.{name}"));
    let query = project(b, &layer("q_proj"), class_token)?;
    let mut keys = Vec::new();
    for tokens in [class_token, text] {
        keys.push((project(b, &layer("k_proj"), tokens)?, project(b, &layer("v_proj"), tokens)?));
    }
    let head_dim = (options.text_channels / options.heads) as f32;
    let scale = 1.0 / head_dim.sqrt();
    let attention = Attention { keys: &keys, heads: options.heads as u32, scale, bias: None, mask: None };
    let pooled = b.attention(query, attention)?;
    let pooled = project(b, &Names::new("add_embedding.proj"), pooled)?;
    norm(b, "norm2", pooled)
}

/// The noise level's embedding, and the pooled text added to it.
fn class(b: &mut PlanBuilder, network: &Architecture, batch: u32, pooled: Option<Tensor>) -> Result<Tensor, GpuError> {
    let sinusoids = b.input("class_embedding", Shape::vector(batch, network.base_channels as u32))?;
    two_layers(b, network, "class_embedding", sinusoids, Activation::None, pooled)
}
