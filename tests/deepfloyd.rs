//! A chain of DeepFloyd IF pipelines against diffusers' `IFPipeline` and `IFSuperResolutionPipeline`, from the folders to the
//! pictures: small random networks with all options of the published ones (`tests/reference/deepfloyd.py`).

use imagen_web::cascade::manifest::StageManifest;
use imagen_web::cascade::{Cascade, Directory, Manifest, Output, Request, Silent, plan_stage};
use imagen_web::convert::convert;
use imagen_web::diffusion::{ReleasedGrid, Steps};
use imagen_web::gpu::{Backend, Device, DeviceOptions};
use imagen_web::weights::{Adapter, BlockFormat, FileSource, WeightIndex, Weights};
use pollster::block_on;
use safetensors::SafeTensors;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wgpu::Limits;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A third stage of one's own, to 64 pixels, as `cascade.json` describes it.
const OWN: &str = r#"{
    "stages": [
        { "name": "own", "unet": "super_res_1", "scheduler": "scheduler", "image_size": 64, "prediction": "v",
          "target": "residual", "residual_scale": 0.25, "upsample": { "filter": "bicubic" },
          "augment": { "level": 3 }, "steps": 2, "thresholding": { "kind": "clamp", "max": 4.0 } }
    ]
}"#;

/// The pipelines' folders, converted into one cascade.
fn converted() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pipelines = ["IF-I", "IF-II"].map(|name| fixtures().join("deepfloyd").join(name));
    let tokenizer = folder.path().join("T5/tokenizer");
    fs::create_dir_all(&tokenizer).unwrap();
    fs::copy(fixtures().join("vocabulary/spiece.model"), tokenizer.join("spiece.model")).unwrap();
    let sources = [folder.path().join("T5"), pipelines[0].clone(), pipelines[1].clone()];
    let out = folder.path().join("if");
    let mut notes = |progress: imagen_web::convert::Progress<'_>| {
        if let imagen_web::convert::Progress::Note(note) = progress {
            panic!("{note}");
        }
    };
    convert(&sources, &out, &BlockFormat::F32.into(), &mut notes).unwrap();
    folder
}

/// The requests of the reference, by name.
fn requests() -> [(&'static str, Request); 4] {
    let request = |guidance: [f32; 2], steps: Steps, negative: &str| Request {
        seed: 11,
        negative_prompt: negative.to_owned(),
        guidance: [(16, guidance[0]), (32, guidance[1])].into(),
        steps: [(16, steps), (32, 4.into())].into(),
        ..Request::new("  A Red HOUSE on a hill ")
    };
    [
        ("plain", request([1.0, 1.0], 5.into(), "")),
        ("guided", request([7.0, 4.0], 5.into(), "")),
        ("negative", request([3.0, 2.0], 5.into(), "A blue duck")),
        ("grid", request([2.0, 1.0], Steps::Grid(ReleasedGrid::Fast27), "")),
    ]
}

/// Peak signal-to-noise ratio of values from -1 to 1, in dB. Pictures are bytes: 59 dB are rounding.
fn psnr(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&f32, &f32)| f64::from((a - b.clamp(-1.0, 1.0)) / 2.0).powi(2);
    -10.0 * (a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64).log10()
}

/// Dispatches per step of the guided stages of a converted cascade, on a device with these limits.
fn dispatches(folder: &Path, limits: &Limits) -> Vec<usize> {
    let manifest = Manifest::from_json(&fs::read(folder.join("imagen.json")).unwrap()).unwrap();
    let step = |stage: &StageManifest| {
        let source = FileSource::open(&folder.join(&stage.weights.file)).unwrap();
        let weights = block_on(Weights::open(Box::new(source))).unwrap();
        plan_stage(stage, &WeightIndex::from(&weights), 77, true, limits).unwrap().dispatches("step")
    };
    manifest.stages.iter().map(step).collect()
}

fn convert_own_stage(folder: &Path) {
    let own = folder.join("own");
    for file in [
        "super_res_1/config.json",
        "super_res_1/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ] {
        fs::create_dir_all(own.join(file).parent().unwrap()).unwrap();
        fs::copy(fixtures().join("huggingface").join(file), own.join(file)).unwrap();
    }
    fs::write(own.join("cascade.json"), OWN).unwrap();
    convert(&[own], &folder.join("if"), &BlockFormat::F32.into(), &mut |_| ()).unwrap();
}

#[test]
fn a_stage_of_ones_own_follows() {
    let folder = converted();
    let (_, request) = &requests()[1];
    let generate = |request: &Request| {
        let files = Box::new(Directory::new(folder.path().join("if")));
        block_on(block_on(Cascade::open(files, Backend::Cpu)).unwrap().generate(request, &mut Silent)).unwrap()
    };
    let two = generate(request);
    convert_own_stage(folder.path());
    let three = generate(request);
    assert_eq!(three.stages.iter().map(|stage| stage.image_size).collect::<Vec<_>>(), [16, 32, 64]);
    assert_eq!(three.stages[..2], two.stages[..]);
    // The stage by itself sees the same picture, rounded to bytes.
    let from_picture = Request { start_at_stage: 3, start_pictures: two.stages[1].pictures.clone(), ..request.clone() };
    let alone = generate(&from_picture).pictures()[0].to_planar();
    let decibel = psnr(&three.pictures()[0].to_planar(), &alone);
    assert!(decibel >= 40.0, "{decibel} dB");
}

#[test]
fn guidance_runs_in_two_passes_where_a_batch_of_two_does_not_fit() {
    // The largest activation of the second stage takes 256 KiB in a batch of two.
    let limits = Limits { max_storage_buffer_binding_size: 192 << 10, ..Limits::default() };
    let folder = converted();
    let [joint, passes] = [&Limits::default(), &limits].map(|limits| dispatches(&folder.path().join("if"), limits));
    assert_eq!(joint[0], passes[0], "the first stage fits");
    assert!(passes[1] > joint[1] * 3 / 2, "{joint:?} {passes:?}");
    let options = DeviceOptions { limits: Some(limits), ..DeviceOptions::default() };
    all_pictures_are_those_of_diffusers(Backend::Gpu(block_on(Device::request(options)).expect("an adapter")));
}

fn all_pictures_are_those_of_diffusers(backend: Backend) {
    let folder = converted();
    let mut cascade = block_on(Cascade::open(Box::new(Directory::new(folder.path().join("if"))), backend)).unwrap();
    let expected = fs::read(fixtures().join("deepfloyd/expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&expected).unwrap();
    for (name, request) in requests() {
        let output = block_on(cascade.generate(&request, &mut Silent)).unwrap();
        assert_eq!(output.stages.len(), 2);
        for stage in &output.stages {
            let tensor = expected.tensor(&format!("{name}.{}", stage.image_size)).unwrap();
            let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let values: Vec<f32> = values.collect();
            let decibel = psnr(&stage.pictures[0].to_planar(), &values);
            println!("{name} {0}×{0}: {decibel:.1} dB", stage.image_size);
            assert!(decibel >= 40.0, "{name} {0}×{0}: {decibel} dB", stage.image_size);
        }
    }
}

/// Adapters as diffusers saves them, and the older naming of its attention processors.
fn adapters() -> [(&'static str, Vec<u8>); 2] {
    let saved = fs::read(fixtures().join("deepfloyd/lora.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    let older = file.iter().map(|(name, view)| {
        let name = name.replace("unet.", "").replace("to_out.0", "to_out");
        let (layer, matrix) = name.rsplit_once(".lora").unwrap();
        let (attention, part) = layer.rsplit_once('.').unwrap();
        let down = if matrix.contains('A') || matrix.contains("down") { "down" } else { "up" };
        (format!("{attention}.processor.{part}_lora.{down}.weight"), view)
    });
    let (_, header) = SafeTensors::read_metadata(&saved).unwrap();
    [("new", saved.clone()), ("old", safetensors::serialize(older, header.metadata().clone()).unwrap())]
}

fn adapters_change_the_pictures_as_in_diffusers(backend: impl Fn() -> Backend) {
    let folder = converted();
    let expected = fs::read(fixtures().join("deepfloyd/expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&expected).unwrap();
    for (naming, bytes) in adapters() {
        for scale in [1.0, 0.5] {
            let files = Box::new(Directory::new(folder.path().join("if")));
            let mut cascade = block_on(Cascade::open(files, backend())).unwrap();
            let request = Request { guidance: [(16, 2.0)].into(), stop_at_stage: Some(1), ..requests()[0].1.clone() };
            let before = block_on(cascade.generate(&request, &mut Silent)).unwrap();
            block_on(cascade.adapt(Adapter::from_safetensors("lora", &bytes, scale).unwrap())).unwrap();
            let after = block_on(cascade.generate(&request, &mut Silent)).unwrap();
            let tensor = expected.tensor(&format!("lora-{scale:.1}.16")).unwrap();
            let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let values: Vec<f32> = values.collect();
            let decibel = |output: &Output| psnr(&output.pictures()[0].to_planar(), &values);
            println!("{naming}, scale {scale}: {:.1} dB before, {:.1} dB after", decibel(&before), decibel(&after));
            assert!(decibel(&after) >= 40.0 && decibel(&after) > decibel(&before) + 10.0);
        }
    }
}

#[test]
fn the_cpu_merges_adapters_as_diffusers() {
    adapters_change_the_pictures_as_in_diffusers(|| Backend::Cpu);
}

#[test]
fn the_gpu_merges_adapters_as_diffusers() {
    adapters_change_the_pictures_as_in_diffusers(|| {
        Backend::Gpu(block_on(Device::request(DeviceOptions::default())).expect("an adapter"))
    });
}

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let folder = converted();
    let files = Box::new(Directory::new(folder.path().join("if")));
    let mut cascade = block_on(Cascade::open(files, Backend::Cpu)).unwrap();
    let [(_, bytes), _] = adapters();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let renamed = |from: &str, to: &str| {
        let views = file.iter().map(|(name, view)| (name.replace(from, to), view));
        Adapter::from_safetensors("lora", &safetensors::serialize(views, None).unwrap(), 1.0)
    };
    let elsewhere = renamed("mid_block", "middle").unwrap();
    let error = block_on(cascade.adapt(elsewhere)).unwrap_err().to_string();
    assert!(error.contains("the network has no middle"), "{error}");
    for (from, to, reason) in
        [("unet.", "text_encoder.", "no low-rank adapter of a U-Net"), ("lora", "dora", "no low-rank adapter")]
    {
        let error = renamed(from, to).unwrap_err().to_string();
        assert!(error.contains(reason), "{from} to {to}: {error}");
    }
    let half = file.iter().filter(|(name, _)| !name.contains("lora.up") && !name.contains("lora_B"));
    let half = safetensors::serialize(half, None).unwrap();
    let error = Adapter::from_safetensors("lora", &half, 1.0).unwrap_err().to_string();
    assert!(error.contains("one of the two matrices only"), "{error}");
    for bytes in [&bytes[..bytes.len() - 1], &bytes[..9], b""] {
        assert!(Adapter::from_safetensors("lora", bytes, 1.0).is_err());
    }
    assert!(Adapter::from_safetensors("lora", &bytes, f32::NAN).is_err());
}

#[test]
fn the_cpu_samples_as_diffusers() {
    all_pictures_are_those_of_diffusers(Backend::Cpu);
}

#[test]
fn the_gpu_samples_as_diffusers() {
    let device = block_on(Device::request(DeviceOptions::default())).expect("an adapter");
    all_pictures_are_those_of_diffusers(Backend::Gpu(device));
}
