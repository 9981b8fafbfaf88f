//! Sizes of a T5 encoder, from a Hugging Face `config.json`.

use crate::text::TextError;
use serde::Deserialize;

/// The two feed-forward layers that T5 encoders have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForwardKind {
    /// T5 v1.0: `wo(relu(wi(x)))`.
    Relu,
    /// T5 v1.1: `wo(gelu(wi_0(x)) * wi_1(x))` with the tanh form of GELU.
    GatedGelu,
}

/// Sizes of a T5 encoder. Names as in transformers' `T5Config`.
#[derive(Clone, Debug, PartialEq)]
pub struct T5Config {
    pub vocab_size: usize,
    /// Width of the residual stream and of the embedding.
    pub d_model: usize,
    /// Width of the feed-forward layer.
    pub d_ff: usize,
    /// Width of one attention head; `d_kv * num_heads` need not be `d_model`.
    pub d_kv: usize,
    pub num_heads: usize,
    pub num_layers: usize,
    /// Buckets of the relative position bias, both directions together.
    pub relative_attention_num_buckets: usize,
    /// Distances from here on share the last bucket.
    pub relative_attention_max_distance: usize,
    pub layer_norm_epsilon: f64,
    pub feed_forward: FeedForwardKind,
}

/// `config.json` as transformers writes it. The sizes have no sensible default: a missing one is an error naming it.
#[derive(Deserialize)]
struct HuggingFaceConfig {
    vocab_size: usize,
    d_model: usize,
    d_ff: usize,
    d_kv: usize,
    num_heads: usize,
    num_layers: usize,
    #[serde(default = "T5Config::default_buckets")]
    relative_attention_num_buckets: usize,
    #[serde(default = "T5Config::default_max_distance")]
    relative_attention_max_distance: usize,
    #[serde(default = "T5Config::default_epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "T5Config::default_projection")]
    feed_forward_proj: String,
}

impl T5Config {
    /// Reads a Hugging Face `config.json`.
    ///
    /// # Errors
    /// [`TextError::Config`] for a missing or impossible size, [`TextError::Unsupported`] for another feed-forward.
    pub fn from_json(json: &[u8]) -> Result<Self, TextError> {
        let read: HuggingFaceConfig =
            serde_json::from_slice(json).map_err(|error| TextError::Config { reason: error.to_string() })?;
        let feed_forward = match read.feed_forward_proj.as_str() {
            "relu" => FeedForwardKind::Relu,
            "gated-gelu" => FeedForwardKind::GatedGelu,
            other => return Err(TextError::Unsupported { option: "feed_forward_proj", value: other.to_owned() }),
        };
        let config = Self {
            vocab_size: read.vocab_size,
            d_model: read.d_model,
            d_ff: read.d_ff,
            d_kv: read.d_kv,
            num_heads: read.num_heads,
            num_layers: read.num_layers,
            relative_attention_num_buckets: read.relative_attention_num_buckets,
            relative_attention_max_distance: read.relative_attention_max_distance,
            layer_norm_epsilon: read.layer_norm_epsilon,
            feed_forward,
        };
        config.validate()?;
        Ok(config)
    }

    /// Width of all attention heads together.
    pub fn inner_dim(&self) -> usize {
        self.num_heads * self.d_kv
    }

    /// Checks what the sizes must fulfil for a network to exist.
    ///
    /// # Errors
    /// [`TextError::Config`] that names the size.
    pub fn validate(&self) -> Result<(), TextError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("d_model", self.d_model),
            ("d_ff", self.d_ff),
            ("d_kv", self.d_kv),
            ("num_heads", self.num_heads),
            ("num_layers", self.num_layers),
        ];
        let refuse = |reason: String| Err(TextError::Config { reason });
        for (name, size) in sizes {
            // Far above any real encoder, and small enough that no product of two overflows.
            if size == 0 || size > 1 << 24 {
                return refuse(format!("{name} is {size}"));
            }
        }
        if self.num_layers > 1024 {
            return refuse(format!("num_layers is {}", self.num_layers));
        }
        let (buckets, distance) = (self.relative_attention_num_buckets, self.relative_attention_max_distance);
        // A quarter of the buckets is for single distances, the rest grows logarithmically up to the maximum.
        if !(4..=4096).contains(&buckets) || !buckets.is_multiple_of(4) || distance <= buckets / 4 {
            return refuse(format!("{buckets} relative position buckets up to a distance of {distance}"));
        }
        if !(self.layer_norm_epsilon > 0.0 && self.layer_norm_epsilon < 1.0) {
            return refuse(format!("layer_norm_epsilon is {}", self.layer_norm_epsilon));
        }
        Ok(())
    }

    fn default_buckets() -> usize {
        32
    }

    pub(super) fn default_max_distance() -> usize {
        128
    }

    fn default_epsilon() -> f64 {
        1e-6
    }

    fn default_projection() -> String {
        "relu".to_owned()
    }
}
