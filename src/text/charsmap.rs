//! SentencePiece's normalisation table (`precompiled_charsmap`): its form is checked, because the library that applies it
//! trusts it.
//!
//! The table is a double array (Aoe 1989, as in darts-clone) behind its length in bytes, then the replacements, each ended
//! by a zero byte. A node lies at `base ^ byte`; the arrays are built in blocks of 256, so that this never leaves the block.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Checks every table in the normaliser of a `tokenizer.json`.
///
/// # Errors
/// What is wrong with a table, in words.
pub(super) fn check_normalizer(normalizer: &Value) -> Result<(), String> {
    let nested = normalizer.get("normalizers").and_then(Value::as_array);
    nested.into_iter().flatten().try_for_each(check_normalizer)?;
    match normalizer.get("precompiled_charsmap").and_then(Value::as_str) {
        Some(text) => check(&BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?),
        None => Ok(()),
    }
}

/// Checks one table.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check(table: &[u8]) -> Result<(), String> {
    let damaged = || "the normalisation table is damaged".to_owned();
    let (length, rest) = table.split_first_chunk().ok_or_else(damaged)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (trie, replacements) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let replacements = std::str::from_utf8(replacements).map_err(|_| damaged())?;
    let (units, rest) = trie.as_chunks();
    let units: Vec<usize> = units.iter().map(|&unit| u32::from_le_bytes(unit) as usize).collect();
    if units.is_empty() || !units.len().is_multiple_of(256) || !rest.is_empty() {
        return Err(damaged());
    }
    for (node, &unit) in units.iter().enumerate() {
        // A set high bit marks a value, which is no node. The root is followed without a look at it.
        if node > 0 && unit >> 31 == 1 {
            continue;
        }
        let base = node ^ ((unit >> 10) << ((unit & 0x200) >> 6));
        let leaf = (unit >> 8) & 1 == 1;
        let value = units.get(base).ok_or_else(damaged)? & 0x7fff_ffff;
        if leaf && !replacements.is_char_boundary(value) {
            return Err(damaged());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokenizers::normalizers::Precompiled;

    /// The table of T5's kind in the fixture.
    fn table() -> Vec<u8> {
        let json = include_bytes!("../../tests/fixtures/vocabulary/tokenizer.json");
        let json: Value = serde_json::from_slice(json).unwrap();
        BASE64_STANDARD.decode(json["normalizer"]["precompiled_charsmap"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn sentencepieces_own_table_passes() {
        check(&table()).unwrap();
        let nested = serde_json::json!({"type": "Sequence", "normalizers": [{"precompiled_charsmap": "AAAA"}]});
        assert!(check_normalizer(&nested).is_err());
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        let mut table = table();
        table[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(check(&table).is_err());
        assert!(check(&[]).is_err() && check(&[0, 0, 0, 0]).is_err());
    }

    #[test]
    fn a_root_that_leads_outside_is_refused() {
        let mut table = table();
        table[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(check(&table).is_err());
    }

    proptest! {
        #[test]
        fn what_passes_can_be_applied(changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..40), text: String) {
            let mut table = table();
            for (at, byte) in changes {
                // The trie's first blocks are those that short texts reach.
                table[4 + at] = byte;
            }
            if check(&table).is_ok() {
                let applied = Precompiled::from(&table).unwrap();
                applied.normalize_string(&format!("{text} ﬁ Å ½ a\u{301} ｆ"));
            }
        }
    }
}
