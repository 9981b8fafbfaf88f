//! A tokenizer for a set of captions: T5's kind, a unigram model (Kudo 2018) behind a splitting at spaces, whose every word is
//! one piece. A vocabulary that is learnt from so few words cuts the short ones to letters; here it is written out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFKC, Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizedString, Normalizer, Tokenizer};

/// T5's first three pieces: padding, end, unknown.
const SPECIAL: [&str; 3] = ["<pad>", "</s>", "<unk>"];
/// What a word begins with.
const SPACE: char = '▁';
/// What other words are spelt with, beside the captions' own characters.
const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'\"-:;()&";

/// Why there is no tokenizer.
#[derive(Debug, Error)]
pub enum TokenizerError {
    #[error("there is no word in these captions")]
    NoWords,
    #[error("size: {size} pieces are too few, {least} are needed for characters and special pieces alone")]
    Size { size: usize, least: usize },
    #[error("the vocabulary makes no tokenizer: {0}")]
    Vocabulary(#[from] tokenizers::Error),
}

/// A `tokenizer.json` whose pieces are the words of these captions, without punctuation behind them, and the characters that
/// everything else is spelt with. Of more than `size` pieces in all, the rarest words are left out.
///
/// # Errors
/// [`TokenizerError::NoWords`], and [`TokenizerError::Size`] where `size` has no room for the characters.
pub fn tokenizer<S: AsRef<str>>(captions: impl IntoIterator<Item = S>, size: usize) -> Result<String, TokenizerError> {
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    let normalizer = Sequence::new(vec![NFKC.into(), Lowercase.into(), spaces.into(), Strip::new(true, true).into()]);
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    let mut characters: BTreeSet<char> = CHARACTERS.chars().chain([SPACE]).collect();
    for caption in captions {
        let mut text = NormalizedString::from(caption.as_ref());
        normalizer.normalize(&mut text)?;
        characters.extend(text.get().chars().filter(|character| !character.is_whitespace()));
        let bare = text.get().split(' ').map(|word| word.trim_end_matches([',', '.', '!', '?', ';', ':']));
        bare.filter(|word| !word.is_empty()).for_each(|word| *words.entry(word.to_owned()).or_default() += 1);
    }
    let pieces = pieces(words, &characters, size)?;
    let mut tokenizer = Tokenizer::new(Unigram::from(pieces, Some(2), false)?);
    tokenizer.with_normalizer(Some(normalizer))?;
    let metaspace = || Metaspace::new(SPACE, PrependScheme::Always, true);
    tokenizer.with_pre_tokenizer(Some(metaspace())).with_decoder(Some(metaspace()));
    tokenizer.with_post_processor(Some(end()?));
    tokenizer.add_special_tokens(SPECIAL.map(|piece| AddedToken::from(piece, true)))?;
    Ok(tokenizer.to_string(true)?)
}

/// `</s>` behind every text.
fn end() -> Result<TemplateProcessing, tokenizers::Error> {
    let mut template = TemplateProcessing::builder();
    template.try_single("$A </s>")?.try_pair("$A </s> $B </s>")?.special_tokens(vec![(SPECIAL[1], 1)]);
    Ok(template.build()?)
}

/// All pieces with their scores: words by the logarithm of their frequency, the most frequent first.
fn pieces(
    words: BTreeMap<String, u64>,
    characters: &BTreeSet<char>,
    size: usize,
) -> Result<Vec<(String, f64)>, TokenizerError> {
    let least = SPECIAL.len() + characters.len();
    if size <= least {
        return Err(TokenizerError::Size { size, least: least + 1 });
    }
    let all: u64 = words.values().sum();
    let mut words: Vec<(String, u64)> = words.into_iter().collect();
    words.sort_by_key(|(_, count)| Reverse(*count));
    words.truncate(size - least);
    let Some((_, rarest)) = words.last() else { return Err(TokenizerError::NoWords) };
    let score = |count: u64| (count as f64 / all as f64).ln();
    // Any other way to write a word has a character in it, and so a lower sum than the word alone.
    let spelt = score(*rarest) - 1.0;
    let special = SPECIAL.map(|piece| (piece.to_owned(), 0.0));
    let words = words.iter().map(|(word, count)| (format!("{SPACE}{word}"), score(*count)));
    let characters = characters.iter().map(|character| (character.to_string(), spelt));
    Ok(special.into_iter().chain(words).chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Pairs, Scene};
    use crate::text;
    use serde::Deserialize;

    fn captions(seed: u64, count: u64) -> impl Iterator<Item = String> {
        (0..count).map(move |index| Scene::new(seed, index, Pairs::Usual).caption)
    }

    fn vocabulary(json: &str) -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        let pieces = json["model"]["vocab"].as_array().unwrap().iter();
        pieces.map(|piece| piece[0].as_str().unwrap().to_owned()).collect()
    }

    /// Every word of the grammar, of scenes that it was not made from too, and every comma.
    #[test]
    fn every_word_of_the_grammar_is_one_piece() {
        let json = tokenizer(captions(0, 20_000), 1024).unwrap();
        let vocabulary = vocabulary(&json);
        let tokenizer = text::Tokenizer::from_bytes(json.as_bytes(), 60, false).unwrap();
        let held_out = (0..5_000).map(|index| Scene::new(9, index, Pairs::HeldOut).caption);
        for caption in captions(8, 20_000).chain(held_out) {
            let tokenized = tokenizer.encode(&caption).unwrap();
            let count = tokenized.mask.iter().sum::<u32>() as usize - 1;
            let read: Vec<&str> = tokenized.ids[..count].iter().map(|id| vocabulary[*id as usize].as_str()).collect();
            let words = caption.split(' ').flat_map(|word| match word.strip_suffix(',') {
                Some(word) => vec![format!("▁{word}"), ",".to_owned()],
                None => vec![format!("▁{word}")],
            });
            assert_eq!(read, words.collect::<Vec<_>>(), "{caption}");
        }
    }

    #[derive(Deserialize)]
    struct Case {
        text: String,
        ids: Vec<u32>,
    }

    /// Of `tests/reference/tokenizer.py`, from the file that `imagen dataset tokenizer` makes.
    #[test]
    fn transformers_reads_it_with_the_same_ids() {
        let cases = include_str!("../../tests/fixtures/grammar_tokenizer_cases.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        let json = tokenizer(captions(0, super::super::CAPTIONS), 1024).unwrap();
        let tokenizer = text::Tokenizer::from_bytes(json.as_bytes(), 40, false).unwrap();
        assert!(cases.len() > 200);
        for Case { text, ids } in cases {
            let tokenized = tokenizer.encode(&text).unwrap();
            let count = tokenized.mask.iter().sum::<u32>() as usize;
            assert_eq!(tokenized.ids[..count], ids, "{text:?}");
        }
    }

    #[test]
    fn the_rarest_words_are_spelt_where_there_is_no_room() {
        let captions = ["A red  fox", "a fox!", "a FOX, and a zebra"];
        let all = vocabulary(&tokenizer(captions, 1024).unwrap());
        assert_eq!(all[..6], ["<pad>", "</s>", "<unk>", "▁a", "▁fox", "▁and"]);
        let characters = all.len() - 3 - 5;
        let few = vocabulary(&tokenizer(captions, 3 + characters + 2).unwrap());
        assert_eq!((few[3].as_str(), few[4].as_str(), few.len()), ("▁a", "▁fox", 3 + characters + 2));
        let least = tokenizer(captions, 3 + characters).unwrap_err();
        assert!(least.to_string().contains(&format!("{} are needed", 4 + characters)), "{least}");
        assert!(matches!(tokenizer(["", "  ,"], 1024), Err(TokenizerError::NoWords)));
    }
}
