//! What a U-Net's GPU program needs, known without a device: dispatches, bindings, bytes.

mod unet;

use imagen_web::cascade::manifest::StageManifest;
use imagen_web::cascade::plan_stage;
use imagen_web::gpu::GpuError;
use imagen_web::gpu::plan::{PlanBuilder, PlanDescription, Shape};
use imagen_web::unet::{UNetConfig, plan};
use imagen_web::weights::BlockFormat;
use unet::{deepfloyd, synthetic};

/// The program for `rows` pictures of `size` pixels, on a device with WebGPU's default limits.
fn describe(config: &UNetConfig, rows: u32, size: u32, tokens: u32) -> Result<PlanDescription, GpuError> {
    let index = synthetic::index(config, BlockFormat::Q8_0);
    let mut b = PlanBuilder::new(&index, &wgpu::Limits::default());
    b.phase("prompt");
    b.phase("step");
    let side = size / config.patch_size as u32;
    let x = b.input("x", Shape::image(rows, side, side, config.in_channels as u32))?;
    let y = plan::build(&mut b, config, x, tokens)?;
    assert_eq!(y.shape, Shape::image(rows, side, side, config.out_channels as u32));
    b.output("y", y);
    b.finish()
}

fn storybook(stage: usize) -> UNetConfig {
    unet::fixture::Fixture::open(&format!("storybook_{stage}")).config
}

#[test]
fn a_storybook_step_takes_few_dispatches() {
    let plan = describe(&storybook(0), 2, 64, 40).unwrap();
    let (prompt, step) = (plan.dispatches("prompt"), plan.dispatches("step"));
    println!("storybook base: {prompt} dispatches per prompt, {step} per step: {:?}", plan.kernels("step"));
    assert!(step <= 150, "{step}");
    for stage in [1, 2] {
        let plan = describe(&storybook(stage), 1, if stage == 1 { 256 } else { 1024 }, 40).unwrap();
        println!("storybook stage {stage}: {} per step, {} MiB", plan.dispatches("step"), plan.peak_bytes() >> 20);
    }
}

/// A stage of DeepFloyd IF with guidance, as a cascade runs it.
fn stage(config: &UNetConfig, size: u32) -> PlanDescription {
    let super_resolution = config.input_channels() == 6;
    let stage = serde_json::json!({
        "name": "stage", "image_size": size, "unet": config, "target": {"kind": "image"},
        "weights": {"file": "unet.gguf", "size": 1, "sha256": "0".repeat(64)},
        "schedule": {"kind": "squaredcos_cap_v2", "prediction": "epsilon", "variance": "learned_range"},
        "conditioning": super_resolution.then(|| serde_json::json!({"upsample": "bilinear_align_corners"})),
        "defaults": {"sampler": "ddpm", "steps": 50, "guidance": 7.0,
            "thresholding": {"kind": "dynamic", "quantile": 0.95, "max": 1.5}},
    });
    let stage: StageManifest = serde_json::from_value(stage).unwrap();
    plan_stage(&stage, &synthetic::index(config, BlockFormat::Q8_0), 77, true, &wgpu::Limits::default()).unwrap()
}

/// The table of docs/models.md.
#[test]
fn every_stage_of_deepfloyd_has_a_plan_within_the_default_limits() {
    let (medium, large, extra) = ([192, 384, 576, 768], [320, 640, 960, 1280], [704, 1408, 2112, 2816]);
    let first = |channels| (deepfloyd::first_stage(channels), 64, 1);
    let second = |channels, passes| (deepfloyd::second_stage(channels), 256, passes);
    for (name, (config, size, passes)) in [
        ("I-M", first(medium)),
        ("I-L", first(large)),
        ("I-XL", first(extra)),
        ("II-M", second([96, 192, 384, 576, 768], 1)),
        ("II-L", second([160, 320, 640, 960, 1280], 2)),
    ] {
        let plan = stage(&config, size);
        let convolutions = plan.kernels("step")["conv"];
        let largest = plan.largest_binding();
        println!(
            "{name}: {} dispatches per step, {} MiB at peak, of it weights {} MiB, largest binding {} MiB, {:.2} TFLOP per step",
            plan.dispatches("step"),
            plan.peak_bytes() >> 20,
            plan.weight_bytes() >> 20,
            largest >> 20,
            plan.flops("step") as f64 / 1e12,
        );
        assert!(largest <= 128 << 20, "{name}: {largest}");
        let alone = describe(&config, 1, size, 77).unwrap().kernels("step")["conv"];
        assert_eq!(convolutions, passes * alone, "{name}: passes of guidance");
    }
}

#[test]
fn deepfloyd_fits_the_default_limits() {
    let largest = |config: &UNetConfig, rows, size| {
        let plan = describe(config, rows, size, 77)?;
        let largest = plan.buffers().iter().copied().max().unwrap_or(0);
        println!(
            "{} dispatches, largest activation {} MiB, activations {} MiB, weights {} MiB, {} GFLOP per step",
            plan.dispatches("step"),
            largest >> 20,
            plan.buffers().iter().sum::<u64>() >> 20,
            plan.weight_bytes() >> 20,
            plan.flops("step") / 1_000_000_000,
        );
        Ok::<_, GpuError>(largest)
    };
    let (medium, large) = ([192, 384, 576, 768], [320, 640, 960, 1280]);
    for channels in [medium, large] {
        print!("stage I {channels:?}, two rows: ");
        assert!(largest(&deepfloyd::first_stage(channels), 2, 64).unwrap() <= 32 << 20);
    }
    let (medium, large) = ([96, 192, 384, 576, 768], [160, 320, 640, 960, 1280]);
    print!("stage II {medium:?}, two rows: ");
    assert!(largest(&deepfloyd::second_stage(medium), 2, 256).unwrap() <= 128 << 20);
    print!("stage II {large:?}, one row: ");
    assert!(largest(&deepfloyd::second_stage(large), 1, 256).unwrap() <= 128 << 20);
    match largest(&deepfloyd::second_stage(large), 2, 256) {
        Err(GpuError::Limit { needed, .. }) => println!("stage II {large:?}, two rows: needs {} MiB", needed >> 20),
        other => panic!("two rows must be refused: {other:?}"),
    }
}
