//! How long a step of a converted U-Net takes on the GPU, without any sampler: for comparison with other programs.
//!
//!     cargo run --release --example gpu_step -- unet.gguf [SIZE [ROWS [TOKENS [STEPS]]]]
//!
//! Prints one JSON object: the median over the steps, each submitted and waited for, and what that is in TFLOP/s. With
//! PEAK_TFLOPS, the card's own figure, also the share of it. What each kernel took goes to stderr.

use imagen_web::cascade::Profile;
use imagen_web::gpu::plan::{PlanBuilder, Profiler, Shape};
use imagen_web::gpu::{Device, DeviceOptions};
use imagen_web::unet::{UNetConfig, plan, sinusoidal};
use imagen_web::weights::{FileSource, WeightIndex, Weights};
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// Steps that are profiled after the others were timed.
const PROFILED: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: gpu_step unet.gguf [SIZE [ROWS [TOKENS [STEPS]]]]")?;
    let numbers = arguments.map(|number| number.parse()).collect::<Result<Vec<u32>, _>>()?;
    let number = |place: usize, usual: u32| numbers.get(place).copied().unwrap_or(usual);
    let (size, rows, tokens, steps) = (number(0, 64), number(1, 2), number(2, 77), number(3, 20).max(1));

    let mut weights = Weights::open(Box::new(FileSource::open(Path::new(&file))?)).await?;
    let config = weights.metadata().string("imagen.unet.config").ok_or("the file holds no U-Net")?;
    let config = UNetConfig::from_json(config)?;
    let device = Device::request(DeviceOptions::default()).await?;

    let mut b = PlanBuilder::for_device(&WeightIndex::from(&weights), &device);
    b.phase("prompt");
    b.phase("step");
    let side = size / config.patch_size.max(1) as u32;
    let x = b.input("x", Shape::image(rows, side, side, config.in_channels as u32))?;
    let y = plan::build(&mut b, &config, x, tokens)?;
    b.output("y", y);
    let description = b.finish()?;
    let uploaded = description.upload(&device, &mut weights).await?;
    let plan = description.compile(&device, &uploaded, &mut |_, _| {}).await?;

    let values = |count: u64| (0..count).map(|i| ((i * 7919) % 2048) as f32 / 1024.0 - 1.0).collect::<Vec<f32>>();
    plan.write("x", &values(x.shape.values()))?;
    if let Some(channels) = config.text_channels() {
        plan.write("text", &values(u64::from(rows * tokens) * channels as u64))?;
    }
    if config.class_embed_type.is_some() {
        plan.write("class_embedding", &sinusoidal(&config, 50.0).repeat(rows as usize))?;
    }
    plan.run("prompt")?;

    let mut milliseconds = Vec::new();
    for step in 0..steps + 2 {
        let timestep = sinusoidal(&config, 999.0 - step as f32).repeat(rows as usize);
        let begun = Instant::now();
        plan.write("timestep_embedding", &timestep)?;
        plan.run("step")?;
        device.finished().await?;
        // The first two bring caches and clocks up.
        if step >= 2 {
            milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    let median = milliseconds[milliseconds.len() / 2];
    if plan.read("y").await?.iter().any(|value| !value.is_finite()) {
        return Err("the network's output is not finite".into());
    }

    let mut profiler = Profiler::default();
    profiler.start(true);
    for _ in 0..PROFILED {
        profiler.run(&plan, "step").await?;
    }
    if let Some(plan) = profiler.take() {
        eprintln!("{}", Profile { part: file, image_size: Some(size), plan });
    }
    let flops = description.flops("step") as f64;
    let tflops = flops / median / 1e9;
    let peak: Option<f64> = std::env::var("PEAK_TFLOPS").ok().map(|peak| peak.parse()).transpose()?;
    let result = json!({
        "adapter": device.info().name, "software": device.info().software, "size": size, "rows": rows, "tokens": tokens,
        "steps": steps, "dispatches": description.dispatches("step"), "ms_per_step": median,
        "gflop_per_step": flops / 1e9, "tflop_per_second": tflops, "share_of_peak": peak.map(|peak| tflops / peak),
    });
    println!("{result}");
    Ok(())
}
