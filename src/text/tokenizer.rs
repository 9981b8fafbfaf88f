//! Prompt to token ids: a `tokenizer.json` run by the `tokenizers` crate, always padded to one length.
//!
//! Imagen and DeepFloyd IF condition on a fixed number of T5 positions, padded on the right, so the length belongs to
//! the model and overrides what the file says about truncation and padding. Truncation keeps the closing `</s>`.

use super::TextError;
use tokenizers::{
    PaddingDirection, PaddingParams, PaddingStrategy, PostProcessor, TruncationDirection, TruncationParams,
};

/// Greatest length that is accepted, in ids: attention's work grows with its square.
const LONGEST: usize = 4096;

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
    /// Reads a `tokenizer.json`. Every prompt becomes `max_length` ids (1 to 4096, `</s>` included); with `lowercase`
    /// the prompt is stripped and lower-cased first, as DeepFloyd IF does.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where the bytes are no tokenizer, or `max_length` leaves no room for `</s>`.
    pub fn from_bytes(json: &[u8], max_length: usize, lowercase: bool) -> Result<Self, TextError> {
        let unusable = |reason: String| TextError::Tokenizer { reason };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(|error| unusable(error.to_string()))?;
        let special = inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if !(special.max(1)..=LONGEST).contains(&max_length) {
            return Err(unusable(format!("a length of {max_length} is not between {} and {LONGEST}", special.max(1))));
        }
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
        Ok(Self { inner, max_length, lowercase })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: &[u8] = include_bytes!("../../tests/fixtures/tokenizer.json");
    /// `</s>` of T5.
    const END: u32 = 1;

    #[test]
    fn an_empty_prompt_is_its_end() {
        let empty = Tokenizer::from_bytes(JSON, 5, false).unwrap().encode("").unwrap();
        assert_eq!(empty, Tokenized { ids: vec![END, 0, 0, 0, 0], mask: vec![1, 0, 0, 0, 0], truncated: false });
    }

    #[test]
    fn truncation_keeps_the_end_and_says_so() {
        let tokenizer = Tokenizer::from_bytes(JSON, 6, false).unwrap();
        let whole = tokenizer.encode("a red house on the").unwrap();
        assert_eq!((whole.ids.last(), whole.truncated), (Some(&END), false));
        let cut = tokenizer.encode("a red house on the hill").unwrap();
        assert_eq!((cut.ids, cut.truncated), (whole.ids, true));
    }

    #[test]
    fn a_very_long_prompt_is_cut() {
        let tokenizer = Tokenizer::from_bytes(JSON, 40, true).unwrap();
        for text in ["a red house ".repeat(20_000), "x".repeat(200_000), "🏠 ".repeat(50_000)] {
            let tokenized = tokenizer.encode(&text).unwrap();
            assert_eq!((tokenized.ids.len(), tokenized.truncated), (40, true));
        }
        assert!(!tokenizer.encode(&" ".repeat(200_000)).unwrap().truncated);
    }

    #[test]
    fn lower_case_is_applied_before_the_tokenizer() {
        // Without its own normaliser, as the tokenizers of T5 that keep case.
        let mut json: serde_json::Value = serde_json::from_slice(JSON).unwrap();
        json["normalizer"] = serde_json::Value::Null;
        let json = serde_json::to_vec(&json).unwrap();
        let ids = |lowercase: bool, text: &str| {
            Tokenizer::from_bytes(&json, 10, lowercase).unwrap().encode(text).unwrap().ids
        };
        assert_eq!(ids(true, "  A RED house\n"), ids(false, "a red house"));
        assert_ne!(ids(false, "A RED house"), ids(false, "a red house"));
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        for bytes in [b"".as_slice(), b"{}", b"not json", b"[1,2]", &JSON[..JSON.len() / 2]] {
            let error = Tokenizer::from_bytes(bytes, 40, false).unwrap_err().to_string();
            assert!(error.contains("tokenizer.json"), "{error}");
        }
        assert!(Tokenizer::from_bytes(JSON, 0, false).is_err());
        assert!(Tokenizer::from_bytes(JSON, usize::MAX, false).is_err());
        assert_eq!(Tokenizer::from_bytes(JSON, 1, false).unwrap().encode("a house").unwrap().ids, [END]);
    }

    proptest! {
        #[test]
        fn any_text_gives_the_fixed_length(text: String, lowercase: bool) {
            let tokenizer = Tokenizer::from_bytes(JSON, 12, lowercase).unwrap();
            let tokenized = tokenizer.encode(&text).unwrap();
            let count = tokenized.mask.iter().sum::<u32>() as usize;
            prop_assert_eq!(tokenized.ids.len(), 12);
            prop_assert_eq!(tokenized.ids[count - 1], END);
            prop_assert!(tokenized.mask[..count].iter().all(|&m| m == 1));
            prop_assert!(tokenized.ids[count..].iter().all(|&id| id == 0));
        }
    }
}
