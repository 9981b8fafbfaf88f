//! T5's vocabulary as `tokenizer.json`, from SentencePiece's `spiece.model` or from a GGUF file as llama.cpp's converter
//! writes it: a unigram model (Kudo 2018) behind the normalisation table and the splitting at spaces that transformers'
//! `T5Tokenizer` uses.

use crate::text::charsmap;
use crate::weights::{Array, Metadata};
use prost::Message;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{AddedToken, Tokenizer};

/// T5 puts this many sentinels behind the vocabulary, the last first.
const SENTINELS: usize = 100;
/// `<unk>` of T5.
const UNKNOWN: usize = 2;
/// GGUF's type of a token that only fills the table up.
const UNUSED: i32 = 5;

/// SentencePiece's `ModelProto`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Normalizer>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, tag = "1")]
    piece: String,
    #[prost(float, tag = "2")]
    score: f32,
}

#[derive(Clone, PartialEq, Message)]
struct Trainer {
    /// 1 is a unigram model.
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(bytes = "vec", tag = "2")]
    precompiled_charsmap: Vec<u8>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
}

/// Pieces with their log-probabilities, and how text is prepared for them.
#[derive(Debug, PartialEq)]
pub(super) struct Vocabulary {
    pieces: Vec<(String, f64)>,
    charsmap: Vec<u8>,
}

impl Vocabulary {
    /// Reads a `spiece.model`.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn from_sentencepiece(bytes: &[u8]) -> Result<Self, String> {
        let model = Model::decode(bytes).map_err(|error| format!("it is no SentencePiece model: {error}"))?;
        let unigram = model.trainer.and_then(|trainer| trainer.model_type).unwrap_or(1) == 1;
        let normalizer = model.normalizer.unwrap_or_default();
        let prefix = normalizer.add_dummy_prefix.unwrap_or(true);
        let trim = normalizer.remove_extra_whitespaces.unwrap_or(true);
        if !(unigram && prefix && trim) {
            return Err("it is a SentencePiece model, but not of T5's kind".to_owned());
        }
        let pieces = model.pieces.into_iter().map(|piece| (piece.piece, f64::from(piece.score))).collect();
        Self { pieces, charsmap: normalizer.precompiled_charsmap }.checked()
    }

    /// Reads the vocabulary in a GGUF file's metadata.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, String> {
        if metadata.string("tokenizer.ggml.model") != Some("t5") {
            return Err("it holds no tokenizer of T5's kind (tokenizer.ggml.model is not t5)".to_owned());
        }
        let missing = |key: &str| format!("tokenizer.ggml.{key} is missing or of another type");
        let array = |key: &str| metadata.array(&format!("tokenizer.ggml.{key}"));
        let Some(Array::String(tokens)) = array("tokens") else { return Err(missing("tokens")) };
        let Some(Array::F32(scores)) = array("scores") else { return Err(missing("scores")) };
        let Some(Array::I32(kinds)) = array("token_type") else { return Err(missing("token_type")) };
        let charsmap = match array("precompiled_charsmap") {
            Some(Array::U8(bytes)) => bytes.clone(),
            Some(Array::I8(bytes)) => bytes.iter().map(|&byte| byte as u8).collect(),
            None => Vec::new(),
            Some(_) => return Err(missing("precompiled_charsmap")),
        };
        let on = |key: &str| metadata.bool(&format!("tokenizer.ggml.{key}")).unwrap_or(true);
        if tokens.len() != scores.len() || tokens.len() != kinds.len() {
            return Err("its tokens, scores and token types differ in number".to_owned());
        }
        if !(on("add_space_prefix") && on("remove_extra_whitespaces")) {
            return Err("its tokenizer prepares text in another way than T5's".to_owned());
        }
        // The rest of the table has no names of its own; T5's sentinels are among it.
        let named = kinds.iter().rposition(|&kind| kind != UNUSED).map_or(0, |last| last + 1);
        let pieces = tokens[..named].iter().cloned().zip(scores.iter().copied().map(f64::from)).collect();
        Self { pieces, charsmap }.checked()
    }

    fn checked(self) -> Result<Self, String> {
        if !self.charsmap.is_empty() {
            charsmap::check(&self.charsmap)?;
        }
        if self.pieces.get(UNKNOWN).is_none_or(|(piece, _)| piece != "<unk>") {
            return Err("its third token is not <unk>, as it is in T5's vocabularies".to_owned());
        }
        Ok(self)
    }

    /// The same as a `tokenizer.json`.
    ///
    /// # Errors
    /// Pieces that make no model.
    pub fn to_json(&self) -> Result<String, tokenizers::Error> {
        let mut pieces = self.pieces.clone();
        let mut special: Vec<String> = pieces.iter().take(UNKNOWN + 1).map(|(piece, _)| piece.clone()).collect();
        if !pieces.iter().any(|(piece, _)| piece == "<extra_id_0>") {
            let sentinels = || (0..SENTINELS).rev().map(|number| format!("<extra_id_{number}>"));
            pieces.extend(sentinels().map(|sentinel| (sentinel, 0.0)));
            special.extend(sentinels());
        }
        let mut tokenizer = Tokenizer::new(Unigram::from(pieces, Some(UNKNOWN), false)?);
        if !self.charsmap.is_empty() {
            let table = Precompiled::from(&self.charsmap).map_err(|error| error.to_string())?;
            tokenizer.with_normalizer(Some(table))?;
        }
        let spaces = Metaspace::new('▁', PrependScheme::Always, true);
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![WhitespaceSplit.into(), spaces.into()])));
        tokenizer.add_special_tokens(special.into_iter().map(|token| AddedToken::from(token, true)))?;
        tokenizer.to_string(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{MemorySource, Weights};
    use proptest::prelude::*;
    use serde::Deserialize;

    const SPIECE: &[u8] = include_bytes!("../../tests/fixtures/vocabulary/spiece.model");
    const GGUF: &[u8] = include_bytes!("../../tests/fixtures/vocabulary/vocabulary.gguf");
    const JSON: &[u8] = include_bytes!("../../tests/fixtures/vocabulary/tokenizer.json");

    #[derive(Deserialize)]
    struct Case {
        text: String,
        ids: Vec<u32>,
    }

    fn gguf(bytes: &[u8]) -> Result<Vocabulary, String> {
        let source = MemorySource::new("vocabulary", bytes.to_vec());
        let weights = pollster::block_on(Weights::open(Box::new(source))).map_err(|error| error.to_string())?;
        Vocabulary::from_gguf(weights.metadata())
    }

    /// A thousand strings of many scripts, with control characters, sentinels and words of any length.
    #[test]
    fn three_ways_give_transformers_ids() {
        let json = include_bytes!("../../tests/fixtures/vocabulary/cases.json");
        let cases: Vec<Case> = serde_json::from_slice(json).unwrap();
        assert_eq!(cases.len(), 1000);
        let ours = [Vocabulary::from_sentencepiece(SPIECE).unwrap(), gguf(GGUF).unwrap()];
        assert_eq!(ours[0], ours[1]);
        let written = ours.map(|vocabulary| vocabulary.to_json().unwrap());
        for json in [JSON, written[0].as_bytes(), written[1].as_bytes()] {
            let tokenizer = crate::text::Tokenizer::from_bytes(json, 4096, false).unwrap();
            for Case { text, ids } in &cases {
                let tokenized = tokenizer.encode(text).unwrap();
                let own: Vec<u32> = tokenized
                    .ids
                    .iter()
                    .zip(&tokenized.mask)
                    .filter(|(_, mask)| **mask == 1)
                    .map(|(id, _)| *id)
                    .collect();
                assert_eq!((&own, tokenized.truncated), (ids, false), "{text:?}");
            }
        }
    }

    #[test]
    fn other_models_are_refused() {
        let spiece = |change: &dyn Fn(&mut Model)| {
            let mut model = Model::decode(SPIECE).unwrap();
            change(&mut model);
            Vocabulary::from_sentencepiece(&model.encode_to_vec())
        };
        assert!(spiece(&|_| ()).is_ok());
        let kind = spiece(&|model| model.trainer = Some(Trainer { model_type: Some(2) })).unwrap_err();
        assert!(kind.contains("not of T5's kind"), "{kind}");
        assert!(spiece(&|model| model.normalizer.as_mut().unwrap().add_dummy_prefix = Some(false)).is_err());
        assert!(spiece(&|model| model.pieces.truncate(2)).unwrap_err().contains("<unk>"));
        assert!(spiece(&|model| model.normalizer.as_mut().unwrap().precompiled_charsmap.truncate(999)).is_err());
        assert!(Vocabulary::from_sentencepiece(b"no model").is_err());
        assert!(Vocabulary::from_gguf(&Metadata::new("llama")).unwrap_err().contains("tokenizer"));
    }

    proptest! {
        #[test]
        fn a_damaged_model_is_an_error_or_works(at in 0..SPIECE.len(), byte: u8, cut in 0..SPIECE.len()) {
            let mut bytes = SPIECE.to_vec();
            bytes[at] = byte;
            for bytes in [&bytes[..], &bytes[..cut]] {
                if let Ok(json) = Vocabulary::from_sentencepiece(bytes).and_then(|v| v.to_json().map_err(|e| e.to_string())) {
                    let tokenizer = crate::text::Tokenizer::from_bytes(json.as_bytes(), 64, false);
                    let _ = tokenizer.map(|tokenizer| tokenizer.encode("a red house ﬁ"));
                }
            }
        }
    }
}
