//! Checkpoints of imagen-pytorch, converted and sampled, against the package's own pictures of the same noise
//! (`tests/reference/imagen_pytorch_samples.py`).

use super::device::DeviceNetworks;
use super::files::{self, Directory};
use super::loading::Loading;
use super::manifest::Manifest;
use super::networks::{Networks, StageShape};
use super::pictures::{Lifted, LowPicture, values};
use super::sampling::{self, Job};
use super::stage::{LowResolution, Prompt};
use super::{GivenNoise, Request, Silent, settings};
use crate::convert::{ConvertError, convert_with};
use crate::diffusion::noise::Draw;
use crate::diffusion::{Prediction, ScheduleKind};
use crate::gpu::Backend;
use crate::text::Embedding;
use crate::weights::BlockFormat;
use pollster::block_on;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[path = "../../tests/unet/hashes.rs"]
mod hashes;
use hashes::uniform;

const SAMPLES: &[u8] = include_bytes!("../../tests/fixtures/imagen_pytorch/samples.safetensors");
const TOKENS: usize = 7;
const SEEN: usize = 5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/imagen_pytorch").join(name)
}

fn convert(name: &str, config: Option<&str>, out: &Path) -> Result<(), ConvertError> {
    let config = config.map(fixture);
    convert_with(&[fixture(name)], config.as_deref(), out, &BlockFormat::F32.into(), &mut |_| ())
}

/// The package's noise of a stage.
fn noise(manifest: &Manifest) -> GivenNoise {
    let mut given = GivenNoise::default();
    for (index, stage) in manifest.stages.iter().enumerate() {
        let size = stage.image_size as usize;
        let augmentation = stage.conditioning.is_some().then(|| format!("aug.{index}"));
        let steps = (0..stage.defaults.steps).map(|step| format!("step.{index}.{step}"));
        for name in [format!("initial.{index}")].into_iter().chain(augmentation).chain(steps) {
            given.insert(name.clone(), &[1, 3, size, size], uniform(&name, 3 * size * size, 3f32.sqrt(), 0.0));
        }
    }
    given
}

fn embedding() -> Embedding {
    let mask = (0..TOKENS).map(|token| u32::from(token < SEEN)).collect();
    let values = uniform("text", TOKENS * 20, 1.0, 0.0);
    Embedding { ids: vec![1; TOKENS], mask, tokens: TOKENS, d_model: 20, values }
}

/// A tensor of the package.
fn expected(name: &str) -> Vec<f32> {
    let bytes = SafeTensors::deserialize(SAMPLES).unwrap().tensor(name).unwrap().data().to_vec();
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn check(what: &str, actual: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v) * f64::from(v)).sum::<f64>();
    let error = square(&mut actual.iter().zip(expected).map(|(a, b)| a - b));
    let error = (error / square(&mut expected.iter().copied())).sqrt();
    println!("{what}: relative error {error:.2e}");
    assert!(error <= tolerance, "{what}: {error}");
}

/// Runs all stages of a converted checkpoint: every step from the package's own state before it, and the whole sample from
/// its noise.
async fn compare(kind: &str, folder: &Path, backend: Backend, text: bool, tolerance: f64) {
    let files = Directory::new(folder);
    let manifest = files::read_manifest(&files).await.unwrap();
    let request = Request {
        embedding: text.then(embedding),
        unconditional: !text,
        noise: noise(&manifest),
        ..Request::default()
    };
    let mut networks = DeviceNetworks::new(backend);
    let (mut low, mut step) = (Vec::new(), 0);
    for stage in &settings::resolve(&request, &manifest).unwrap() {
        let given = embedding();
        let prompt = Prompt { positive: &given, negative: text.then_some(&given) };
        let shape = StageShape { rows: prompt.rows(), tokens: TOKENS };
        let description = &manifest.stages[stage.index];
        let loading = Rc::new(Loading::default());
        let mut runner = networks.stage(&files, description, shape, &loading).await.unwrap();
        runner.prompt(prompt, stage.rules).await.unwrap();
        let lifted = Lifted::new(stage, low.first(), &request.noise, 0, 0).unwrap();
        let seen = lifted.as_ref().map(|lifted| LowResolution { picture: lifted.seen(), level: lifted.level });
        let mut drawn = vec![0.0; values(stage.size)];
        for (index, coefficients) in stage.steps.iter().enumerate() {
            let states = expected(&format!("{kind}.step.{step}"));
            let (before, after) = states.split_at(states.len() / 2);
            runner.begin(before, seen).await.unwrap();
            request.noise.draw(0, stage.index, Draw::Step(index as u32), 0, &mut drawn);
            runner.step(coefficients, Some(&drawn)).await.unwrap();
            check(&format!("{kind}, step {step}"), &runner.sample().await.unwrap(), after, tolerance);
            step += 1;
        }
        let picture = expected(&format!("{kind}.{}", stage.index));
        let job = Job { request: &request, stage, prompt, low: &low };
        let samples = sampling::run(runner.as_mut(), &job, &mut Silent).await.unwrap();
        check(&format!("{kind}, stage {}", stage.index), &samples[0], &picture, tolerance);
        low = vec![LowPicture { size: stage.size, values: picture }];
    }
}

#[test]
fn a_trainers_checkpoint_samples_as_in_the_package() {
    let folder = tempfile::tempdir().unwrap();
    convert("trained.pt", None, folder.path()).unwrap();
    block_on(compare("trained", folder.path(), Backend::Cpu, true, 1e-3));
    let gpu = Backend::Gpu(crate::gpu::testing::device());
    block_on(compare("trained", folder.path(), gpu, true, 3e-3));
}

#[test]
fn a_model_without_text_samples_as_in_the_package() {
    let folder = tempfile::tempdir().unwrap();
    convert("unconditional.pt", Some("unconditional.json"), folder.path()).unwrap();
    block_on(compare("unconditional", folder.path(), Backend::Cpu, false, 1e-3));
}

#[test]
fn the_manifest_says_how_the_package_samples() {
    let folder = tempfile::tempdir().unwrap();
    convert("trained.pt", None, folder.path()).unwrap();
    let manifest = block_on(files::read_manifest(&Directory::new(folder.path()))).unwrap();
    assert_eq!(Manifest::from_json(manifest.to_json().unwrap().as_bytes()).unwrap(), manifest);
    let [base, upper] = manifest.stages.as_slice() else { panic!("{} stages", manifest.stages.len()) };
    assert_eq!((base.schedule.kind, base.schedule.prediction), (ScheduleKind::CosineLogSnr, Prediction::Epsilon));
    assert_eq!((upper.schedule.kind, upper.schedule.prediction), (ScheduleKind::LinearLogSnr, Prediction::VPrediction));
    assert_eq!((base.defaults.steps, upper.defaults.steps, manifest.tokenizer.max_length), (6, 5, 256));
    assert_eq!(upper.conditioning.unwrap().aug_level, 1);
    let negative = Request { negative_prompt: "people".to_owned(), embedding: Some(embedding()), ..Request::default() };
    let error = settings::resolve(&negative, &manifest).unwrap_err().to_string();
    assert!(error.contains("learnt in place of a text"), "{error}");
}

#[test]
fn faults_of_the_arguments_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = convert("unconditional.pt", None, folder.path()).unwrap_err().to_string();
    assert!(missing.contains("--config"), "{missing}");
    let text = std::fs::read_to_string(fixture("unconditional.json")).unwrap();
    for (change, expected) in [
        (("\"linear\"", "\"sigmoid\""), "noise_schedules"),
        (("\"x_start\"", "\"score\""), "pred_objectives"),
        (("\"image_sizes\"", "\"video\": true, \"image_sizes\""), "video"),
        (("\"image_sizes\"", "\"sizes\": 1, \"image_sizes\""), "sizes = 1"),
        (("\"dim\": 4", "\"dim\": 6"), "shape"),
        (("\"dim\": 4", "\"dim\": 4, \"self_cond\": true"), "self_cond"),
        (("\"attn_heads\": 2", "\"attn_heads\": 3"), "shape"),
        (("\"dim\": 4", "\"is_null\": true, \"dim\": 4"), "NullUnet"),
    ] {
        let changed = text.replace(change.0, change.1);
        assert_ne!(changed, text, "{change:?}");
        let config = folder.path().join("config.json");
        std::fs::write(&config, changed).unwrap();
        let out = folder.path().join("out");
        let sources = [fixture("unconditional.pt")];
        let result = convert_with(&sources, Some(&config), &out, &BlockFormat::F32.into(), &mut |_| ());
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
