//! Training against PyTorch: gradients of one step, 50 updates, and the examples of super-resolution.

#[path = "train/fixture.rs"]
mod fixture;
mod unet;

use fixture::{Fixture, in_file_layout};
use imagen_web::cascade::manifest::StageManifest;
use imagen_web::train::StageTask;
use safetensors::SafeTensors;
use unet::relative_error;
use unet::synthetic::uniform;

fn norm(values: impl IntoIterator<Item = f32>) -> f64 {
    values.into_iter().map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

fn median(norms: impl IntoIterator<Item = f64>) -> f64 {
    let mut norms: Vec<f64> = norms.into_iter().collect();
    norms.sort_by(f64::total_cmp);
    norms[norms.len() / 2]
}

/// ‖g − g_ref‖ ≤ 1e-3 · max(‖g_ref‖, 1e-3 · median ‖g_ref‖) for every parameter.
fn check_gradients(name: &str) {
    check_gradients_on(name, burn::tensor::Device::flex());
}

fn check_gradients_on(name: &str, device: burn::tensor::Device) {
    let fixture = Fixture::open(name);
    let trainer = fixture.trainer_on(device);
    let gradients = trainer.gradients(&fixture.examples("", None), usize::MAX).unwrap();
    let expected = f64::from(fixture.tensors["loss"][0]);
    assert!((gradients.loss / expected - 1.0).abs() < 1e-4, "loss {} instead of {expected}", gradients.loss);
    let actual = in_file_layout(trainer.networks(), &gradients.values);
    let references = || fixture.tensors.iter().filter_map(|(name, value)| Some((name.split_once('.')?, value)));
    let whole = || references().filter(|((kind, _), _)| *kind == "gradient");
    let sketches = || references().filter(|((kind, _), _)| *kind == "sketch");
    let norms = whole().map(|(_, value)| norm(value.iter().copied())).chain(sketches().map(|(_, s)| f64::from(s[0])));
    let least = 1e-3 * median(norms);
    let mut errors = Vec::new();
    let mut compare = |name: &str, distance: f64, size: f64| {
        let error = distance / size.max(least);
        assert!(error <= 1e-3, "{name}: {error:.2e} of {size:.2e}");
        errors.push((error, name.to_owned()));
    };
    for ((_, key), expected) in whole() {
        let values = &actual[key].values;
        assert_eq!(values.len(), expected.len(), "{key}");
        let distance = norm(values.iter().zip(expected).map(|(a, b)| a - b));
        compare(key, distance, norm(expected.iter().copied()));
    }
    for ((_, key), sketch) in sketches() {
        let values = &actual[key].values;
        let product = |index: usize| {
            let signs = uniform(&format!("{key}#{index}"), values.len(), 1.0, 0.0);
            let signed =
                values.iter().zip(signs).map(|(&value, sign)| f64::from(if sign < 0.0 { -value } else { value }));
            signed.sum::<f64>() - f64::from(sketch[index + 1])
        };
        // The mean square of products with random signs is the squared distance.
        let products = sketch.len() - 1;
        let distance = ((0..products).map(|index| product(index).powi(2)).sum::<f64>() / products as f64).sqrt();
        compare(key, distance, f64::from(sketch[0]));
    }
    assert_eq!(errors.len(), actual.len(), "every parameter has a gradient");
    errors.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{name}: {} parameters, worst {:?}", errors.len(), errors[0]);
}

#[test]
fn gradients_of_a_base_and_its_text_encoder() {
    check_gradients("base");
}

#[test]
fn gradients_of_residual_super_resolution() {
    check_gradients("residual");
}

#[test]
fn gradients_of_super_resolution_with_a_learned_variance() {
    check_gradients("learned");
}

#[test]
fn gradients_of_storybook_base() {
    check_gradients("storybook_0");
}

#[test]
fn gradients_of_storybook_super_resolution_256() {
    check_gradients("storybook_1");
}

#[test]
fn gradients_of_storybook_super_resolution_1024() {
    check_gradients("storybook_2");
}

/// burn's wgpu, on whichever GPU there is.
#[cfg(feature = "train-gpu")]
#[test]
fn gradients_on_the_gpu() {
    for name in ["base", "residual", "learned"] {
        check_gradients_on(name, imagen_web::train::Hardware::Gpu.device().unwrap());
    }
}

/// f16 has 11 bits: what is asked of all gradients together is not what f32 is held to parameter by parameter.
#[cfg(feature = "train-gpu")]
#[test]
fn gradients_in_half_precision_on_the_gpu() {
    use imagen_web::train::{Hardware, Precision};
    let device = Hardware::Gpu.device().unwrap();
    Precision::F16.check(Hardware::Gpu, &device).unwrap();
    for name in ["base", "residual"] {
        let fixture = Fixture::open(name);
        let trainer = fixture.trainer_on(device.clone()).with_precision(Precision::F16);
        let gradients = trainer.gradients(&fixture.examples("", None), 2).unwrap();
        let expected = f64::from(fixture.tensors["loss"][0]);
        assert!((gradients.loss / expected - 1.0).abs() < 1e-2, "loss {} instead of {expected}", gradients.loss);
        let actual = in_file_layout(trainer.networks(), &gradients.values);
        let (mut distance, mut size) = (0.0, 0.0);
        for (key, expected) in &fixture.tensors {
            let Some(key) = key.strip_prefix("gradient.") else { continue };
            distance += norm(actual[key].values.iter().zip(expected).map(|(a, b)| a - b)).powi(2);
            size += norm(expected.iter().copied()).powi(2);
        }
        let error = (distance / size).sqrt();
        println!("{name}: gradients in f16 are off by {error:.1e}");
        assert!(error > 0.0 && error < 2e-2, "{name}: {error}");
    }
}

#[test]
fn a_split_batch_has_the_same_gradients() {
    let fixture = Fixture::open("base");
    let trainer = fixture.trainer();
    let examples = fixture.examples("", None);
    let whole = trainer.gradients(&examples, 3).unwrap();
    let split = trainer.gradients(&examples, 2).unwrap();
    assert!((whole.loss - split.loss).abs() < 1e-6 * whole.loss);
    let values = |t: &burn::tensor::Tensor<1>| t.to_data().iter::<f32>().collect::<Vec<f32>>();
    let least = 1e-3 * median(whole.values.values().map(|gradient| norm(values(gradient))));
    for (name, gradient) in &whole.values {
        let (a, b) = (values(&split.values[name]), values(gradient));
        let size = norm(b.iter().copied());
        // A key's bias has no influence, for one: its gradient is rounding and nothing else.
        assert!(norm(a.iter().zip(&b).map(|(a, b)| a - b)) <= 1e-3 * size.max(least), "{name}");
    }
}

#[test]
fn fifty_updates() {
    check_updates_on(burn::tensor::Device::flex());
}

#[cfg(feature = "train-gpu")]
#[test]
fn fifty_updates_on_the_gpu() {
    check_updates_on(imagen_web::train::Hardware::Gpu.device().unwrap());
}

fn check_updates_on(device: burn::tensor::Device) {
    let fixture = Fixture::open("updates");
    let mut trainer = fixture.trainer_on(device);
    let mut clipped = 0;
    for (i, &expected) in fixture.tensors["losses"].iter().enumerate() {
        let i = i as u32;
        let timesteps = [i * 37 % 1000, (i * 91 + 500) % 1000, (i * 13 + 250) % 1000];
        let gradients = trainer.gradients(&fixture.examples(&format!(".{i}"), Some(timesteps)), 2).unwrap();
        clipped += usize::from(gradients.norm > 0.5);
        let loss = gradients.loss;
        assert!((loss / f64::from(expected) - 1.0).abs() < 0.01, "update {i}: loss {loss} instead of {expected}");
        trainer.update(gradients);
    }
    assert!((1..50).contains(&clipped), "{clipped} of the updates were clipped");
    for (kind, values) in [("weight", &trainer.optimizer.weights), ("average", &trainer.optimizer.average)] {
        let actual = in_file_layout(trainer.networks(), values);
        let mut worst: f64 = 0.0;
        for (key, tensor) in &actual {
            let error = relative_error(&tensor.values, &fixture.tensors[&format!("{kind}.{key}")]);
            assert!(error <= 1e-2, "{kind} {key}: {error:.2e}");
            worst = worst.max(error);
        }
        println!("{kind}: worst relative error {worst:.2e}");
    }
}

#[test]
fn crops_of_super_resolution() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/train_crops.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).unwrap();
        data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let picture = uniform("crops", 3 * 32 * 32, 1.0, 0.0);
    for name in ["bicubic", "bilinear", "nearest"] {
        let task = StageTask::new(&super_resolution(name), Some(8)).unwrap();
        for (y, x, side) in [(0, 0, 16), (16, 16, 16), (8, 12, 8), (0, 0, 32)] {
            let (clean, low) = task.cut(&picture, [y, x], side).unwrap();
            let expected = |part: &str| floats(&format!("{name}.{y}.{x}.{side}.{part}"));
            assert!(relative_error(&low.unwrap(), &expected("low")) < 1e-5, "{name} {y} {x} {side}");
            assert!(relative_error(&clean, &expected("residual")) < 1e-5, "{name} {y} {x} {side}");
        }
    }
}

/// A stage of 32×32 pixels that diffuses a residual.
fn super_resolution(filter: &str) -> StageManifest {
    let config = Fixture::open("residual").unet();
    let stage = serde_json::json!({
        "name": "small", "image_size": 32, "unet": config,
        "weights": {"file": "small.gguf", "size": 1, "sha256": "00"},
        "schedule": {"kind": "squaredcos_cap_v2", "prediction": "sample"},
        "target": {"kind": "residual", "scale": 0.2},
        "conditioning": {"upsample": filter},
        "defaults": {"sampler": "ddim", "steps": 1, "guidance": 1.0, "thresholding": {"kind": "none"}},
    });
    serde_json::from_value(stage).unwrap()
}
