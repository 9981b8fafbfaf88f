//! What a GPU program needs, known without a device: dispatches, bindings, bytes, and what of a cascade stays loaded.

mod unet;

use imagen_web::cascade::manifest::StageManifest;
use imagen_web::cascade::{Needs, Residency, plan_stage};
use imagen_web::gpu::GpuError;
use imagen_web::gpu::plan::{PlanBuilder, PlanDescription, Shape};
use imagen_web::text::t5;
use imagen_web::unet::{UNetConfig, plan};
use imagen_web::weights::{BlockFormat, WeightIndex};
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

/// The program of T5-XXL's encoder for a prompt and a negative prompt.
fn describe_xxl(format: BlockFormat) -> PlanDescription {
    let json = r#"{"vocab_size": 32128, "d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24,
        "feed_forward_proj": "gated-gelu"}"#;
    let config = t5::T5Config::from_json(json.as_bytes()).unwrap();
    let mut index = WeightIndex::new();
    for block in 0..config.num_layers {
        let mut add = |name: &str, shape: &[usize]| {
            let format = if shape.len() == 1 { BlockFormat::F32 } else { format };
            index.insert(format!("enc.blk.{block}.{name}.weight"), shape, format);
        };
        ["attn_q", "attn_k", "attn_v", "attn_o"].iter().for_each(|name| add(name, &[4096, 4096]));
        ["attn_norm", "ffn_norm"].iter().for_each(|name| add(name, &[4096]));
        ["ffn_gate", "ffn_up"].iter().for_each(|name| add(name, &[10240, 4096]));
        add("ffn_down", &[4096, 10240]);
    }
    index.insert("enc.output_norm.weight", [4096], BlockFormat::F32);
    t5::plan::describe(PlanBuilder::new(&index, &wgpu::Limits::default()), &config, 2, 77).unwrap()
}

#[test]
fn deepfloyd_with_t5_xxl_fits_8_gb() {
    let (text, first, second) = (
        describe_xxl(BlockFormat::Q4K),
        stage(&deepfloyd::first_stage([192, 384, 576, 768]), 64),
        stage(&deepfloyd::second_stage([96, 192, 384, 576, 768]), 256),
    );
    let needs = Needs {
        text: text.peak_bytes(),
        streamed_text: text.streamed_peak_bytes(),
        stages: vec![first.peak_bytes(), second.peak_bytes()],
    };
    for residency in Residency::ALL {
        println!("T5-XXL Q4_K, IF-I-M and IF-II-M Q8_0: {} MiB: {residency}", needs.peak(residency) >> 20);
    }
    let decide = |mebibytes: u64| needs.decide(Some(mebibytes << 20), Residency::KeepAll);
    // 8 GB with room for whatever else draws, half of that, and what many older GPUs have.
    assert!(decide(6 << 10).unwrap() <= Residency::DropTextEncoder);
    assert!(decide(3 << 10).unwrap() <= Residency::OneAtATime);
    assert_eq!(decide(2 << 10), Ok(Residency::StreamTextEncoder));
    assert!(decide(512).is_err());
    // F16 encoders, 9.5 GB, run on 8 GB as well.
    let text = describe_xxl(BlockFormat::F16);
    assert!(text.streamed_peak_bytes() < 1 << 30, "{}", text.streamed_peak_bytes());
}
