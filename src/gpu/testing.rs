//! What the kernels' tests share: a device with default limits, weights in memory, and running a few operations.

use super::plan::{PlanBuilder, Shape, StepParams, Tensor};
use super::{Device, DeviceOptions, GpuError, Hardware};
use crate::weights::{BlockFormat, GgufWriter, MemorySource, Metadata, WeightIndex, Weights};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The device that tests share: exactly WebGPU's default limits. Without any adapter the test fails.
pub(crate) fn device() -> Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    let request = || pollster::block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)");
    Arc::clone(DEVICE.get_or_init(request))
}

/// A device that binds at most `bytes` at once.
pub(crate) fn small_device(bytes: u64) -> Arc<Device> {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: bytes, ..Default::default() };
    pollster::block_on(Device::request(DeviceOptions { limits: Some(limits), ..Default::default() })).unwrap()
}

/// Deterministic values, roughly uniform in ±1.
pub(crate) fn values(seed: u32, count: usize) -> Vec<f32> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Weights of a network under test.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestWeights(Vec<(String, Vec<usize>, BlockFormat, Vec<f32>)>);

impl TestWeights {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds random values and returns them as they are after storing them as `format`.
    pub fn random(&mut self, name: &str, shape: &[usize], format: BlockFormat) -> Vec<f32> {
        let seed = name.bytes().fold(shape.len() as u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        self.add(name, shape, format, &values(seed, shape.iter().product()))
    }

    /// Adds these values and returns them as they are after storing them as `format`.
    pub fn add(&mut self, name: &str, shape: &[usize], format: BlockFormat, values: &[f32]) -> Vec<f32> {
        let mut stored = Vec::new();
        format.dequantise(&format.quantise(values).unwrap(), &mut stored).unwrap();
        self.0.push((name.to_owned(), shape.to_vec(), format, values.to_vec()));
        stored
    }

    pub fn index(&self) -> WeightIndex {
        let mut index = WeightIndex::new();
        for (name, shape, format, _) in &self.0 {
            index.insert(name.clone(), shape.clone(), *format);
        }
        index
    }

    /// The weights as a file in memory.
    pub fn open(&self) -> Weights {
        let mut writer = GgufWriter::new("test", Metadata::new("test"));
        for (name, shape, format, _) in &self.0 {
            writer.declare(name, shape, *format).unwrap();
        }
        let mut body = writer.begin(Vec::new()).unwrap();
        for (_, _, _, values) in &self.0 {
            body.rows(values).unwrap();
        }
        let bytes = body.finish().unwrap();
        pollster::block_on(Weights::open(Box::new(MemorySource::new("test", bytes)))).unwrap()
    }
}

/// Builds, compiles and runs a plan of one phase on `device`; every tensor that `build` returns comes back by its name.
/// `inputs` are given to `build` in their order.
pub(crate) fn run_on(
    device: &Arc<Device>,
    weights: &TestWeights,
    inputs: &[(Shape, &[f32])],
    step: Option<StepParams>,
    build: impl FnOnce(&mut PlanBuilder, &[Tensor]) -> Result<Vec<(&'static str, Tensor)>, GpuError>,
) -> Result<BTreeMap<&'static str, Vec<f32>>, GpuError> {
    let mut builder = PlanBuilder::for_device(&weights.index(), device);
    let tensors: Result<Vec<_>, _> =
        inputs.iter().enumerate().map(|(i, (shape, _))| builder.input(&i.to_string(), *shape)).collect();
    let outputs = build(&mut builder, &tensors?)?;
    for (name, tensor) in &outputs {
        builder.output(name, *tensor);
    }
    let description = builder.finish()?;
    pollster::block_on(async {
        let weights = description.upload(device, &mut weights.open()).await?;
        let plan = description.compile(device, &weights, &mut |_, _| {}).await?;
        for (i, (_, values)) in inputs.iter().enumerate() {
            plan.write(&i.to_string(), values)?;
        }
        if let Some(step) = &step {
            plan.write_step(step)?;
        }
        plan.run("step")?;
        let mut read = BTreeMap::new();
        for (name, _) in outputs {
            read.insert(name, plan.read(name).await?);
        }
        Ok(read)
    })
}

/// A device with all features that kernels use.
pub(crate) fn featured_device() -> Arc<Device> {
    static DEVICE: OnceLock<Arc<Device>> = OnceLock::new();
    let options = || DeviceOptions { half: true, ..Default::default() };
    let request = || pollster::block_on(Device::request(options())).expect("a Vulkan driver (lavapipe will do)");
    Arc::clone(DEVICE.get_or_init(request))
}

/// Runs operations with one output as variants for GPUs and for software adapters, on a device with the default limits
/// and on one with subgroups, which must agree. Returns the first's.
pub(crate) fn run(
    weights: &TestWeights,
    inputs: &[(Shape, &[f32])],
    build: impl Fn(&mut PlanBuilder, &[Tensor]) -> Result<Tensor, GpuError>,
) -> Result<Vec<f32>, GpuError> {
    let output = |device: &Arc<Device>, hardware| {
        let build = |b: &mut PlanBuilder, inputs: &[Tensor]| {
            b.choose_for(hardware);
            Ok(vec![("y", build(b, inputs)?)])
        };
        let outputs = run_on(device, weights, inputs, None, build)?;
        Ok::<_, GpuError>(outputs.into_values().next().unwrap_or_default())
    };
    let plain = output(&device(), Hardware::default())?;
    let software = output(&device(), Hardware { software: true, ..Hardware::default() })?;
    assert_close(&software, &plain, 1e-4);
    let featured = featured_device();
    let subgroup = featured.hardware().subgroup;
    // Both kinds of workgroup: one larger than a subgroup, and one within it.
    for software in [false, true] {
        let hardware = Hardware { software, subgroup, ..Hardware::default() };
        assert_close(&output(&featured, hardware)?, &plain, 1e-4);
    }
    Ok(plain)
}

/// How far half precision may be off, of the values' RMS: products are rounded to 11 bits and four of them are added so.
pub(crate) const HALF: f32 = 5e-3;

/// The first of these variants in half precision; none where the device has none.
pub(crate) fn run_in_half(
    weights: &TestWeights,
    inputs: &[(Shape, &[f32])],
    build: impl Fn(&mut PlanBuilder, &[Tensor]) -> Result<Tensor, GpuError>,
) -> Option<Vec<f32>> {
    let device = featured_device();
    if !device.hardware().half {
        return None;
    }
    let hardware = Hardware { software: false, ..device.hardware() };
    let outputs = run_on(&device, weights, inputs, None, |b, inputs| {
        b.choose_for(hardware);
        Ok(vec![("y", build(b, inputs)?)])
    });
    outputs.unwrap().into_values().next()
}

/// Fails where `actual` is further from `expected` than `tolerance` times the expected values' RMS.
#[track_caller]
pub(crate) fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "number of values");
    let rms =
        (expected.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / expected.len().max(1) as f64).sqrt() as f32;
    let difference = |i: usize| (actual[i] - expected[i]).abs();
    let worst = (0..actual.len()).max_by(|&a, &b| difference(a).total_cmp(&difference(b))).unwrap();
    assert!(
        difference(worst) <= tolerance * rms.max(1e-3),
        "value {worst} is {}, expected {} (RMS {rms}, tolerance {tolerance})",
        actual[worst],
        expected[worst]
    );
}
