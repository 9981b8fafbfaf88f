//! The text encoder's handling of batches and of bad input, on the CPU.

use super::*;
use crate::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, WeightsError};

const FILE: &[u8] = include_bytes!("../../tests/fixtures/t5_v1_1_q4_0.gguf");

fn open(bytes: Vec<u8>) -> Result<Weights, WeightsError> {
    pollster::block_on(Weights::open(Box::new(MemorySource::new("text_encoder.gguf", bytes))))
}

fn load(bytes: Vec<u8>) -> Result<TextEncoder, TextError> {
    pollster::block_on(TextEncoder::load(open(bytes)?, &Backend::Cpu))
}

fn message(bytes: Vec<u8>) -> String {
    load(bytes).err().map(|error| error.to_string()).unwrap_or_default()
}

fn prompt(ids: &[u32], length: usize) -> Tokenized {
    let mut prompt = Tokenized { ids: ids.to_vec(), mask: vec![1; ids.len()], truncated: false };
    prompt.ids.resize(length, 0);
    prompt.mask.resize(length, 0);
    prompt
}

#[test]
fn a_batch_is_its_prompts() {
    let mut encoder = load(FILE.to_vec()).unwrap();
    let prompts = [prompt(&[5, 9, 33, 1], 12), prompt(&[1], 12), prompt(&[7; 12], 12)];
    let batch = pollster::block_on(encoder.encode(&prompts)).unwrap();
    assert_eq!(batch.len(), 3);
    for (prompt, together) in prompts.iter().zip(&batch) {
        let alone = pollster::block_on(encoder.encode(std::slice::from_ref(prompt))).unwrap().remove(0);
        let difference = alone.values.iter().zip(&together.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-5, "{difference}");
        assert_eq!((&together.ids, &together.mask), (&prompt.ids, &prompt.mask));
        assert_eq!((together.tokens, together.d_model, together.values.len()), (12, 64, 12 * 64));
    }
    assert!(pollster::block_on(encoder.encode(&[])).unwrap().is_empty());
}

#[test]
fn padding_does_not_change_a_prompt() {
    let mut encoder = load(FILE.to_vec()).unwrap();
    let mut encode = |length| pollster::block_on(encoder.encode(&[prompt(&[5, 9, 33, 1], length)])).unwrap().remove(0);
    let (short, long) = (encode(4), encode(40));
    let difference = short.values.iter().zip(&long.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn nothing_but_padding_gives_numbers() {
    let mut encoder = load(FILE.to_vec()).unwrap();
    let embedding = pollster::block_on(encoder.encode(&[prompt(&[], 6)])).unwrap().remove(0);
    assert!(embedding.values.iter().all(|value| value.is_finite()));
}

#[test]
fn prompts_that_do_not_fit_are_refused() {
    let mut encoder = load(FILE.to_vec()).unwrap();
    let mut refuse = |prompts: &[Tokenized]| pollster::block_on(encoder.encode(prompts)).unwrap_err();
    assert!(matches!(refuse(&[prompt(&[64], 4)]), TextError::Token { id: 64, vocabulary: 64 }));
    assert!(matches!(refuse(&[prompt(&[1], 4), prompt(&[1], 5)]), TextError::Lengths { first: 4, other: 5 }));
    assert!(matches!(refuse(&[prompt(&[], 0)]), TextError::Lengths { .. }));
    let short_mask = Tokenized { mask: vec![1], ..prompt(&[1], 4) };
    assert!(matches!(refuse(&[short_mask]), TextError::Lengths { first: 4, other: 1 }));
}

#[test]
fn another_network_is_named() {
    let writer = GgufWriter::new("unet.gguf", Metadata::new("imagen-unet"));
    let error = message(writer.begin(Vec::new()).unwrap().finish().unwrap());
    assert!(error.contains("imagen-unet") && error.contains("t5encoder"), "{error}");
}

#[test]
fn a_truncated_file_is_refused() {
    for length in [0, 10, 200, FILE.len() / 2, FILE.len() - 1] {
        assert!(!message(FILE[..length].to_vec()).is_empty(), "{length} bytes");
    }
}

#[test]
fn a_wrong_hash_is_refused() {
    let mut weights = open(FILE.to_vec()).unwrap();
    weights.expect(FILE.len() as u64, &"0".repeat(64));
    let error = pollster::block_on(TextEncoder::load(weights, &Backend::Cpu)).err().unwrap();
    assert!(matches!(error, TextError::Weights(WeightsError::WrongHash { .. })), "{error}");
}

/// A file of one block whose tensors are zero, without those that `keep` refuses.
fn tiny(keys: &[(&str, u32)], keep: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut metadata = Metadata::new("t5encoder");
    for &(key, value) in keys {
        metadata.set(&format!("t5encoder.{key}"), value);
    }
    let (vector, square) = ([4].as_slice(), [4, 4].as_slice());
    let parts = [("attn_norm", vector), ("ffn_norm", vector), ("attn_rel_b", &[32, 2])];
    let squares = ["attn_q", "attn_k", "attn_v", "attn_o", "ffn_up", "ffn_down"].map(|part| (part, square));
    let mut tensors: Vec<(String, &[usize])> =
        parts.into_iter().chain(squares).map(|(part, shape)| (format!("enc.blk.0.{part}.weight"), shape)).collect();
    tensors.push(("token_embd.weight".to_owned(), &[8, 4]));
    tensors.push(("enc.output_norm.weight".to_owned(), vector));
    tensors.retain(|(name, _)| keep(name));
    let mut writer = GgufWriter::new("text_encoder.gguf", metadata);
    for (name, shape) in &tensors {
        writer.declare(name, shape, BlockFormat::F32).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for (_, shape) in &tensors {
        body.rows(&vec![0.0; shape.iter().product()]).unwrap();
    }
    body.finish().unwrap()
}

const KEYS: [(&str, u32); 6] = [
    ("embedding_length", 4),
    ("feed_forward_length", 4),
    ("block_count", 1),
    ("attention.head_count", 2),
    ("attention.key_length", 2),
    ("attention.relative_buckets_count", 32),
];

#[test]
fn what_a_file_lacks_is_named() {
    assert!(load(tiny(&KEYS, |_| true)).is_ok());
    for missing in ["token_embd.weight", "enc.blk.0.attn_rel_b.weight", "enc.blk.0.ffn_up.weight"] {
        let error = message(tiny(&KEYS, |name| name != missing));
        assert!(error.contains(missing), "{error}");
    }
    for missing in 0..KEYS.len() {
        let mut keys = KEYS.to_vec();
        let (key, _) = keys.remove(missing);
        let error = message(tiny(&keys, |_| true));
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let cases = [("embedding_length", 0), ("block_count", u32::MAX), ("attention.relative_buckets_count", 3)];
    for (key, value) in cases.into_iter().chain([("feed_forward_length", u32::MAX), ("embedding_length", 8)]) {
        let keys = KEYS.map(|(k, v)| if k == key { (k, value) } else { (k, v) });
        assert!(!message(tiny(&keys, |_| true)).is_empty(), "{key} = {value}");
    }
}
