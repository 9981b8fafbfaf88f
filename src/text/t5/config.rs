//! Sizes of a T5 encoder, from a Hugging Face `config.json` or from the header of a GGUF file.

use super::stored_name;
use crate::text::TextError;
use crate::weights::{Metadata, WeightIndex, WeightsError};
use serde::Deserialize;

/// The two feed-forward layers that T5 encoders have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "train", derive(serde::Serialize, Deserialize))]
pub enum FeedForwardKind {
    /// T5 v1.0: `wo(relu(wi(x)))`.
    Relu,
    /// T5 v1.1: `wo(gelu(wi_0(x)) * wi_1(x))` with the tanh form of GELU.
    GatedGelu,
}

/// Sizes of a T5 encoder. Names as in transformers' `T5Config`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "train", derive(serde::Serialize, Deserialize))]
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

    /// Reads the metadata of a GGUF file as llama.cpp's converter writes it (`t5encoder`, or `t5` for a file that holds
    /// the decoder too). What the metadata does not say, the tensors show: the vocabulary's size and the feed-forward.
    ///
    /// # Errors
    /// [`TextError::Config`] for a missing or impossible size, [`TextError::Weights`] for another architecture.
    pub fn from_metadata(name: &str, metadata: &Metadata, tensors: &WeightIndex) -> Result<Self, TextError> {
        let prefix = metadata.architecture();
        if !matches!(prefix, "t5encoder" | "t5") {
            let (expected, actual) = ("t5encoder".to_owned(), prefix.to_owned());
            return Err(WeightsError::WrongArchitecture { name: name.to_owned(), expected, actual }.into());
        }
        let size = |key: &str| {
            let key = format!("{prefix}.{key}");
            let missing = || TextError::Config { reason: format!("{name} does not say {key}") };
            metadata.u32(&key).map(|value| value as usize).ok_or_else(missing)
        };
        let has = |tensor: &str| tensors.contains(tensor);
        let table = stored_name("shared.weight", has);
        let vocabulary = tensors.get(&table).and_then(|(shape, _)| shape.first().copied());
        let gated = has(&stored_name("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", has));
        let config = Self {
            vocab_size: vocabulary
                .ok_or_else(|| TextError::Config { reason: format!("{name} does not hold {table}") })?,
            d_model: size("embedding_length")?,
            d_ff: size("feed_forward_length")?,
            d_kv: size("attention.key_length")?,
            num_heads: size("attention.head_count")?,
            num_layers: size("block_count")?,
            relative_attention_num_buckets: size("attention.relative_buckets_count")?,
            relative_attention_max_distance: Self::default_max_distance(),
            layer_norm_epsilon: metadata
                .f32(&format!("{prefix}.attention.layer_norm_rms_epsilon"))
                .map_or_else(Self::default_epsilon, f64::from),
            feed_forward: if gated { FeedForwardKind::GatedGelu } else { FeedForwardKind::Relu },
        };
        config.validate()?;
        Ok(config)
    }

    /// Width of all attention heads together.
    pub fn inner_dim(&self) -> usize {
        self.num_heads * self.d_kv
    }

    /// Parameters of one block, without the relative position bias of the first.
    pub fn block_parameters(&self) -> u64 {
        let matrices = match self.feed_forward {
            FeedForwardKind::Relu => 2,
            FeedForwardKind::GatedGelu => 3,
        };
        (self.d_model * (4 * self.inner_dim() + matrices * self.d_ff + 2)) as u64
    }

    /// Parameters of the encoder, its embedding table included.
    pub fn parameters(&self) -> u64 {
        let tables = self.vocab_size * self.d_model + self.relative_attention_num_buckets * self.num_heads;
        self.num_layers as u64 * self.block_parameters() + (tables + self.d_model) as u64
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

    fn default_max_distance() -> usize {
        128
    }

    fn default_epsilon() -> f64 {
        1e-6
    }

    fn default_projection() -> String {
        "relu".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The storybook encoder's file, shortened.
    fn storybook() -> Value {
        json!({
            "architectures": ["T5EncoderModel"], "d_ff": 512, "d_kv": 32, "d_model": 256, "num_heads": 8,
            "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6, "num_layers": 3, "vocab_size": 768,
            "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32
        })
    }

    fn read(value: &Value) -> Result<T5Config, TextError> {
        T5Config::from_json(value.to_string().as_bytes())
    }

    #[test]
    fn a_config_of_transformers_is_read() {
        let config = read(&storybook()).unwrap();
        assert_eq!((config.d_model, config.inner_dim(), config.num_layers), (256, 256, 3));
        assert_eq!(config.feed_forward, FeedForwardKind::GatedGelu);
    }

    #[test]
    fn a_missing_or_impossible_size_is_named() {
        for key in ["vocab_size", "d_model", "d_ff", "d_kv", "num_heads", "num_layers"] {
            for value in [None, Some(json!(0)), Some(json!(-3)), Some(json!(u64::MAX)), Some(json!("8"))] {
                let mut config = storybook();
                let shown = format!("{value:?}");
                match value {
                    Some(value) => config[key] = value,
                    None => drop(config.as_object_mut().unwrap().remove(key)),
                }
                let error = read(&config).unwrap_err().to_string();
                assert!(error.contains(key) || !shown.starts_with("None"), "{key} {shown}: {error}");
            }
        }
    }

    #[test]
    fn another_feed_forward_is_named() {
        let mut config = storybook();
        config["feed_forward_proj"] = json!("gated-silu");
        let error = read(&config).unwrap_err().to_string();
        assert!(error.contains("feed_forward_proj") && error.contains("gated-silu"), "{error}");
        config.as_object_mut().unwrap().remove("feed_forward_proj");
        assert_eq!(read(&config).unwrap().feed_forward, FeedForwardKind::Relu);
    }

    #[test]
    fn what_is_no_config_is_refused() {
        for bytes in [b"".as_slice(), b"[]", b"{}", b"\xff"] {
            assert!(T5Config::from_json(bytes).is_err());
        }
    }
}
