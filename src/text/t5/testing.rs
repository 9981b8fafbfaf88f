//! Encoders of any sizes and formats for tests, as files in memory.

use super::{FeedForwardKind, T5Config, llama_cpp_name};
use crate::gpu::testing::values;
use crate::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, Weights};

/// T5 v1.1 of the given sizes.
pub(super) fn config(d_model: usize, d_ff: usize, num_heads: usize, num_layers: usize) -> T5Config {
    T5Config {
        vocab_size: 32128,
        d_model,
        d_ff,
        d_kv: 64,
        num_heads,
        num_layers,
        relative_attention_num_buckets: 32,
        relative_attention_max_distance: 128,
        layer_norm_epsilon: 1e-6,
        feed_forward: FeedForwardKind::GatedGelu,
    }
}

/// Names and shapes of a v1.1 encoder's tensors as llama.cpp calls them, block by block.
pub(super) fn tensors(config: &T5Config) -> Vec<(String, Vec<usize>)> {
    let (outer, inner, wide) = (config.d_model, config.inner_dim(), config.d_ff);
    let mut tensors = vec![
        ("shared.weight".to_owned(), vec![config.vocab_size, outer]),
        (
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight".to_owned(),
            vec![config.relative_attention_num_buckets, config.num_heads],
        ),
    ];
    for block in 0..config.num_layers {
        let mut part = |name: &str, shape: &[usize]| {
            tensors.push((format!("encoder.block.{block}.layer.{name}.weight"), shape.to_vec()));
        };
        for name in ["q", "k", "v"] {
            part(&format!("0.SelfAttention.{name}"), &[inner, outer]);
        }
        part("0.SelfAttention.o", &[outer, inner]);
        part("0.layer_norm", &[outer]);
        part("1.layer_norm", &[outer]);
        part("1.DenseReluDense.wi_0", &[wide, outer]);
        part("1.DenseReluDense.wi_1", &[wide, outer]);
        part("1.DenseReluDense.wo", &[outer, wide]);
    }
    tensors.push(("encoder.final_layer_norm.weight".to_owned(), vec![outer]));
    tensors.into_iter().map(|(name, shape)| (llama_cpp_name(&name), shape)).collect()
}

/// A file of random weights; `format` says how a matrix is stored. Vectors and the position bias are F32.
pub(super) fn file(config: &T5Config, format: impl Fn(&str) -> BlockFormat) -> Vec<u8> {
    let mut metadata = Metadata::new("t5encoder");
    for (key, value) in [
        ("embedding_length", config.d_model),
        ("feed_forward_length", config.d_ff),
        ("block_count", config.num_layers),
        ("attention.head_count", config.num_heads),
        ("attention.key_length", config.d_kv),
        ("attention.relative_buckets_count", config.relative_attention_num_buckets),
    ] {
        metadata.set(&format!("t5encoder.{key}"), value as u32);
    }
    let tensors = tensors(config);
    let mut writer = GgufWriter::new("text_encoder.gguf", metadata);
    for (name, shape) in &tensors {
        let plain = shape.len() == 1 || name.contains("attn_rel_b");
        writer.declare(name, shape, if plain { BlockFormat::F32 } else { format(name) }).unwrap();
    }
    let mut body = writer.begin(Vec::new()).unwrap();
    for (seed, (name, shape)) in (0..).zip(&tensors) {
        // Norms about 1, matrices so that a product keeps its input's size.
        let (mean, scale) = if shape.len() == 1 { (1.0, 0.2) } else { (0.0, (3.0 / shape[1] as f32).sqrt()) };
        let scale = if name.contains("token_embd") { 1.0 } else { scale };
        let values: Vec<f32> = values(seed, shape.iter().product()).iter().map(|v| mean + v * scale).collect();
        body.rows(&values).unwrap();
    }
    body.finish().unwrap()
}

pub(super) fn open(bytes: &[u8]) -> Weights {
    pollster::block_on(Weights::open(Box::new(MemorySource::new("text_encoder.gguf", bytes.to_vec())))).unwrap()
}

/// A small encoder of four blocks in the formats of llama.cpp's Q4_K_M: the first and the last hold their values and what
/// leaves the feed-forward in Q6_K, so that blocks differ in how many products they are.
pub(super) fn mixture() -> Vec<u8> {
    let mut config = config(256, 512, 4, 4);
    config.vocab_size = 300;
    file(&config, |name| {
        let more = name.contains("blk.0.") || name.contains("blk.3.");
        if more && (name.contains("attn_v") || name.contains("ffn_down")) { BlockFormat::Q6K } else { BlockFormat::Q4K }
    })
}
