//! DeepFloyd IF's stages I-M and II-M at their full size, with random weights: converted to Q8_0 and sampled for two steps on
//! the CPU. Takes minutes and some gigabytes of disk, and leaves nothing behind: `make test-slow`.

mod peak_memory;
mod unet;

use burn::tensor::Device;
use imagen_web::cascade::{Cascade, Directory, Request, Silent};
use imagen_web::convert::{Progress, convert};
use imagen_web::gpu::Backend;
use imagen_web::image::Picture;
use imagen_web::text::Embedding;
use imagen_web::unet::UNetConfig;
use imagen_web::weights::{BlockFormat, wanted_tensors};
use pollster::block_on;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;
use unet::{deepfloyd, synthetic};

const TOKENS: usize = 77;
const T5_XXL: usize = 4096;

/// Writes a U-Net's folder as diffusers does, in half precision, a tensor at a time. Returns the bytes of its largest tensor
/// in f32.
fn write(folder: &Path, config: &UNetConfig, size: u32) -> u64 {
    fs::create_dir_all(folder).unwrap();
    let mut json = serde_json::to_value(config).unwrap();
    json["_class_name"] = "UNet2DConditionModel".into();
    json["sample_size"] = size.into();
    fs::write(folder.join("config.json"), json.to_string()).unwrap();
    let tensors = wanted_tensors(&config.init(&Device::flex()).unwrap(), &str::to_owned);
    let bytes = |shape: &[usize]| 2 * shape.iter().product::<usize>();
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, tensor) in &tensors {
        let begin = end;
        end += bytes(&tensor.shape);
        let entry = serde_json::json!({"dtype": "F16", "shape": tensor.shape, "data_offsets": [begin, end]});
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    let file = File::create(folder.join("diffusion_pytorch_model.fp16.safetensors")).unwrap();
    let mut file = BufWriter::new(file);
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for (name, tensor) in &tensors {
        for value in synthetic::values(name, &tensor.stored) {
            file.write_all(&half::f16::from_f32(value).to_le_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
    tensors.values().map(|tensor| 2 * bytes(&tensor.shape) as u64).max().unwrap()
}

fn peak() -> u64 {
    peak_memory::peak().expect("Linux")
}

/// An embedding as T5-XXL gives it, random.
fn text(name: &str) -> Embedding {
    let values = synthetic::uniform(name, TOKENS * T5_XXL, 0.3, 0.0);
    Embedding { ids: vec![3; TOKENS], mask: vec![1; TOKENS], tokens: TOKENS, d_model: T5_XXL, values }
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn both_medium_stages_are_converted_and_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("if");
    for (name, config, size) in [
        ("I-M", deepfloyd::first_stage([192, 384, 576, 768]), 64),
        ("II-M", deepfloyd::second_stage([96, 192, 384, 576, 768]), 256),
    ] {
        let source = folder.path().join(name);
        let largest = write(&source, &config, size);
        peak_memory::forget().unwrap();
        let (before, start) = (peak(), Instant::now());
        let mut parameters = 0;
        let mut count = |progress: Progress<'_>| {
            if let Progress::File { size, .. } = progress {
                parameters = size;
            }
        };
        convert(&[&source], &out, &BlockFormat::Q8_0.into(), &mut count).unwrap();
        let more = peak() - before;
        println!(
            "{name}: {} MB in Q8_0 after {:.0} s, {} MiB of memory at peak, {} more than before, largest tensor {} MiB in f32",
            parameters / 1_000_000,
            start.elapsed().as_secs_f64(),
            peak() >> 20,
            more >> 20,
            largest >> 20
        );
        assert!(more <= largest + (3 << 29), "{more} bytes");
        fs::remove_dir_all(&source).unwrap();
    }
    let mut cascade = block_on(Cascade::open(Box::new(Directory::new(&out)), Backend::Cpu)).unwrap();
    let request = |stage: usize| Request {
        embedding: Some(text("prompt")),
        negative_embedding: Some(text("negative prompt")),
        steps: [(64, 2.into()), (256, 2.into())].into(),
        start_at_stage: stage,
        stop_at_stage: Some(stage),
        ..Request::default()
    };
    let mut picture: Option<Picture> = None;
    for stage in [1, 2] {
        peak_memory::forget().unwrap();
        let start = Instant::now();
        let request = Request { start_pictures: picture.into_iter().collect(), ..request(stage) };
        let output = block_on(cascade.generate(&request, &mut Silent)).unwrap();
        println!(
            "stage {stage}: loading and 2 steps with guidance {:.0} s, peak {} MiB",
            start.elapsed().as_secs_f64(),
            peak() >> 20
        );
        let made = output.pictures()[0].clone();
        assert!(made.rgb.iter().any(|&value| value != made.rgb[0]), "one colour only");
        picture = Some(made);
    }
}
