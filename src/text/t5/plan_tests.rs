//! The plan without a device: what it records for the published sizes, and how it refuses a wrong file.

use super::*;
use crate::text::t5::testing::{config, tensors};
use crate::weights::{BlockFormat, WeightIndex};

/// What a file of these sizes holds.
fn index(config: &T5Config, format: BlockFormat) -> WeightIndex {
    let mut index = WeightIndex::new();
    for (name, shape) in tensors(config) {
        let format = if shape.len() == 1 { BlockFormat::F32 } else { format };
        index.insert(name, shape, format);
    }
    index
}

/// A tensor that stays on the CPU.
fn table(name: &str) -> bool {
    name.contains("token_embd") || name.contains("attn_rel_b")
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
            assert!(index.iter().all(|(name, ..)| plan.uses(name) != table(name)));
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

#[test]
fn xxl_runs_in_two_layers_of_its_weights() {
    let config = config(4096, 10240, 64, 24);
    let describe = |index: &WeightIndex| {
        let builder = PlanBuilder::new(index, &wgpu::Limits::default());
        super::describe(builder, &config, 2, 77).unwrap()
    };
    for (format, most) in [(BlockFormat::Q4K, 300), (BlockFormat::Q6K, 400), (BlockFormat::Q8_0, 500)] {
        let plan = describe(&index(&config, format));
        let (whole, streamed) = (plan.peak_bytes(), plan.streamed_peak_bytes());
        println!(
            "T5-XXL, {format}, two prompts of 77: {} MB, layer by layer {} MB",
            whole / 1_000_000,
            streamed / 1_000_000
        );
        assert!(streamed <= most * 1_000_000, "{format}: {streamed}");
        // Two of twenty-four layers, and the activations.
        assert_eq!(plan.weight_bytes().div_ceil(12), plan.streamed_weight_bytes() + (4 * 4096u64).div_ceil(12));
    }
    // In F32 a matrix of the feed-forward is 168 MB, more than a binding.
    let plan = describe(&index(&config, BlockFormat::F32));
    // Two slabs of queries, keys and values together, and of each matrix of the feed-forward.
    assert_eq!(plan.dispatches(PHASE), 24 * (8 + 4) + 1);
    assert!(plan.streamed_weight_bytes() < 1600 << 20);
}

#[test]
fn layers_of_any_formats_share_their_buffers() {
    let config = config(256, 512, 4, 6);
    let all = |format| describe(PlanBuilder::new(&index(&config, format), &wgpu::Limits::default()), &config, 1, 8);
    let mut mixed = index(&config, BlockFormat::Q4K);
    for (block, format) in [(1, BlockFormat::Q6K), (4, BlockFormat::F16)] {
        for part in ["attn_v", "ffn_down"] {
            let name = format!("enc.blk.{block}.{part}.weight");
            let shape = mixed.get(&name).unwrap().0.to_vec();
            mixed.insert(name, shape, format);
        }
    }
    let plan = describe(PlanBuilder::new(&mixed, &wgpu::Limits::default()), &config, 1, 8).unwrap();
    let bytes = plan.streamed_weight_bytes();
    let (least, most) = (all(BlockFormat::Q4K).unwrap(), all(BlockFormat::F16).unwrap());
    assert!(bytes > least.streamed_weight_bytes() && bytes < most.streamed_weight_bytes(), "{bytes}");
    assert!(bytes < plan.weight_bytes());
}
