//! Prompt to token ids: a `tokenizer.json` run by the `tokenizers` crate, always padded to one length.
//!
//! Imagen and DeepFloyd IF condition on a fixed number of T5 positions, padded on the right, so the length belongs to
//! the model and overrides what the file says about truncation and padding. Truncation keeps the closing `</s>`.

use super::TextError;
use tokenizers::{PaddingDirection, PaddingParams, PaddingStrategy, TruncationDirection, TruncationParams};

/// A prompt as the text encoder takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// Token ids, padded on the right; as many as the tokenizer's `max_length`.
    pub ids: Vec<u32>,
    /// 1 for a token of the prompt (its `</s>` included), 0 for padding. As long as `ids`.
    pub mask: Vec<u32>,
    /// True where the prompt was longer than `max_length` and its end was cut off.
    pub truncated: bool,
}

/// A tokenizer with a fixed output length.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    max_length: usize,
    lowercase: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Every prompt becomes `max_length` ids (at least 1, `</s>` included); with `lowercase`
    /// the prompt is stripped and lower-cased first, as DeepFloyd IF does.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where the bytes are no tokenizer, or `max_length` leaves no room for `</s>`.
    pub fn from_bytes(json: &[u8], max_length: usize, lowercase: bool) -> Result<Self, TextError> {
        let unusable = |reason: String| TextError::Tokenizer { reason };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| unusable(error.to_string()))?;
        let truncation =
            TruncationParams { max_length, stride: 0, direction: TruncationDirection::Right, ..Default::default() };
        inner.with_truncation(Some(truncation)).map_err(|error| unusable(error.to_string()))?;
        let padding = inner.get_padding().cloned().unwrap_or_else(|| {
            let pad_token = "<pad>".to_owned();
            // T5's vocabularies start with the padding token.
            let pad_id = inner.token_to_id(&pad_token).unwrap_or(0);
            PaddingParams { pad_id, pad_token, ..Default::default() }
        });
        inner.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::Fixed(max_length),
            direction: PaddingDirection::Right,
            pad_to_multiple_of: None,
            ..padding
        }));
        let tokenizer = Self { inner, max_length, lowercase };
        // Shows at once whether the special tokens fit into the length.
        tokenizer.encode("").map_err(|error| unusable(error.to_string()))?;
        Ok(tokenizer)
    }

    /// Ids per prompt.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The prompt's ids, mask, and whether its end was cut off.
    ///
    /// # Errors
    /// [`TextError::Prompt`] where the tokenizer refuses the text.
    pub fn encode(&self, prompt: &str) -> Result<Tokenized, TextError> {
        let encoding = if self.lowercase {
            self.inner.encode(prompt.trim().to_lowercase(), true)
        } else {
            self.inner.encode(prompt, true)
        };
        let encoding = encoding.map_err(|error| TextError::Prompt { reason: error.to_string() })?;
        let ids = encoding.get_ids().to_vec();
        if ids.len() != self.max_length {
            let reason = format!("{} tokens instead of {}", ids.len(), self.max_length);
            return Err(TextError::Prompt { reason });
        }
        let mask = encoding.get_attention_mask().to_vec();
        Ok(Tokenized { ids, mask, truncated: !encoding.get_overflowing().is_empty() })
    }
}
