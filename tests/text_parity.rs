//! Tokenizer and T5 encoder against transformers. The fixtures are made by `tests/reference/{tokenizer,t5}.py`.

mod storybook;

use burn::tensor::{Device, Int, Tensor, TensorData};
use imagen_web::gpu::Backend;
use imagen_web::text::t5::bucket;
use imagen_web::text::{T5Config, T5Encoder, TextEncoder, Tokenized, Tokenizer};
use imagen_web::weights::{FileSource, WeightIndex, Weights};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// Lowest cosine between a token's embedding and transformers' on the same dequantised weights.
const COSINE: f64 = 0.99999;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn open(path: &Path) -> Weights {
    pollster::block_on(Weights::open(Box::new(FileSource::open(path).unwrap()))).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn integers(file: &SafeTensors<'_>, name: &str) -> Vec<i64> {
    file.tensor(name).unwrap().data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Largest absolute difference, and the lowest cosine of a token.
fn compare(actual: &[f32], expected: &[f32], d_model: usize) -> (f32, f64) {
    assert_eq!(actual.len(), expected.len());
    let difference = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let cosines = actual.chunks(d_model).zip(expected.chunks(d_model)).map(|(a, b)| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    });
    (difference, cosines.fold(1.0, f64::min))
}

#[test]
fn ids_are_transformers() {
    let json = std::fs::read(fixture("tokenizer.json")).unwrap();
    let tokenizer = Tokenizer::from_bytes(&json, 40, false).unwrap();
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(fixture("tokenizer_cases.json")).unwrap()).unwrap();
    assert!(cases.len() >= 200);
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let mut ids: Vec<u32> = case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let mut mask = vec![1; ids.len()];
        ids.resize(40, 0);
        mask.resize(40, 0);
        let tokenized = tokenizer.encode(text).unwrap();
        assert_eq!(tokenized.ids, ids, "{text:?}");
        assert_eq!(tokenized.mask, mask, "{text:?}");
        assert_eq!(tokenized.truncated, case["truncated"].as_bool().unwrap(), "{text:?}");
    }
}

#[test]
fn the_model_is_transformers_on_the_dequantised_weights() {
    let bytes = std::fs::read(fixture("t5.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let device = Device::flex();
    let shape: [usize; 2] = expected.tensor("ids").unwrap().shape().try_into().unwrap();
    let ids = integers(&expected, "ids");
    let mask: Vec<f32> = integers(&expected, "mask").into_iter().map(|m| m as f32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device);
    let mask = Tensor::<2>::from_data(TensorData::new(mask, shape), &device);
    let names: Vec<&str> = expected.names().into_iter().filter_map(|n| n.strip_prefix("embedding.")).collect();
    assert_eq!(names.len(), 9);
    for name in names {
        let mut weights = open(&fixture(&format!("t5_{name}.gguf")));
        let model = pollster::block_on(T5Encoder::load(&mut weights, &device)).unwrap();
        let output = model.forward(ids.clone(), mask.clone()).into_data().try_into_vec::<f32>().unwrap();
        let (difference, cosine) = compare(&output, &floats(&expected, &format!("embedding.{name}")), 64);
        println!("{name}: largest difference {difference:.1e}, 1 - cosine {:.1e}", 1.0 - cosine);
        assert!(difference <= 1e-3 && cosine >= COSINE, "{name}: {difference} {cosine}");
    }
}

#[test]
fn buckets_are_transformers() {
    let bytes = std::fs::read(fixture("t5.safetensors")).unwrap();
    let expected = integers(&SafeTensors::deserialize(&bytes).unwrap(), "buckets");
    let weights = open(&fixture("t5_v1_1_q4_0.gguf"));
    let config = T5Config::from_metadata("test", weights.metadata(), &WeightIndex::from(&weights)).unwrap();
    let buckets: Vec<i64> = (-300..=300).map(|distance| bucket(&config, distance) as i64).collect();
    assert_eq!(buckets, expected);
}

#[test]
fn the_plan_is_transformers_on_the_dequantised_weights() {
    let bytes = std::fs::read(fixture("t5.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let tokens = expected.tensor("ids").unwrap().shape()[1];
    let (ids, mask) = (integers(&expected, "ids"), integers(&expected, "mask"));
    let whole = |values: &[i64]| values.iter().map(|&value| value as u32).collect::<Vec<u32>>();
    let prompts: Vec<Tokenized> = ids
        .chunks(tokens)
        .zip(mask.chunks(tokens))
        .map(|(ids, mask)| Tokenized { ids: whole(ids), mask: whole(mask), truncated: false })
        .collect();
    // Exactly WebGPU's default limits and no optional feature.
    let device = pollster::block_on(imagen_web::gpu::Device::with_default_limits()).unwrap();
    let backend = Backend::Gpu(device);
    for name in expected.names().into_iter().filter_map(|name| name.strip_prefix("embedding.")) {
        let weights = open(&fixture(&format!("t5_{name}.gguf")));
        let mut encoder = pollster::block_on(TextEncoder::load(weights, &backend)).unwrap();
        let embeddings = pollster::block_on(encoder.encode(&prompts)).unwrap();
        let output: Vec<f32> = embeddings.into_iter().flat_map(|embedding| embedding.values).collect();
        // Layer by layer it is the same program.
        let weights = open(&fixture(&format!("t5_{name}.gguf")));
        let mut streamed = pollster::block_on(TextEncoder::streamed(weights, &backend)).unwrap();
        let embeddings = pollster::block_on(streamed.encode(&prompts)).unwrap();
        assert!(
            output == embeddings.into_iter().flat_map(|embedding| embedding.values).collect::<Vec<f32>>(),
            "{name}"
        );
        let (difference, cosine) = compare(&output, &floats(&expected, &format!("embedding.{name}")), 64);
        println!("{name}, plan: largest difference {difference:.1e}, 1 - cosine {:.1e}", 1.0 - cosine);
        assert!(difference <= 1e-3 && cosine >= COSINE, "{name}: {difference} {cosine}");
    }
}

#[test]
fn storybook_is_transformers_from_prompt_to_embedding() {
    let model = storybook::folder();
    let tokenizer = Tokenizer::from_bytes(&std::fs::read(model.join("tokenizer.json")).unwrap(), 40, false).unwrap();
    let prompts = std::fs::read_to_string(fixture("t5_storybook.txt")).unwrap();
    let prompts: Vec<Tokenized> = prompts.lines().map(|prompt| tokenizer.encode(prompt).unwrap()).collect();
    assert_eq!(prompts.len(), 20);
    let format = open(&model.join("text_encoder.gguf")).tensor("enc.blk.0.attn_q.weight").unwrap().format;
    let name = format!("t5_storybook_{}.safetensors", format.to_string().to_lowercase());
    let bytes = std::fs::read(fixture(&name)).expect("made by tests/reference/t5.py for this type");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let device = pollster::block_on(imagen_web::gpu::Device::with_default_limits()).unwrap();
    for backend in [Backend::Cpu, Backend::Gpu(device)] {
        let weights = open(&model.join("text_encoder.gguf"));
        let mut encoder = pollster::block_on(TextEncoder::load(weights, &backend)).unwrap();
        let start = std::time::Instant::now();
        let embeddings = pollster::block_on(encoder.encode(&prompts)).unwrap();
        let seconds = start.elapsed().as_secs_f32();
        let ids: Vec<i64> = embeddings.iter().flat_map(|e| e.ids.iter().map(|&id| i64::from(id))).collect();
        let mask: Vec<i64> = embeddings.iter().flat_map(|e| e.mask.iter().map(|&m| i64::from(m))).collect();
        assert_eq!((ids, mask), (integers(&expected, "ids"), integers(&expected, "mask")));
        // The fixture holds every eighth column, others for each of eight prompts.
        let columns = embeddings.iter().enumerate().flat_map(|(prompt, embedding)| {
            embedding.values.chunks(embedding.d_model).flat_map(move |row| row.iter().skip(prompt % 8).step_by(8))
        });
        let output: Vec<f32> = columns.copied().collect();
        let (difference, cosine) = compare(&output, &floats(&expected, "embedding"), 32);
        println!(
            "storybook, {}: largest difference {difference:.1e}, 1 - cosine {:.1e}, {seconds:.2} s for 20 prompts",
            backend.name(),
            1.0 - cosine
        );
        assert!(difference <= 1e-3 && cosine >= COSINE, "{difference} {cosine}");
    }
}
