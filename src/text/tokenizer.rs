//! Prompt to token ids: a `tokenizer.json` run by the `tokenizers` crate, always padded to one length.
//!
//! Imagen and DeepFloyd IF condition on a fixed number of T5 positions, so truncation and padding belong to the model
//! and not to the file. They are done here, as T5 has them: the prompt's ids, `</s>`, padding on the right.

use super::{TextError, charsmap};
use serde_json::{Map, Value};

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
    /// Id of `</s>`.
    end: u32,
    padding: u32,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Every prompt becomes `max_length` ids (1 to 4096, `</s>` included); with `lowercase`
    /// the prompt is stripped and lower-cased first, as DeepFloyd IF does.
    ///
    /// # Errors
    /// [`TextError::Tokenizer`] where the bytes are no tokenizer of T5's kind, or `max_length` is out of range.
    pub fn from_bytes(json: &[u8], max_length: usize, lowercase: bool) -> Result<Self, TextError> {
        let unusable = |reason: String| TextError::Tokenizer { reason };
        if !(1..=LONGEST).contains(&max_length) {
            return Err(unusable(format!("a length of {max_length} is not between 1 and {LONGEST}")));
        }
        let mut file: Map<String, Value> = serde_json::from_slice(json).map_err(|error| unusable(error.to_string()))?;
        let padding = file.get("padding").and_then(|padding| padding.get("pad_id")).and_then(Value::as_u64);
        // Not needed here, and the crate panics on some damaged files in these parts.
        for part in ["decoder", "post_processor", "truncation", "padding"] {
            file.insert(part.to_owned(), Value::Null);
        }
        file.get("normalizer").map_or(Ok(()), charsmap::check_normalizer).map_err(unusable)?;
        let inner: tokenizers::Tokenizer =
            serde_json::from_value(Value::Object(file)).map_err(|error| unusable(error.to_string()))?;
        let end = inner.token_to_id("</s>").ok_or_else(|| unusable("it has no token </s>".to_owned()))?;
        let padding = padding.and_then(|id| u32::try_from(id).ok()).or_else(|| inner.token_to_id("<pad>"));
        // T5's vocabularies start with the padding token.
        Ok(Self { inner, max_length, lowercase, end, padding: padding.unwrap_or(0) })
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
            self.inner.encode_fast(prompt.trim().to_lowercase(), false)
        } else {
            self.inner.encode_fast(prompt, false)
        };
        let encoding = encoding.map_err(|error| TextError::Prompt { reason: error.to_string() })?;
        let all = encoding.get_ids();
        let kept = all.len().min(self.max_length - 1);
        let mut ids = all[..kept].to_vec();
        ids.push(self.end);
        let mut mask = vec![1; ids.len()];
        ids.resize(self.max_length, self.padding);
        mask.resize(self.max_length, 0);
        Ok(Tokenized { ids, mask, truncated: kept < all.len() })
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
        fn a_damaged_file_is_an_error_or_works(at in 0..JSON.len(), byte: u8) {
            let mut json = JSON.to_vec();
            json[at] = byte;
            if let Ok(tokenizer) = Tokenizer::from_bytes(&json, 12, false) {
                let _ = tokenizer.encode("a red house </s> on a hill");
            }
        }

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
