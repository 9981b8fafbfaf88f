//! The pooled text (`TextTimeEmbedding` of diffusers): attention from a class token, which is the mean token plus a
//! learned position, over itself and all tokens.

use super::architecture::TextPooling;
use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, module, ops::AttentionModuleOptions};

/// Attention pooling (`AttentionPooling`).
#[derive(Module, Debug)]
pub struct AttentionPooling {
    /// `[1, channels]`
    pub positional_embedding: Param<Tensor<2>>,
    pub k_proj: Linear,
    pub q_proj: Linear,
    pub v_proj: Linear,
    pub num_heads: usize,
}

impl AttentionPooling {
    fn new(options: TextPooling, device: &Device) -> Self {
        let channels = options.text_channels;
        let linear = || LinearConfig::new(channels, channels).init(device);
        let spread = 1.0 / (channels as f64).sqrt();
        Self {
            positional_embedding: Initializer::Normal { mean: 0.0, std: spread }.init([1, channels], device),
            k_proj: linear(),
            q_proj: linear(),
            v_proj: linear(),
            num_heads: options.heads,
        }
    }

    /// # Shapes
    /// - text: `[batch, tokens, channels]`
    /// - output: `[batch, channels]`
    pub fn forward(&self, text: Tensor<3>) -> Tensor<2> {
        let [batch, _, channels] = text.dims();
        let class_token = text.clone().mean_dim(1) + self.positional_embedding.val().unsqueeze::<3>();
        let text = Tensor::cat(vec![class_token.clone(), text], 1);
        let query = self.heads(self.q_proj.forward(class_token));
        let keys = self.heads(self.k_proj.forward(text.clone()));
        let values = self.heads(self.v_proj.forward(text));
        module::attention(query, keys, values, None, None, AttentionModuleOptions::default())
            .swap_dims(1, 2)
            .reshape([batch, channels])
    }

    /// `[batch, tokens, channels]` to `[batch, heads, tokens, head_dim]`.
    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, channels] = x.dims();
        x.reshape([batch, tokens, self.num_heads, channels / self.num_heads]).swap_dims(1, 2)
    }
}

/// The text as one vector of the time embedding's width.
#[derive(Module, Debug)]
pub struct TextTimeEmbedding {
    pub norm1: LayerNorm,
    pub pool: AttentionPooling,
    pub proj: Linear,
    pub norm2: LayerNorm,
}

impl TextTimeEmbedding {
    /// Layers with random weights.
    pub fn new(options: TextPooling, time_channels: usize, device: &Device) -> Self {
        Self {
            norm1: LayerNormConfig::new(options.text_channels).init(device),
            pool: AttentionPooling::new(options, device),
            proj: LinearConfig::new(options.text_channels, time_channels).init(device),
            norm2: LayerNormConfig::new(time_channels).init(device),
        }
    }

    /// # Shapes
    /// - text: `[batch, tokens, text_channels]`, as the encoder gives it
    /// - output: `[batch, time_channels]`
    pub fn forward(&self, text: Tensor<3>) -> Tensor<2> {
        let pooled = self.pool.forward(self.norm1.forward(text));
        self.norm2.forward(self.proj.forward(pooled))
    }
}
