//! How fast the GPU's kernels are at the sizes of storybook's base and of DeepFloyd's IF-I-M, two rows (with guidance), on
//! the adapter that is there. `cargo bench --bench kernels -- linear` runs the linear ones alone.
//!
//! Times are the GPU's own where it has timestamps, without submitting and waiting. An element of the throughput is one
//! floating-point operation: Gelem/s are GFLOP/s; for group norm, an element is a byte of its input.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use imagen_web::gpu::kernels::{Activation, Attention, Conv, GroupNorm, Linear, Norm};
use imagen_web::gpu::plan::{Plan, PlanBuilder, Shape, Tensor};
use imagen_web::gpu::{Device, DeviceOptions, GpuError, GpuWeights};
use imagen_web::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, WeightIndex, Weights};
use pollster::block_on;
use std::sync::Arc;
use std::time::Duration;

/// The U-Net's batch: with and without the prompt.
const ROWS: u32 = 2;
const TEXT_TOKENS: u32 = 77;

/// One level of a U-Net.
#[derive(Clone, Copy)]
struct Level {
    name: &'static str,
    /// Height and width.
    side: u32,
    channels: u32,
    /// Width of an attention head; none at levels without attention.
    head: Option<u32>,
}

const LEVELS: [Level; 4] = [
    Level { name: "storybook 32x32x32", side: 32, channels: 32, head: None },
    Level { name: "storybook 8x8x128", side: 8, channels: 128, head: Some(32) },
    Level { name: "IF-I-M 64x64x192", side: 64, channels: 192, head: None },
    Level { name: "IF-I-M 32x32x384", side: 32, channels: 384, head: Some(64) },
];

impl Level {
    fn shape(self) -> Shape {
        Shape::image(ROWS, self.side, self.side, self.channels)
    }

    fn wide(self) -> usize {
        self.channels as usize
    }
}

type Spec = (&'static str, Vec<usize>, BlockFormat);

/// A file of random weights.
fn weights(specs: &[Spec]) -> Weights {
    let mut writer = GgufWriter::new("bench", Metadata::default());
    for (name, shape, format) in specs {
        writer.declare(name, shape, *format).expect("a shape that the format can hold");
    }
    let mut body = writer.begin(Vec::new()).expect("memory");
    for (_, shape, _) in specs {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| ((i * 7919) % 1024) as f32 / 8192.0 - 0.0625).collect();
        body.rows(&values).expect("as many values as were declared");
    }
    let source = MemorySource::new("bench", body.finish().expect("memory"));
    block_on(Weights::open(Box::new(source))).expect("the file that was just written")
}

/// A plan of one operation, and its weights.
fn compile(
    device: &Arc<Device>,
    specs: &[Spec],
    build: impl FnOnce(&mut PlanBuilder) -> Result<Tensor, GpuError>,
) -> Result<(Plan, GpuWeights, u64), GpuError> {
    let mut file = weights(specs);
    let mut b = PlanBuilder::for_device(&WeightIndex::from(&file), device);
    let y = build(&mut b)?;
    b.output("y", y);
    let description = b.finish()?;
    block_on(async {
        let weights = description.upload(device, &mut file).await?;
        let plan = description.compile(device, &weights, &mut |_, _| {}).await?;
        Ok((plan, weights, description.flops("step")))
    })
}

struct Bench<'a> {
    criterion: &'a mut Criterion,
    device: Arc<Device>,
}

impl Bench<'_> {
    /// Measures one operation. `elements` stands for its operations where it tells none.
    fn measure(
        &mut self,
        operation: &str,
        level: Level,
        elements: Option<u64>,
        specs: &[Spec],
        build: impl FnOnce(&mut PlanBuilder) -> Result<Tensor, GpuError>,
    ) {
        let (plan, _weights, flops) = compile(&self.device, specs, build).expect("an operation that fits the device");
        let mut group = self.criterion.benchmark_group(operation);
        group.throughput(Throughput::Elements(elements.unwrap_or(flops)));
        group.bench_function(BenchmarkId::from_parameter(level.name), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| run(&plan)).sum());
        });
        group.finish();
    }
}

/// What one run takes on the GPU.
fn run(plan: &Plan) -> Duration {
    let times = block_on(plan.profile("step")).expect("a device that works");
    times.dispatches.iter().map(|(_, time)| *time).sum()
}

fn kernels(criterion: &mut Criterion) {
    let device = block_on(Device::request(DeviceOptions::default())).expect("a GPU, or a Vulkan driver in software");
    println!("{} ({:?})", device.info().name, device.info().kind);
    let mut bench = Bench { criterion, device };
    for level in LEVELS {
        for (format, name) in [(BlockFormat::F32, "F32"), (BlockFormat::Q8_0, "Q8_0"), (BlockFormat::Q4_0, "Q4_0")] {
            let specs = [("w", vec![level.wide(), level.wide()], format)];
            bench.measure(&format!("linear {name}"), level, None, &specs, |b| {
                let x = b.input("x", level.shape())?;
                b.linear(x, Linear::new("w"))
            });
        }
        let norm = GroupNorm { groups: 32, eps: 1e-5, weight: "scale", bias: "scale", scale_shift: None };
        for (operation, kernel) in [("conv 3x3 with norm", 3), ("conv 1x1", 1)] {
            let columns = (kernel * kernel) as usize * level.wide();
            let specs = [("w", vec![level.wide(), columns], BlockFormat::Q8_0)];
            bench.measure(operation, level, None, &specs, |b| {
                let x = b.input("x", level.shape())?;
                let affine = b.input("affine", Shape::vector(ROWS, 2 * level.channels))?;
                let norm = (kernel == 3).then_some(Norm { affine, activation: Activation::Gelu });
                b.conv(x, Conv { norm, ..Conv::new("w", kernel) })
            });
        }
        let specs = [("scale", vec![level.wide()], BlockFormat::F32)];
        bench.measure("group norm", level, Some(level.shape().values() * 4), &specs, |b| {
            let x = b.input("x", level.shape())?;
            b.group_norm(x, None, norm)
        });
        if let Some(head) = level.head {
            bench.measure("attention", level, None, &[], |b| {
                let image = Shape::tokens(ROWS, level.side * level.side, level.channels);
                let text = b.input("text", Shape::tokens(ROWS, TEXT_TOKENS, level.channels))?;
                let (q, k) = (b.input("q", image)?, b.input("k", image)?);
                let (heads, scale) = (level.channels / head, 0.125);
                b.attention(q, Attention { keys: &[(text, text), (k, k)], heads, scale, bias: None, mask: None })
            });
        }
    }
}

/// Few samples: on a software adapter one convolution takes a second.
fn configuration() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = configuration(); targets = kernels }
criterion_main!(benches);
