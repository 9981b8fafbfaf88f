//! What the GPU encoder asks of its device, and what happens when the device fails.

use super::*;
use crate::weights::MemorySource;

fn device() -> Arc<Device> {
    pollster::block_on(Device::with_default_limits()).unwrap()
}

fn load(device: &Arc<Device>) -> Result<GpuEncoder, TextError> {
    let bytes = include_bytes!("../../../tests/fixtures/t5_v1_1_q4_0.gguf").to_vec();
    let source = Box::new(MemorySource::new("text_encoder.gguf", bytes));
    pollster::block_on(async { GpuEncoder::load(Weights::open(source).await?, device).await })
}

fn encode(encoder: &mut GpuEncoder, batch: usize) -> Result<Vec<f32>, TextError> {
    let (ids, mask) = ([5, 33, 1, 0].repeat(batch), [1, 1, 1, 0].repeat(batch));
    pollster::block_on(encoder.forward(&ids, &mask, 4))
}

#[test]
fn the_second_batch_of_a_size_makes_nothing_new() {
    let device = device();
    let mut encoder = load(&device).unwrap();
    let first = encode(&mut encoder, 1).unwrap();
    let before = device.counters();
    assert_eq!(encode(&mut encoder, 1).unwrap(), first);
    let after = device.counters();
    let made = |counters: &crate::gpu::Counters| (counters.buffers, counters.pipelines, counters.bind_groups);
    assert_eq!(made(&before), made(&after));
    assert_eq!(encode(&mut encoder, 2).unwrap(), [first.clone(), first].concat());
}

#[test]
fn memory_is_what_the_plan_said_and_is_given_back() {
    let device = device();
    let before = device.allocated_bytes();
    let mut encoder = load(&device).unwrap();
    encode(&mut encoder, 3).unwrap();
    let planned = build(&encoder.index, &device, &encoder.config, 3, 4).unwrap().peak_bytes();
    assert_eq!(device.allocated_bytes() - before, planned);
    drop(encoder);
    assert_eq!(device.allocated_bytes(), before);
}

#[test]
fn a_lost_device_is_an_error() {
    let device = device();
    let mut encoder = load(&device).unwrap();
    device.destroy();
    assert!(matches!(encode(&mut encoder, 1), Err(TextError::Gpu(GpuError::Lost { .. }))));
    assert!(matches!(load(&device), Err(TextError::Gpu(GpuError::Lost { .. }))));
}

#[test]
fn an_allocation_that_fails_is_an_error_and_the_next_try_works() {
    let device = device();
    device.fail_allocation(1);
    assert!(matches!(load(&device), Err(TextError::Gpu(GpuError::OutOfMemory { .. }))));
    let mut encoder = load(&device).unwrap();
    device.fail_allocation(1);
    assert!(matches!(encode(&mut encoder, 1), Err(TextError::Gpu(GpuError::OutOfMemory { .. }))));
    assert!(encode(&mut encoder, 1).is_ok());
}
