//! An encoder of T5-XXL's size on a GPU that is smaller than its weights: a generated file in the formats of Q4_K_M.
//!
//! In a binary of its own, because it measures the memory of the process.

mod peak_memory;

use async_trait::async_trait;
use imagen_web::cascade::plan_text;
use imagen_web::gpu::{Backend, Device};
use imagen_web::text::t5::llama_cpp_name;
use imagen_web::text::{Embedding, TextEncoder, Tokenized};
use imagen_web::weights::{BlockFormat, FileSource, GgufBody, GgufWriter, Metadata, Source, Weights, WeightsError};
use pollster::block_on;
use std::cell::Cell;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

const LAYERS: usize = 24;
const D_MODEL: usize = 4096;
const D_FF: usize = 10240;
const HEADS: usize = 64;
const VOCABULARY: usize = 32128;
/// Tokens of the prompt, and with its padding. DeepFloyd IF has 77; a software adapter would take that much longer.
const TOKENS: usize = 19;
const PADDED: usize = 24;
/// The block whose feed-forward gives values far beyond half precision's 65504, as T5-XXL's do.
const SPIKED: &str = "enc.blk.20.ffn_down.weight";

/// A tensor of the file and the standard deviation of its values; vectors are all ones.
struct Entry {
    name: String,
    shape: Vec<usize>,
    format: BlockFormat,
    deviation: f32,
}

/// What llama.cpp's Q4_K_M holds: Q6_K for the values and for what leaves the feed-forward in half of the blocks.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |name: &str, shape: &[usize], format: BlockFormat, deviation: f32| {
        let name = llama_cpp_name(name);
        let deviation = if name == SPIKED { 1e4 * deviation } else { deviation };
        entries.push(Entry { name, shape: shape.to_vec(), format, deviation });
    };
    add("shared.weight", &[VOCABULARY, D_MODEL], BlockFormat::Q6K, 1.0);
    let bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    add(bias, &[32, HEADS], BlockFormat::F32, 0.0);
    // Products keep their input's size; queries are small, because T5 does not divide the scores by √d.
    let of = |columns: usize| 1.0 / (columns as f32).sqrt();
    for block in 0..LAYERS {
        let middle = LAYERS / 8..LAYERS * 7 / 8;
        let more = !middle.contains(&block) || (block - middle.start) % 3 == 2;
        let better = if more { BlockFormat::Q6K } else { BlockFormat::Q4K };
        let mut part = |name: &str, shape: &[usize], format, deviation| {
            add(&format!("encoder.block.{block}.layer.{name}.weight"), shape, format, deviation);
        };
        part("0.SelfAttention.q", &[D_MODEL, D_MODEL], BlockFormat::Q4K, of(D_MODEL * 64));
        part("0.SelfAttention.k", &[D_MODEL, D_MODEL], BlockFormat::Q4K, of(D_MODEL));
        part("0.SelfAttention.v", &[D_MODEL, D_MODEL], better, of(D_MODEL));
        part("0.SelfAttention.o", &[D_MODEL, D_MODEL], BlockFormat::Q4K, of(D_MODEL));
        part("0.layer_norm", &[D_MODEL], BlockFormat::F32, 0.0);
        part("1.DenseReluDense.wi_0", &[D_FF, D_MODEL], BlockFormat::Q4K, of(D_MODEL));
        part("1.DenseReluDense.wi_1", &[D_FF, D_MODEL], BlockFormat::Q4K, of(D_MODEL));
        part("1.DenseReluDense.wo", &[D_MODEL, D_FF], better, of(D_FF));
        part("1.layer_norm", &[D_MODEL], BlockFormat::F32, 0.0);
    }
    add("encoder.final_layer_norm.weight", &[D_MODEL], BlockFormat::F32, 0.0);
    entries
}

/// Rows of random quants with scales that give the deviation, as ggml lays blocks out.
fn rows(bits: &mut fastrand::Rng, entry: &Entry, rows: usize) -> Vec<u8> {
    let columns = *entry.shape.last().unwrap();
    let mut bytes = vec![0; rows * entry.format.row_bytes(columns).unwrap()];
    let f16 = |value: f32| half::f16::from_f32(value).to_le_bytes();
    match entry.format {
        // d, dmin, eight 6-bit scales and minima, all 32, quants of 4 bits: 32·(d·q − dmin) with dmin = 7.5·d.
        BlockFormat::Q4K => {
            let d = entry.deviation / (32.0 * 4.61);
            for block in bytes.chunks_exact_mut(144) {
                block[..2].copy_from_slice(&f16(d));
                block[2..4].copy_from_slice(&f16(7.5 * d));
                block[4..12].fill(0b1010_0000);
                bits.fill(&mut block[16..]);
            }
        }
        // Quants of 6 bits, sixteen scales, all 8, and d: 8·d·(q − 32).
        BlockFormat::Q6K => {
            let d = entry.deviation / (8.0 * 18.5);
            for block in bytes.chunks_exact_mut(210) {
                bits.fill(&mut block[..192]);
                block[192..208].fill(8);
                block[208..].copy_from_slice(&f16(d));
            }
        }
        _ => bytes.chunks_exact_mut(4).for_each(|value| value.copy_from_slice(&1f32.to_le_bytes())),
    }
    bytes
}

fn generate(path: &Path) {
    let mut metadata = Metadata::new("t5encoder");
    for (key, value) in [
        ("embedding_length", D_MODEL),
        ("feed_forward_length", D_FF),
        ("block_count", LAYERS),
        ("attention.head_count", HEADS),
        ("attention.key_length", 64),
        ("attention.relative_buckets_count", 32),
    ] {
        metadata.set(&format!("t5encoder.{key}"), value as u32);
    }
    let entries = entries();
    let mut writer = GgufWriter::new("t5-xxl", metadata);
    entries.iter().for_each(|entry| writer.declare(&entry.name, &entry.shape, entry.format).unwrap());
    let mut body: GgufBody<BufWriter<File>> = writer.begin(BufWriter::new(File::create(path).unwrap())).unwrap();
    let mut bits = fastrand::Rng::with_seed(1);
    for entry in &entries {
        let all = entry.shape[..entry.shape.len() - 1].iter().product::<usize>();
        for first in (0..all).step_by(1024) {
            body.bytes(&rows(&mut bits, entry, 1024.min(all - first))).unwrap();
        }
    }
    body.finish().unwrap();
}

/// A file, the most bytes that were read of it at once, and all together.
struct Watched(FileSource, Rc<Cell<(usize, u64)>>);

#[async_trait(?Send)]
impl Source for Watched {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        let (most, all) = self.1.get();
        self.1.set((most.max(length), all + length as u64));
        self.0.read(offset, length).await
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The lowest cosine of a token.
fn lowest_cosine(a: &Embedding, b: &Embedding) -> f64 {
    let tokens = a.values.chunks(D_MODEL).zip(b.values.chunks(D_MODEL));
    tokens.map(|(a, b)| cosine(a, b)).fold(1.0, f64::min)
}

#[test]
#[ignore = "writes 3 GB into the temporary folder and takes minutes: part of make test-slow"]
fn t5_xxl_runs_in_600_mb() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t5-xxl-q4_k_m.gguf");
    let begun = Instant::now();
    generate(&path);
    println!("{} MB written in {:.0?}", path.metadata().unwrap().len() / 1_000_000, begun.elapsed());
    let reads = Rc::new(Cell::new((0, 0)));
    let open = || {
        reads.set((0, 0));
        let source = Watched(FileSource::open(&path).unwrap(), Rc::clone(&reads));
        block_on(Weights::open(Box::new(source))).unwrap()
    };

    let device = block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)");
    let planned = plan_text(&open(), 1, PADDED, device.limits()).unwrap();
    println!(
        "planned: {} MB, all at once {} MB",
        planned.streamed_peak_bytes() / 1_000_000,
        planned.peak_bytes() / 1_000_000
    );
    let ids = (0..PADDED as u32).map(|i| if i < TOKENS as u32 { 1000 + 997 * i } else { 0 }).collect();
    let mask = (0..PADDED).map(|i| u32::from(i < TOKENS)).collect();
    let prompt = [Tokenized { ids, mask, truncated: false }];
    let begun = Instant::now();
    let mut encoder = block_on(TextEncoder::streamed(open(), &Backend::Gpu(device.clone()))).unwrap();
    let on_gpu = block_on(encoder.encode(&prompt)).unwrap().remove(0);
    println!("{PADDED} tokens on {} in {:.0?}", device.info().name, begun.elapsed());

    let (most, all) = reads.get();
    println!("{} MB read of the file, {most} bytes at once at the most", all / 1_000_000);
    // Each layer once, and of the embedding table (108 MB) the prompt's rows.
    let size = path.metadata().unwrap().len();
    assert!(most <= 16 << 20 && all > size * 9 / 10 && all < size - 100_000_000, "{most} {all} of {size}");
    assert_eq!(device.peak_bytes(), planned.streamed_peak_bytes());
    assert!(device.peak_bytes() <= 600_000_000, "{}", device.peak_bytes());
    // A software adapter's memory is the process's own, so it is subtracted; a real GPU's is not, so there the bound is
    // the tighter one.
    let gpu = if device.info().software { device.peak_bytes() } else { 0 };
    if let Some(resident) = peak_memory::peak() {
        let beyond = resident.saturating_sub(gpu);
        println!("memory of the process beyond the GPU's: {} MB", beyond / 1_000_000);
        assert!(beyond <= 1 << 30, "{beyond} bytes");
    }
    // The last norm's weights are ones: whatever went before, every token leaves with an RMS of 1.
    for token in on_gpu.values.chunks(D_MODEL) {
        let rms = (token.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / D_MODEL as f64).sqrt();
        assert!((rms - 1.0).abs() < 1e-3, "{rms}");
    }
    let [first, second] = [0, 1].map(|token| &on_gpu.values[token * D_MODEL..][..D_MODEL]);
    assert!(cosine(first, second) < 0.9, "tokens differ");
    drop(encoder);

    // The other executor on the same weights, block by block too.
    let begun = Instant::now();
    let mut encoder = block_on(TextEncoder::streamed(open(), &Backend::Cpu)).unwrap();
    let on_cpu = block_on(encoder.encode(&prompt)).unwrap().remove(0);
    let lowest = lowest_cosine(&on_gpu, &on_cpu);
    println!("the same on the CPU in {:.0?}, 1 - cosine {:.1e}", begun.elapsed(), 1.0 - lowest);
    if let Some(resident) = peak_memory::peak() {
        println!("memory of the process by then: {} MB", resident / 1_000_000);
        assert!(resident <= 3 << 30, "{resident} bytes");
    }
    assert!(lowest >= 0.99999, "{lowest}");
}
