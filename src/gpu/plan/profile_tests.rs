//! Profiles on a software device: complete, harmless, and with or without timestamps.

use super::{PhaseTimes, Timing, Work};
use crate::gpu::kernels::{Conv, Linear};
use crate::gpu::plan::{Plan, PlanBuilder, Profiler, Shape, StepParams};
use crate::gpu::testing::{TestWeights, values};
use crate::gpu::{Counters, Device, DeviceOptions, GpuError, GpuWeights};
use crate::weights::BlockFormat;
use pollster::block_on;
use std::sync::Arc;
use std::time::Duration;

/// Values of the input "x".
const VALUES: usize = 8 * 8 * 16;

/// Two convolutions that double what they read, in place, and a product of a tensor with itself as its gate.
async fn plan(device: &Arc<Device>) -> Result<(GpuWeights, Plan), GpuError> {
    let mut weights = TestWeights::new();
    weights.random("conv", &[16, 9 * 16], BlockFormat::F16);
    weights.random("linear", &[16, 16], BlockFormat::F32);
    let mut b = PlanBuilder::new(&weights.index(), device.limits());
    let x = b.input("x", Shape::image(1, 8, 8, 16))?;
    let h = b.conv(x, Conv::new("conv", 3))?;
    let h = b.conv(h, Conv { residual: Some(x), ..Conv::new("conv", 3) })?;
    let y = b.linear(h, Linear { gate: Some(h), ..Linear::new("linear") })?;
    b.output("y", y);
    let description = b.finish()?;
    let uploaded = description.upload(device, &mut weights.open()).await?;
    let plan = description.compile(device, &uploaded, &mut |_, _| {}).await?;
    plan.write("x", &values(1, VALUES))?;
    Ok((uploaded, plan))
}

fn check(times: &PhaseTimes, timing: Timing) {
    assert_eq!(times.timing, timing);
    let picture = 8 * 8 * 16 * 4;
    let (conv, linear) = (16 * 144 * 2, 16 * 16 * 4);
    let work: Vec<Work> = times.dispatches.iter().map(|(work, _)| *work).collect();
    let expected = [
        Work { kernel: "conv", flops: 2 * 64 * 16 * 144, bytes: 2 * picture + conv },
        Work { kernel: "conv", flops: 2 * 64 * 16 * 144, bytes: 3 * picture + conv },
        // The gate is the input: bound twice, moved once.
        Work { kernel: "linear", flops: 2 * 64 * 16 * 16, bytes: 2 * picture + linear },
    ];
    assert_eq!(work, expected);
    let sum: Duration = times.dispatches.iter().map(|(_, time)| *time).sum();
    assert!(sum > Duration::ZERO && sum <= times.wall, "{sum:?} of {:?}", times.wall);
}

#[test]
fn timestamps_where_the_device_has_them() {
    let device = block_on(Device::request(DeviceOptions::default())).unwrap();
    assert!(device.has_timestamps(), "lavapipe has timestamp queries");
    block_on(async {
        let (_weights, plan) = plan(&device).await.unwrap();
        plan.run("step").unwrap();
        let expected = plan.read("y").await.unwrap();
        let before = device.allocated_bytes();
        check(&plan.profile("step").await.unwrap(), Timing::Timestamps);
        assert_eq!(device.allocated_bytes(), before, "what the measurement took was given back");
        assert_eq!(plan.read("y").await.unwrap(), expected);
    });
}

#[test]
fn waits_where_it_has_none() {
    let device = block_on(Device::with_default_limits()).unwrap();
    assert!(!device.has_timestamps());
    block_on(async {
        let (_weights, plan) = plan(&device).await.unwrap();
        plan.run("step").unwrap();
        let expected = plan.read("y").await.unwrap();
        let before = device.counters();
        check(&plan.profile("step").await.unwrap(), Timing::Waits);
        assert_eq!(device.counters(), Counters { submits: before.submits + 3, ..before });
        assert_eq!(plan.read("y").await.unwrap(), expected);
    });
}

#[test]
fn a_profiler_that_is_off_costs_nothing() {
    for options in [DeviceOptions::default(), DeviceOptions { default_limits: true, ..Default::default() }] {
        let device = block_on(Device::request(options)).unwrap();
        block_on(async {
            let (_weights, plan) = plan(&device).await.unwrap();
            let mut profiler = Profiler::default();
            profiler.loaded();
            plan.write_step(&StepParams::default()).unwrap();
            let before = device.counters();
            profiler.run(&plan, "step").await.unwrap();
            assert_eq!(device.counters(), Counters { submits: before.submits + 1, ..before });
            assert_eq!(profiler.take(), None);
            profiler.start(true);
            profiler.run(&plan, "step").await.unwrap();
            let profile = profiler.take().unwrap();
            assert_eq!(profile.phases[0].first_run_seconds, None, "it was not the first");
            assert_eq!(profile.compiled, None);
        });
    }
}

#[test]
fn the_first_run_counts_from_the_loaded_weights() {
    let device = block_on(Device::request(DeviceOptions::default())).unwrap();
    block_on(async {
        let mut profiler = Profiler::default();
        profiler.loaded();
        let (_weights, plan) = plan(&device).await.unwrap();
        profiler.start(true);
        profiler.run(&plan, "step").await.unwrap();
        let profile = profiler.take().unwrap();
        let compiled = profile.compiled.unwrap();
        // The two convolutions differ in parameters alone.
        assert_eq!((compiled.pipelines, compiled.new), (2, 2));
        assert_eq!((compiled.kernels["conv"].new, compiled.kernels["linear"].new), (1, 1));
        assert!(profile.phases[0].first_run_seconds.unwrap() > compiled.seconds);
    });
}

#[test]
fn failures_are_values() {
    let device = block_on(Device::request(DeviceOptions::default())).unwrap();
    block_on(async {
        let (_weights, plan) = plan(&device).await.unwrap();
        assert!(matches!(plan.profile("stage").await, Err(GpuError::UnknownName { kind: "phase", .. })));
        device.fail_allocation(2);
        assert!(matches!(plan.profile("step").await, Err(GpuError::OutOfMemory { .. })));
        plan.profile("step").await.unwrap();
        device.destroy();
        assert!(matches!(plan.profile("step").await, Err(GpuError::Lost { .. })));
    });
}
