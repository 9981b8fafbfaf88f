//! What a U-Net's GPU program needs, known without a device: dispatches, bindings, bytes.

mod unet;

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
