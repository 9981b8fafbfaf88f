//! `PerceiverResampler`: brings a text to a few tokens, by attention from learnt latents (as in Flamingo, 2204.14198).

use super::architecture::{Heads, MAX_POSITIONS};
use super::attention::{ToOut, attend, factors, halves, split_heads, unit, vectors};
use super::feed_forward::{FeedForward, linear, norm, own_norm};
use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Layers, latents from the text's mean, and the width of the feed-forward layers: fixed in the package's U-Net.
const DEPTH: usize = 2;
pub(super) const POOLED: usize = 4;
const FF_MULT: usize = 4;

/// Attention from latents to the text and to themselves (`PerceiverAttention`).
#[derive(Module, Debug)]
pub struct PerceiverAttention {
    pub norm: LayerNorm,
    pub norm_latents: LayerNorm,
    pub to_q: Linear,
    pub to_kv: Linear,
    pub q_scale: Param<Tensor<1>>,
    pub k_scale: Param<Tensor<1>>,
    pub to_out: ToOut,
    pub heads: usize,
}

impl PerceiverAttention {
    fn new(dim: usize, heads: Heads, device: &Device) -> Self {
        Self {
            norm: norm(dim, device),
            norm_latents: norm(dim, device),
            to_q: linear(dim, heads.channels(), device),
            to_kv: linear(dim, 2 * heads.channels(), device),
            q_scale: factors(heads.dim, device),
            k_scale: factors(heads.dim, device),
            to_out: ToOut::new(heads, dim, norm(dim, device), device),
            heads: heads.count,
        }
    }

    fn forward(&self, x: Tensor<3>, latents: Tensor<3>) -> Tensor<3> {
        let (x, latents) = (self.norm.forward(x), self.norm_latents.forward(latents));
        let query = split_heads(self.to_q.forward(latents.clone()), self.heads);
        let [keys, values]: [_; 2] = halves(self.to_kv.forward(Tensor::cat(vec![x, latents], 1)));
        let (keys, values) = (split_heads(keys, self.heads), split_heads(values, self.heads));
        self.to_out.forward(attend(unit(query, &self.q_scale), unit(keys, &self.k_scale), values))
    }
}

/// Latents from the mean of a text.
#[derive(Module, Debug)]
pub struct MeanPooled {
    pub norm: LayerNorm,
    pub linear: Linear,
}

/// Attention and feed-forward in turn.
#[derive(Module, Debug)]
pub struct PerceiverLayer {
    pub attn: PerceiverAttention,
    pub ff: FeedForward,
}

/// The resampler.
#[derive(Module, Debug)]
pub struct PerceiverResampler {
    pub pos_emb: Embedding,
    /// `[latents, dim]`
    pub latents: Param<Tensor<2>>,
    pub to_latents_from_mean_pooled_seq: MeanPooled,
    pub layers: Vec<PerceiverLayer>,
}

impl PerceiverResampler {
    /// A resampler with random weights.
    pub fn new(dim: usize, latents: usize, heads: Heads, device: &Device) -> Self {
        let layer = |_| PerceiverLayer {
            attn: PerceiverAttention::new(dim, heads, device),
            ff: FeedForward::new(dim, FF_MULT * dim, device),
        };
        Self {
            pos_emb: EmbeddingConfig::new(MAX_POSITIONS, dim).init(device),
            latents: vectors(latents, dim, device),
            to_latents_from_mean_pooled_seq: MeanPooled {
                norm: own_norm(dim, device),
                linear: LinearConfig::new(dim, POOLED * dim).init(device),
            },
            layers: (0..DEPTH).map(layer).collect(),
        }
    }

    /// # Shapes
    /// - x: `[batch, tokens, dim]`, at most 512 tokens
    /// - output: `[batch, 4 + latents, dim]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, dim] = x.dims();
        let positions = self.pos_emb.weight.val().slice([0..tokens, 0..dim]).unsqueeze();
        let MeanPooled { norm, linear } = &self.to_latents_from_mean_pooled_seq;
        let pooled = linear.forward(norm.forward(x.clone().mean_dim(1))).reshape([batch, POOLED, dim]);
        let [count, _] = self.latents.dims();
        let latents = self.latents.val().unsqueeze::<3>().expand([batch, count, dim]);
        let (x, mut latents) = (x + positions, Tensor::cat(vec![pooled, latents], 1));
        for PerceiverLayer { attn, ff } in &self.layers {
            latents = attn.forward(x.clone(), latents.clone()) + latents;
            latents = ff.forward(latents.clone()) + latents;
        }
        latents
    }
}
