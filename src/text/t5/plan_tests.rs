//! The plan without a device: what it records for the published sizes, and how it refuses a wrong file.

use super::*;
use crate::text::t5::llama_cpp_name;
use crate::weights::{BlockFormat, WeightIndex};

/// T5 v1.1 of the given sizes.
fn config(d_model: usize, d_ff: usize, num_heads: usize, num_layers: usize) -> T5Config {
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

/// What a file of these sizes holds, but for the tables that stay on the CPU.
fn index(config: &T5Config, format: BlockFormat) -> WeightIndex {
    let (outer, inner, wide) = (config.d_model, config.inner_dim(), config.d_ff);
    let mut index = WeightIndex::new();
    let mut add = |name: String, shape: &[usize]| {
        let format = if shape.len() == 1 { BlockFormat::F32 } else { format };
        index.insert(llama_cpp_name(&name), shape, format);
    };
    for block in 0..config.num_layers {
        let mut part = |name: &str, shape: &[usize]| add(format!("encoder.block.{block}.layer.{name}.weight"), shape);
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
    add("encoder.final_layer_norm.weight".to_owned(), &[outer]);
    index
}

#[test]
fn every_published_size_builds_within_default_limits() {
    let sizes =
        [(512, 1024, 6, 8), (768, 2048, 12, 12), (1024, 2816, 16, 24), (2048, 5120, 32, 24), (4096, 10240, 64, 24)];
    for (d_model, d_ff, heads, layers) in sizes {
        let config = config(d_model, d_ff, heads, layers);
        for format in [BlockFormat::F16, BlockFormat::Q8_0, BlockFormat::Q4_0] {
            let index = index(&config, format);
            let mut builder = PlanBuilder::new(&index, &wgpu::Limits::default());
            // IF's 77 positions, with and without the prompt.
            let embedding = build(&mut builder, &config, 2, 77).unwrap();
            assert_eq!(embedding.shape, Shape::tokens(2, 77, d_model as u32));
            let plan = builder.finish().unwrap();
            // Two norms, attention and five products (queries, keys and values are one) per block, and the last norm.
            assert_eq!(plan.dispatches(PHASE), layers * 8 + 1);
            assert!(index.iter().all(|(name, ..)| plan.uses(name)));
            let kept = 2 * plan_inputs(&config);
            assert!(plan.plan_bytes() < kept + (32 << 20), "{d_model}: {} bytes", plan.plan_bytes());
        }
    }
}

/// Bytes of the inputs for two rows of 77.
fn plan_inputs(config: &T5Config) -> u64 {
    4 * (2 * 77 * config.d_model + 2 * 77 + config.num_heads * 77 * 77) as u64
}

#[test]
fn a_wrong_weight_is_named() {
    let config = config(512, 1024, 6, 2);
    let refuse = |index: &WeightIndex| {
        let mut builder = PlanBuilder::new(index, &wgpu::Limits::default());
        build(&mut builder, &config, 1, 8).unwrap_err().to_string()
    };
    let whole = index(&config, BlockFormat::F16);
    for wrong in ["enc.blk.1.attn_q.weight", "enc.blk.0.ffn_gate.weight", "enc.blk.1.ffn_norm.weight"] {
        let mut lacking = WeightIndex::new();
        let mut misshapen = WeightIndex::new();
        for (name, shape, format) in whole.iter() {
            if name == wrong {
                misshapen.insert(name, shape.iter().map(|size| size * 2).collect::<Vec<_>>(), format);
            } else {
                lacking.insert(name, shape, format);
                misshapen.insert(name, shape, format);
            }
        }
        assert!(refuse(&lacking).contains(wrong));
        assert!(refuse(&misshapen).contains(wrong));
    }
}
