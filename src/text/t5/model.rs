//! The T5 encoder as a burn module: the definition, and the CPU path.
//!
//! Differs from a plain transformer: RMS norm before each layer and no biases, attention scores are *not* scaled by
//! 1/√d, and positions enter only as a bias on the scores, from block 0's table and shared by all blocks. Fields carry
//! transformers' names, so that a parameter's path is the tensor's name.
#![allow(non_snake_case, reason = "the checkpoint's names")]

use super::{FeedForwardKind, MASKED, T5Config, position, stored_name};
use crate::text::TextError;
use crate::weights::{WeightIndex, Weights, load_module};
use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::activation::{gelu_approximate, relu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// `T5EncoderModel` of transformers.
#[derive(Module, Debug)]
pub struct T5Encoder {
    shared: Embedding,
    encoder: Stack,
    #[module(skip)]
    config: T5Config,
}

#[derive(Module, Debug)]
struct Stack {
    block: Vec<Block>,
    final_layer_norm: RmsNorm,
}

#[derive(Module, Debug)]
pub(super) struct Block {
    layer: (AttentionLayer, FeedForwardLayer),
}

#[derive(Module, Debug)]
struct AttentionLayer {
    SelfAttention: Attention,
    layer_norm: RmsNorm,
}

#[derive(Module, Debug)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// `[buckets, heads]`, in block 0 only.
    relative_attention_bias: Option<Embedding>,
    heads: usize,
}

#[derive(Module, Debug)]
struct FeedForwardLayer {
    DenseReluDense: FeedForward,
    layer_norm: RmsNorm,
}

/// Both kinds of feed-forward. The variant is no part of a parameter's name.
#[derive(Module, Debug)]
enum FeedForward {
    Relu(ReluFeedForward),
    Gated(GatedFeedForward),
}

/// v1.0
#[derive(Module, Debug)]
struct ReluFeedForward {
    wi: Linear,
    wo: Linear,
}

/// v1.1
#[derive(Module, Debug)]
struct GatedFeedForward {
    wi_0: Linear,
    wi_1: Linear,
    wo: Linear,
}

impl T5Config {
    /// The network with random weights, which burn draws only when they are looked at before they are loaded.
    pub fn init(&self, device: &Device) -> T5Encoder {
        let block = (0..self.num_layers).map(|index| self.init_block(index == 0, device)).collect();
        let shared = EmbeddingConfig::new(self.vocab_size, self.d_model).init(device);
        let encoder = Stack { block, final_layer_norm: self.init_norm(device) };
        T5Encoder { shared, encoder, config: self.clone() }
    }

    /// A block; the `first` holds the table of the position bias.
    pub(super) fn init_block(&self, first: bool, device: &Device) -> Block {
        let linear = |input, output| LinearConfig::new(input, output).with_bias(false).init(device);
        let table = || EmbeddingConfig::new(self.relative_attention_num_buckets, self.num_heads).init(device);
        let attention = Attention {
            q: linear(self.d_model, self.inner_dim()),
            k: linear(self.d_model, self.inner_dim()),
            v: linear(self.d_model, self.inner_dim()),
            o: linear(self.inner_dim(), self.d_model),
            relative_attention_bias: first.then(table),
            heads: self.num_heads,
        };
        let (up, down) = (|| linear(self.d_model, self.d_ff), linear(self.d_ff, self.d_model));
        let feed_forward = match self.feed_forward {
            FeedForwardKind::Relu => FeedForward::Relu(ReluFeedForward { wi: up(), wo: down }),
            FeedForwardKind::GatedGelu => FeedForward::Gated(GatedFeedForward { wi_0: up(), wi_1: up(), wo: down }),
        };
        Block {
            layer: (
                AttentionLayer { SelfAttention: attention, layer_norm: self.init_norm(device) },
                FeedForwardLayer { DenseReluDense: feed_forward, layer_norm: self.init_norm(device) },
            ),
        }
    }

    pub(super) fn init_norm(&self, device: &Device) -> RmsNorm {
        RmsNormConfig::new(self.d_model).with_epsilon(self.layer_norm_epsilon).init(device)
    }
}

impl T5Encoder {
    /// Loads a GGUF file on the CPU or wherever burn's `device` is.
    ///
    /// # Errors
    /// What [`T5Config::from_metadata`] and [`load_module`] report.
    pub async fn load(weights: &mut Weights, device: &Device) -> Result<Self, TextError> {
        let index = WeightIndex::from(&*weights);
        let config = T5Config::from_metadata(weights.name(), weights.metadata(), &index)?;
        let rename = |path: &str| stored_name(path, |name| index.contains(name));
        Ok(load_module(config.init(device), weights, &rename, device).await?)
    }

    /// The network's sizes.
    pub fn config(&self) -> &T5Config {
        &self.config
    }

    /// Embeds a batch of prompts.
    ///
    /// # Shapes
    /// - `ids`: `[batch, tokens]`, each below the vocabulary's size
    /// - `mask`: `[batch, tokens]`, 1 for a token, 0 for padding
    /// - output: `[batch, tokens, d_model]`
    pub fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<2>) -> Tensor<3> {
        let [_, tokens] = mask.dims();
        let mask = masked(mask);
        let buckets = position::buckets(&self.config, tokens).into_iter().map(|bucket| bucket as i32).collect();
        let buckets = Tensor::from_data(TensorData::new::<i32, _>(buckets, [tokens, tokens]), &ids.device());
        let bias = match self.encoder.position_bias(buckets) {
            Some(bias) => bias + mask,
            None => mask,
        };
        let mut hidden = self.shared.forward(ids);
        for block in &self.encoder.block {
            hidden = block.forward(hidden, bias.clone());
        }
        self.encoder.final_layer_norm.forward(hidden)
    }
}

/// What is added to the scores: `[batch, tokens]`, 1 for a token and 0 for padding, to `[batch, 1, 1, tokens]`.
pub(super) fn masked(mask: Tensor<2>) -> Tensor<4> {
    let [batch, tokens] = mask.dims();
    mask.sub_scalar(1.0).mul_scalar(-MASKED).reshape([batch, 1, 1, tokens])
}

impl Stack {
    /// `[tokens, tokens]` buckets to `[1, heads, tokens, tokens]`.
    fn position_bias(&self, buckets: Tensor<2, Int>) -> Option<Tensor<4>> {
        let table = self.block.first()?.layer.0.SelfAttention.relative_attention_bias.as_ref()?;
        Some(table.forward(buckets).permute([2, 0, 1]).unsqueeze())
    }
}

impl Block {
    /// `[batch, tokens, d_model]` to the same; `bias` broadcasts to `[batch, heads, tokens, tokens]`.
    pub(super) fn forward(&self, hidden: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let (attention, feed_forward) = &self.layer;
        let hidden = hidden.clone() + attention.SelfAttention.forward(attention.layer_norm.forward(hidden), bias);
        hidden.clone() + feed_forward.DenseReluDense.forward(feed_forward.layer_norm.forward(hidden))
    }
}

impl Attention {
    fn forward(&self, x: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let [batch, tokens, _] = x.dims();
        let heads = |projection: &Linear| {
            projection.forward(x.clone()).reshape([batch as i32, tokens as i32, self.heads as i32, -1]).swap_dims(1, 2)
        };
        let scores = heads(&self.q).matmul(heads(&self.k).transpose()) + bias;
        let mixed = softmax(scores, 3).matmul(heads(&self.v));
        self.o.forward(mixed.swap_dims(1, 2).reshape([batch as i32, tokens as i32, -1]))
    }
}

impl FeedForward {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Relu(layer) => layer.wo.forward(relu(layer.wi.forward(x))),
            Self::Gated(layer) => {
                let gate = gelu_approximate(layer.wi_0.forward(x.clone()));
                layer.wo.forward(gate * layer.wi_1.forward(x))
            }
        }
    }
}
