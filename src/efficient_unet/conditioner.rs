//! What the network is conditioned on: the text, the time, and how noisy the low-resolution picture was made.
//!
//! It works on a few tokens, not on pixels, so both executors use this module; the pixels' part takes what it gives.

use super::EfficientUNetConfig;
use super::architecture::{Architecture, Heads};
use super::attention::vectors;
use super::feed_forward::norm;
use super::perceiver::PerceiverResampler;
use super::time::TimeHiddens;
use crate::unet::UNetError;
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::silu};

/// What stands in the time's place in a network that sees the text's mean (`to_text_non_attn_cond`).
#[derive(Module, Debug)]
pub struct TextHiddens {
    pub norm: LayerNorm,
    pub linear_1: Linear,
    pub linear_2: Linear,
}

/// The layers that make [`Conditions`].
#[derive(Module, Debug)]
pub struct Conditioner {
    pub to_time_hiddens: TimeHiddens,
    pub to_time_cond: Linear,
    pub to_time_tokens: Linear,
    pub to_lowres_time_hiddens: Option<TimeHiddens>,
    pub to_lowres_time_cond: Option<Linear>,
    pub to_lowres_time_tokens: Option<Linear>,
    pub norm_cond: LayerNorm,
    pub text_to_cond: Option<Linear>,
    pub attn_pool: Option<PerceiverResampler>,
    /// `[max_text_len, cond_dim]`: what stands where there is no token, and in place of every token of no text at all.
    pub null_text_embed: Option<Param<Tensor<2>>>,
    pub null_text_hidden: Option<Param<Tensor<1>>>,
    pub to_text_non_attn_cond: Option<TextHiddens>,
    cond_dim: usize,
}

/// A text as the network sees it, the same at every step.
#[derive(Clone, Debug)]
pub struct Text {
    /// `[batch, tokens, cond_dim]`
    tokens: Tensor<3>,
    /// `[batch, time_cond_dim]`
    hiddens: Tensor<2>,
}

/// What the pixels' part takes.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// For the residual blocks, `[batch, time_cond_dim]`.
    pub time: Tensor<2>,
    /// For the attentions, `[batch, tokens, cond_dim]`.
    pub tokens: Tensor<3>,
}

impl EfficientUNetConfig {
    /// Tokens of [`Conditions`].
    pub fn condition_tokens(&self) -> usize {
        let text = match (self.cond_on_text, self.attn_pool_text) {
            (false, _) => 0,
            (true, true) => super::perceiver::POOLED + self.attn_pool_num_latents,
            (true, false) => self.max_text_len,
        };
        self.num_time_tokens * if self.lowres_cond { 2 } else { 1 } + text
    }

    /// The conditioner with random weights.
    ///
    /// # Errors
    /// As [`EfficientUNetConfig::validate`].
    pub fn init_conditioner(&self, device: &Device) -> Result<Conditioner, UNetError> {
        let Architecture { cond_dim, time_cond_dim, .. } = Architecture::new(self)?;
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let hiddens = || TimeHiddens::new(self.learned_sinu_pos_emb_dim, time_cond_dim, device);
        let cond = || layer(time_cond_dim, time_cond_dim);
        let tokens = || layer(time_cond_dim, cond_dim * self.num_time_tokens);
        let text_hiddens = || TextHiddens {
            norm: norm(cond_dim, device),
            linear_1: layer(cond_dim, time_cond_dim),
            linear_2: layer(time_cond_dim, time_cond_dim),
        };
        let heads = Heads { count: self.attn_heads, dim: self.attn_dim_head };
        let pool = || PerceiverResampler::new(cond_dim, self.attn_pool_num_latents, heads, device);
        let text = self.cond_on_text;
        Ok(Conditioner {
            to_time_hiddens: hiddens(),
            to_time_cond: cond(),
            to_time_tokens: tokens(),
            to_lowres_time_hiddens: self.lowres_cond.then(hiddens),
            to_lowres_time_cond: self.lowres_cond.then(cond),
            to_lowres_time_tokens: self.lowres_cond.then(tokens),
            norm_cond: norm(cond_dim, device),
            text_to_cond: self.text_channels().map(|channels| layer(channels, cond_dim)),
            attn_pool: (text && self.attn_pool_text).then(pool),
            null_text_embed: text.then(|| vectors(self.max_text_len, cond_dim, device)),
            null_text_hidden: text.then(|| Initializer::Normal { mean: 0.0, std: 1.0 }.init([time_cond_dim], device)),
            to_text_non_attn_cond: text.then(text_hiddens),
            cond_dim,
        })
    }
}

impl Conditioner {
    /// Reads a text; `None` in a network without. A row whose `keep` is 0 has no text: the learnt null embedding stands
    /// in its place, as guidance wants it.
    ///
    /// # Shapes
    /// - embedding: `[batch, tokens, text_embed_dim]`; tokens beyond `max_text_len` are not seen
    /// - mask: `[batch, tokens]`, 1 for a token and 0 for padding
    /// - keep: `[batch]`, 1 or 0
    pub fn text(&self, embedding: Tensor<3>, mask: Tensor<2>, keep: Tensor<1>) -> Option<Text> {
        let (Some(text_to_cond), Some(hiddens)) = (&self.text_to_cond, &self.to_text_non_attn_cond) else {
            return None;
        };
        let (null_embed, null_hidden) = (self.null_text_embed.as_ref()?.val(), self.null_text_hidden.as_ref()?.val());
        let [batch, given, channels] = embedding.dims();
        let [length, cond_dim] = null_embed.dims();
        let seen = given.min(length);
        let tokens = text_to_cond.forward(embedding.slice([0..batch, 0..seen, 0..channels]));
        let device = tokens.device();
        let tokens = Tensor::cat(vec![tokens, Tensor::zeros([batch, length - seen, cond_dim], &device)], 1);
        let mask = mask.slice([0..batch, 0..seen]);
        let mask = Tensor::cat(vec![mask, Tensor::zeros([batch, length - seen], &device)], 1);
        let keep = keep.unsqueeze_dim::<2>(1);
        let mask = (mask * keep.clone()).unsqueeze_dim::<3>(2);
        let without = mask.clone().neg().add_scalar(1.0);
        let tokens = tokens * mask + null_embed.unsqueeze() * without;
        let tokens = match &self.attn_pool {
            Some(pool) => pool.forward(tokens),
            None => tokens,
        };
        let mean = hiddens.norm.forward(tokens.clone().mean_dim(1).squeeze_dim::<2>(1));
        let pooled = hiddens.linear_2.forward(silu(hiddens.linear_1.forward(mean)));
        let without = keep.clone().neg().add_scalar(1.0);
        Some(Text { tokens, hiddens: pooled * keep + null_hidden.unsqueeze() * without })
    }

    /// Everything that a step is conditioned on.
    ///
    /// # Shapes
    /// - log_snr: `[batch]`, the logarithm of the signal-to-noise ratio
    /// - low_log_snr: `[batch]`, that of the low-resolution picture; only where the network takes one
    pub fn forward(&self, log_snr: Tensor<1>, low_log_snr: Option<Tensor<1>>, text: Option<&Text>) -> Conditions {
        let tokens_of = |layer: &Linear, hiddens: Tensor<2>| {
            let tokens = layer.forward(hiddens);
            let [batch, channels] = tokens.dims();
            tokens.reshape([batch, channels / self.cond_dim, self.cond_dim])
        };
        let hiddens = self.to_time_hiddens.forward(log_snr);
        let mut tokens = vec![tokens_of(&self.to_time_tokens, hiddens.clone())];
        let mut time = self.to_time_cond.forward(hiddens);
        let lowres = (&self.to_lowres_time_hiddens, &self.to_lowres_time_cond, &self.to_lowres_time_tokens);
        if let ((Some(to_hiddens), Some(to_cond), Some(to_tokens)), Some(low)) = (lowres, low_log_snr) {
            let hiddens = to_hiddens.forward(low);
            tokens.push(tokens_of(to_tokens, hiddens.clone()));
            time = time + to_cond.forward(hiddens);
        }
        if let Some(text) = text {
            tokens.push(text.tokens.clone());
            time = time + text.hiddens.clone();
        }
        Conditions { time, tokens: self.norm_cond.forward(Tensor::cat(tokens, 1)) }
    }
}
