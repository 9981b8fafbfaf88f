//! The engine's promises: what a plan asks the device for, what a step costs, and how failures come back.

use super::*;
use crate::gpu::kernels::{Activation, Attention, Conv, GroupNorm, Linear, Norm};
use crate::gpu::testing::{TestWeights, values};
use crate::gpu::{Counters, Device, GpuError, GpuWeights};
use crate::weights::{BlockFormat, WeightIndex};
use std::sync::Arc;

/// A device of this test's own: its counters, failures and loss concern nobody else.
fn own_device() -> Arc<Device> {
    pollster::block_on(Device::with_default_limits()).expect("a Vulkan driver (lavapipe will do)")
}

fn weights() -> TestWeights {
    let mut weights = TestWeights::new();
    for name in ["conv_a", "conv_b"] {
        weights.random(name, &[16, 9 * 16], BlockFormat::F16);
    }
    weights.random("text", &[16, 32], BlockFormat::Q8_0);
    weights.random("norm", &[16], BlockFormat::F32);
    weights.random("unused", &[1000, 32], BlockFormat::Q4_0);
    weights
}

/// A small network in two phases with carried state: what a U-Net does, without its size.
fn network(weights: &TestWeights, limits: &wgpu::Limits) -> Result<PlanDescription, GpuError> {
    let mut b = PlanBuilder::new(&weights.index(), limits);
    let x = b.input("x", Shape::image(1, 9, 7, 16))?;
    b.phase("prompt");
    let text = b.input("text", Shape::vector(1, 32))?;
    let text = b.linear(text, Linear::new("text"))?;
    b.phase("step");
    let norm = GroupNorm { groups: 4, eps: 1e-5, weight: "norm", bias: "norm", scale_shift: None };
    let affine = b.group_norm(x, None, norm)?;
    let norm = Some(Norm { affine, activation: Activation::Silu });
    let h = b.conv(x, Conv { norm, residual: Some(text), ..Conv::new("conv_a", 3) })?;
    let h = b.conv(h, Conv { residual: Some(x), ..Conv::new("conv_b", 3) })?;
    let h = b.conv(h, Conv::new("conv_a", 3))?;
    b.output("y", h);
    b.finish()
}

async fn compiled(device: &Arc<Device>) -> Result<(PlanDescription, GpuWeights, Plan), GpuError> {
    let weights = weights();
    let description = network(&weights, device.limits())?;
    let uploaded = description.upload(device, &mut weights.open()).await?;
    let plan = description.compile(device, &uploaded, &mut |_, _| {}).await?;
    Ok((description, uploaded, plan))
}

async fn sample(plan: &Plan, steps: usize) -> Result<Vec<f32>, GpuError> {
    plan.write("x", &values(1, 9 * 7 * 16))?;
    plan.write("text", &values(2, 32))?;
    plan.run("prompt")?;
    for _ in 0..steps {
        plan.write_step(&StepParams::default())?;
        plan.run("step")?;
    }
    plan.read("y").await
}

#[test]
fn planned_bytes_are_what_the_device_is_asked_for() {
    let device = own_device();
    let (description, uploaded, plan) = pollster::block_on(compiled(&device)).unwrap();
    assert_eq!(description.peak_bytes(), device.allocated_bytes());
    assert_eq!(description.peak_bytes(), device.peak_bytes());
    assert_eq!(description.weight_bytes(), uploaded.bytes());
    assert!(!description.uses("unused"));
    drop(plan);
    assert_eq!(device.allocated_bytes(), uploaded.bytes());
    drop(uploaded);
    assert_eq!(device.allocated_bytes(), 0);
}

#[test]
fn a_step_is_one_submit_and_nothing_else() {
    let device = own_device();
    let (_, _weights, plan) = pollster::block_on(compiled(&device)).unwrap();
    pollster::block_on(sample(&plan, 1)).unwrap();
    let before = device.counters();
    for _ in 0..5 {
        plan.write_step(&StepParams::default()).unwrap();
        plan.run("step").unwrap();
    }
    assert_eq!(device.counters(), Counters { submits: before.submits + 5, ..before });
    // A preview: one more submit (the copy), one readback, still no new object.
    pollster::block_on(plan.read("y")).unwrap();
    let after = Counters { submits: before.submits + 6, readbacks: before.readbacks + 1, ..before };
    assert_eq!(device.counters(), after);
}

#[test]
fn replays_are_identical_and_share_pipelines() {
    let device = own_device();
    pollster::block_on(async {
        let (_, _weights, plan) = compiled(&device).await.unwrap();
        let first = sample(&plan, 1).await.unwrap();
        assert!(first.iter().all(|v| v.is_finite()) && first.iter().any(|v| *v != 0.0));
        assert_eq!(first, sample(&plan, 3).await.unwrap());
        let pipelines = device.counters().pipelines;
        let (_, _other_weights, other) = compiled(&device).await.unwrap();
        assert_eq!(device.counters().pipelines, pipelines);
        assert_eq!(first, sample(&other, 2).await.unwrap());
    });
}

#[test]
fn progress_counts_pipelines() {
    let device = own_device();
    let weights = weights();
    let description = network(&weights, device.limits()).unwrap();
    let mut seen = Vec::new();
    pollster::block_on(async {
        let uploaded = GpuWeights::upload(&device, &mut weights.open(), &[], &|_| true).await.unwrap();
        description.compile(&device, &uploaded, &mut |done, all| seen.push((done, all))).await.unwrap();
    });
    let all = device.counters().pipelines as usize;
    assert_eq!(seen, (1..=all).map(|done| (done, all)).collect::<Vec<_>>());
}

#[test]
fn every_failing_allocation_is_an_error_and_leaks_nothing() {
    let device = own_device();
    let wanted = {
        let before = device.counters().buffers;
        pollster::block_on(compiled(&device)).unwrap();
        device.counters().buffers - before
    };
    assert!(wanted > 8);
    for n in 1..=wanted as u32 {
        device.fail_allocation(n);
        let error = pollster::block_on(compiled(&device)).map(drop).unwrap_err();
        assert!(matches!(error, GpuError::OutOfMemory { .. }), "allocation {n}: {error}");
        assert_eq!(device.allocated_bytes(), 0);
    }
    // The device goes on.
    let (_, _weights, plan) = pollster::block_on(compiled(&device)).unwrap();
    pollster::block_on(sample(&plan, 1)).unwrap();
}

#[test]
fn a_lost_device_is_an_error_everywhere() {
    let device = own_device();
    let (description, uploaded, plan) = pollster::block_on(compiled(&device)).unwrap();
    pollster::block_on(sample(&plan, 1)).unwrap();
    assert_eq!(device.lost(), None);
    device.destroy();
    assert!(device.lost().is_some());
    let lost = |error: GpuError| assert!(matches!(error, GpuError::Lost { .. }), "{error}");
    lost(plan.run("step").unwrap_err());
    lost(plan.write("text", &[0.0; 32]).unwrap_err());
    lost(plan.write_step(&StepParams::default()).unwrap_err());
    lost(pollster::block_on(plan.read("y")).unwrap_err());
    lost(pollster::block_on(device.finished()).unwrap_err());
    lost(pollster::block_on(description.compile(&device, &uploaded, &mut |_, _| {})).unwrap_err());
    lost(pollster::block_on(GpuWeights::upload(&device, &mut weights().open(), &[], &|_| true)).unwrap_err());
    // Another one takes over.
    let again = own_device();
    let (_, _weights, plan) = pollster::block_on(compiled(&again)).unwrap();
    pollster::block_on(sample(&plan, 1)).unwrap();
}

#[test]
fn a_device_lost_under_running_work_is_an_error() {
    let device = own_device();
    let (_, _weights, plan) = pollster::block_on(compiled(&device)).unwrap();
    for _ in 0..20 {
        plan.run("step").unwrap();
    }
    device.destroy();
    assert!(matches!(pollster::block_on(plan.read("y")), Err(GpuError::Lost { .. })));
}

#[test]
fn wrong_names_and_lengths_are_errors() {
    let device = own_device();
    let (_, _weights, plan) = pollster::block_on(compiled(&device)).unwrap();
    assert!(matches!(plan.run("stage"), Err(GpuError::UnknownName { kind: "phase", .. })));
    assert!(matches!(plan.write("z", &[]), Err(GpuError::UnknownName { kind: "input", .. })));
    assert!(matches!(pollster::block_on(plan.read("z")), Err(GpuError::UnknownName { kind: "output", .. })));
    assert!(matches!(plan.write("text", &[0.0; 31]), Err(GpuError::InputLength { expected: 32, actual: 31, .. })));
}

#[test]
fn weights_of_another_file_are_refused() {
    let device = own_device();
    let description = network(&weights(), device.limits()).unwrap();
    let mut other = weights();
    other.random("norm2", &[4], BlockFormat::F32);
    pollster::block_on(async {
        let some = GpuWeights::upload(&device, &mut other.open(), &[], &|name| name != "conv_b").await.unwrap();
        let error = description.compile(&device, &some, &mut |_, _| {}).await.unwrap_err();
        assert!(matches!(error, GpuError::MissingWeight { tensor } if tensor == "conv_b"));
        let mut other = TestWeights::new();
        for (name, shape) in [("conv_a", [16, 144]), ("conv_b", [16, 144]), ("text", [8, 64])] {
            other.random(name, &shape, BlockFormat::F16);
        }
        other.random("norm", &[16], BlockFormat::F32);
        let wrong = GpuWeights::upload(&device, &mut other.open(), &[], &|_| true).await.unwrap();
        assert!(matches!(description.compile(&device, &wrong, &mut |_, _| {}).await, Err(GpuError::Shape { .. })));
    });
}

#[test]
fn bad_wgsl_is_a_value() {
    let device = own_device();
    let mut b = PlanBuilder::new(&WeightIndex::new(), device.limits());
    let y = b.tensor(Shape::vector(1, 4)).unwrap();
    b.record(Dispatch::new("broken", "main", &["fn main("]).write(y)).unwrap();
    let description = b.finish().unwrap();
    let weights = GpuWeights::none();
    let error = pollster::block_on(description.compile(&device, &weights, &mut |_, _| {})).unwrap_err();
    assert!(matches!(&error, GpuError::Validation { what, .. } if what == "broken"), "{error}");
}

#[test]
fn a_tensor_too_large_to_bind_is_an_error() {
    let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
    assert!(b.input("fits", Shape::image(1, 256, 256, 512)).is_ok());
    let error = b.input("large", Shape::image(2, 256, 256, 480)).unwrap_err();
    assert!(matches!(error, GpuError::Limit { available: 134_217_728, .. }), "{error}");
}

#[test]
fn a_dry_build_counts() {
    let description = network(&weights(), &wgpu::Limits::default()).unwrap();
    assert_eq!(description.phases(), ["prompt", "step"]);
    assert_eq!((description.dispatches("prompt"), description.dispatches("step")), (1, 4));
    assert_eq!(description.kernels("step")["conv"], 3);
    assert_eq!(description.flops("prompt"), 2 * 16 * 32);
    assert!(description.buffers().iter().sum::<u64>() < description.unshared_bytes());
}

#[test]
fn the_default_device_has_webgpus_limits_and_no_features() {
    let device = own_device();
    let (limits, default) = (device.limits(), wgpu::Limits::default());
    assert_eq!(limits.max_storage_buffer_binding_size, default.max_storage_buffer_binding_size);
    assert_eq!(limits.max_buffer_size, default.max_buffer_size);
    assert_eq!(limits.max_storage_buffers_per_shader_stage, 8);
    assert_eq!(limits.max_compute_workgroup_storage_size, 16384);
    assert_eq!(limits.max_compute_invocations_per_workgroup, 256);
    assert_eq!(device.wgpu().features(), wgpu::Features::empty());
}

#[test]
fn stacks_that_are_recorded_twice_are_there_once() {
    // As the layers of one input are where guidance runs in two passes.
    let (device, mut weights) = (own_device(), TestWeights::new());
    for name in ["a", "b"] {
        weights.random(name, &[16, 32], BlockFormat::Q8_0);
    }
    let mut b = PlanBuilder::for_device(&weights.index(), &device);
    let x = b.input("x", Shape::tokens(1, 9, 32)).unwrap();
    for output in ["first", "second"] {
        let together = b.linears(x, &["a", "b"].map(Linear::new)).unwrap();
        let keys = [(together[1], together[1])];
        let attention = Attention { keys: &keys, heads: 2, scale: 0.5, bias: None, mask: None };
        let y = b.attention(together[0], attention).unwrap();
        b.output(output, y);
    }
    let description = b.finish().unwrap();
    assert_eq!(description.dispatches("step"), 4);
    pollster::block_on(async {
        let uploaded = description.upload(&device, &mut weights.open()).await.unwrap();
        let plan = description.compile(&device, &uploaded, &mut |_, _| {}).await.unwrap();
        assert_eq!(description.peak_bytes(), device.peak_bytes());
        plan.write("x", &values(1, 9 * 32)).unwrap();
        plan.run("step").unwrap();
        assert_eq!(plan.read("first").await.unwrap(), plan.read("second").await.unwrap());
    });
}
