//! The U-Net's GPU program against its burn module on the same, dequantised weights; on a device with WebGPU's default
//! limits and no optional feature, and in half precision.

mod unet;

use burn::tensor::Device as CpuDevice;
use imagen_web::gpu::plan::{PlanBuilder, Shape};
use imagen_web::gpu::{Device, DeviceOptions};
use imagen_web::unet::{plan, sinusoidal};
use imagen_web::weights::{BlockFormat, WeightIndex};
use std::sync::{Arc, LazyLock};
use unet::{fixture::Fixture, relative_error};

static DEVICE: LazyLock<Arc<Device>> =
    LazyLock::new(|| pollster::block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)"));

/// What the GPU program predicts on this device, planar, and the bytes of its activations.
async fn predict(device: &Arc<Device>, fixture: &Fixture, format: BlockFormat) -> (Vec<f32>, u64) {
    let (config, batch) = (&fixture.config, fixture.batch as u32);
    let mut weights = fixture.weights(format).await;
    let mut b = PlanBuilder::for_device(&WeightIndex::from(&weights), device);
    b.phase("prompt");
    b.phase("step");
    let (size, channels) = (fixture.size as u32, config.input_channels() as u32);
    // The planar state as the cascade keeps it: three channels, and three more of the conditioning picture.
    let planar =
        |b: &mut PlanBuilder, name| b.input(name, Shape { batch, height: 3, width: size, channels: size }).unwrap();
    let x = planar(&mut b, "x");
    let low = (channels == 6).then(|| planar(&mut b, "low"));
    let packed = b.pack(x, low, config.patch_size as u32, 1).unwrap();
    let out = plan::build(&mut b, config, packed, fixture.tokens as u32).unwrap();
    b.output("out", out);
    let description = b.finish().unwrap();
    let uploaded = description.upload(device, &mut weights).await.unwrap();
    let plan = description.compile(device, &uploaded, &mut |_, _| ()).await.unwrap();

    let pixels = fixture.size * fixture.size;
    let pictures = fixture.x();
    let part = |first: usize| -> Vec<f32> {
        let entries = pictures.chunks_exact(channels as usize * pixels);
        entries.flat_map(|entry| entry[first * pixels..(first + 3) * pixels].iter().copied()).collect()
    };
    plan.write("x", &part(0)).unwrap();
    if low.is_some() {
        plan.write("low", &part(3)).unwrap();
    }
    if fixture.reads_text() {
        plan.write("text", &fixture.text()).unwrap();
    }
    let embed = |levels: &[f32]| levels.iter().flat_map(|level| sinusoidal(config, *level)).collect::<Vec<f32>>();
    plan.write("timestep_embedding", &embed(&fixture.timestep)).unwrap();
    if let Some(labels) = &fixture.class_labels {
        plan.write("class_embedding", &embed(labels)).unwrap();
    }
    plan.run("prompt").unwrap();
    plan.run("step").unwrap();
    (unpack(&plan.read("out").await.unwrap(), fixture), description.buffers().iter().sum())
}

/// Channels-last patches to planar pixels.
fn unpack(packed: &[f32], fixture: &Fixture) -> Vec<f32> {
    let (size, patch) = (fixture.size, fixture.config.patch_size);
    let (side, channels) = (size / patch, fixture.config.output_channels());
    let mut planar = vec![0.0; packed.len()];
    for (at, value) in packed.iter().enumerate() {
        let (pixel, channel) = (at / fixture.config.out_channels, at % fixture.config.out_channels);
        let (entry, y, x) = (pixel / (side * side), pixel / side % side, pixel % side);
        let (colour, i, j) = (channel / (patch * patch), channel / patch % patch, channel % patch);
        planar[((entry * channels + colour) * size + y * patch + i) * size + x * patch + j] = *value;
    }
    planar
}

fn check(name: &str, formats: &[BlockFormat]) {
    let cpu = CpuDevice::flex();
    let fixture = Fixture::open(name);
    for format in formats {
        let model = pollster::block_on(async { fixture.model(fixture.weights(*format).await, &cpu).await });
        let expected = fixture.predict(&model, &cpu);
        let error = relative_error(&pollster::block_on(predict(&DEVICE, &fixture, *format)).0, &expected);
        println!("{name}, {format}: relative error {error:.2e}");
        assert!(error <= 3e-3, "{name}, {format}: {error}");
    }
}

const FORMATS: [BlockFormat; 4] = [BlockFormat::F32, BlockFormat::F16, BlockFormat::Q8_0, BlockFormat::Q4_0];

#[test]
fn first_stage() {
    check("first", &FORMATS);
}

#[test]
fn second_stage_that_sees_the_text_alone() {
    check("second", &FORMATS);
}

#[test]
fn second_stage_that_sees_itself_too() {
    check("second_self", &FORMATS);
}

#[test]
fn without_text() {
    check("plain", &FORMATS);
}

#[test]
fn storybook_base() {
    check("storybook_0", &FORMATS);
}

#[test]
fn storybook_super_resolution_256() {
    check("storybook_1", &FORMATS);
}

#[test]
fn storybook_super_resolution_1024() {
    check("storybook_2", &FORMATS);
}

#[test]
fn in_half_precision() {
    let options = DeviceOptions { half: true, ..DeviceOptions::default() };
    let half = pollster::block_on(Device::request(options)).unwrap();
    let single = pollster::block_on(Device::request(DeviceOptions::default())).unwrap();
    for name in ["first", "second_self", "storybook_0", "storybook_1"] {
        let fixture = Fixture::open(name);
        let (expected, bytes) = pollster::block_on(predict(&single, &fixture, BlockFormat::F16));
        let (actual, half_bytes) = pollster::block_on(predict(&half, &fixture, BlockFormat::F16));
        let error = relative_error(&actual, &expected);
        println!("{name}: relative error {error:.2e}, {half_bytes} of {bytes} bytes");
        assert!((1e-6..=1e-2).contains(&error), "{name}: {error}");
        assert!(half_bytes * 4 < bytes * 3, "{name}: {half_bytes} of {bytes} bytes");
    }
}
