//! What the GPU encoder asks of its device, and what happens when the device fails.

use super::*;
use crate::gpu::testing::small_device;
use crate::text::t5::testing::{mixture, open};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const FILE: &[u8] = include_bytes!("../../../tests/fixtures/t5_v1_1_q4_0.gguf");

fn device() -> Arc<Device> {
    pollster::block_on(Device::with_default_limits()).unwrap()
}

fn load(device: &Arc<Device>) -> Result<GpuEncoder, TextError> {
    pollster::block_on(GpuEncoder::load(open(FILE), device))
}

fn stream(device: &Arc<Device>, bytes: &[u8]) -> Result<GpuEncoder, TextError> {
    pollster::block_on(GpuEncoder::streamed(open(bytes), device))
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
    let planned = describe(&encoder.tables, &device, 3, 4).unwrap().peak_bytes();
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

#[test]
fn layer_by_layer_is_all_at_once() {
    // A device that binds no more than 60 kB cuts the mixture's larger matrices.
    for (device, bytes) in [(device(), FILE), (device(), &mixture()), (small_device(60_000), &mixture())] {
        let mut whole = pollster::block_on(GpuEncoder::load(open(bytes), &device)).unwrap();
        let mut streamed = stream(&device, bytes).unwrap();
        for batch in [1, 2, 1] {
            assert_eq!(encode(&mut streamed, batch).unwrap(), encode(&mut whole, batch).unwrap());
        }
    }
}

#[test]
fn streamed_memory_is_what_the_plan_said_and_a_layer_is_one_submit() {
    for bytes in [FILE, &mixture()] {
        let device = device();
        let before = device.allocated_bytes();
        let mut encoder = stream(&device, bytes).unwrap();
        encode(&mut encoder, 3).unwrap();
        let description = describe(&encoder.tables, &device, 3, 4).unwrap();
        assert_eq!(device.allocated_bytes() - before, description.streamed_peak_bytes());
        assert_eq!(device.peak_bytes(), device.allocated_bytes());
        assert!(description.streamed_peak_bytes() < description.peak_bytes());
        let counted = device.counters();
        encode(&mut encoder, 3).unwrap();
        let layers = encoder.config().num_layers as u64;
        // The layers, the last norm, and the copy that is read back.
        let expected =
            crate::gpu::Counters { submits: counted.submits + layers + 2, readbacks: counted.readbacks + 1, ..counted };
        assert_eq!(device.counters(), expected, "nothing is made anew");
        drop(encoder);
        assert_eq!(device.allocated_bytes(), before);
    }
}

#[test]
fn layers_compile_no_more_than_the_first_of_their_formats() {
    let device = device();
    let mut encoder = stream(&device, FILE).unwrap();
    encode(&mut encoder, 1).unwrap();
    let (layers, made) = (encoder.config().num_layers, device.counters().pipelines);
    assert!(layers > 1);
    let mut whole = load(&device).unwrap();
    encode(&mut whole, 1).unwrap();
    assert_eq!(device.counters().pipelines, made, "the plan with all weights has the same");
    assert!(made <= 8, "{made}: one per product and norm of a layer at most");
}

#[test]
fn a_run_that_is_given_up_leaves_no_trace() {
    let device = device();
    let expected = encode(&mut stream(&device, FILE).unwrap(), 1).unwrap();
    for polls in 0..40 {
        let mut encoder = pollster::block_on(GpuEncoder::streamed(open_halting(FILE), &device)).unwrap();
        {
            let mut run = pin!(encoder.forward(&[5, 33, 1, 0], &[1, 1, 1, 0], 4));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if let Poll::Ready(result) = run.as_mut().poll(&mut context) {
                    assert_eq!(result.unwrap(), expected);
                    break;
                }
            }
        }
        assert_eq!(encode(&mut encoder, 1).unwrap(), expected, "after {polls} reads");
    }
}

/// A file whose every read gives way once, so that a run can be dropped there.
fn open_halting(bytes: &[u8]) -> Weights {
    struct Halting(crate::weights::MemorySource);
    #[async_trait::async_trait(?Send)]
    impl crate::weights::Source for Halting {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn len(&self) -> u64 {
            self.0.len()
        }
        async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, crate::weights::WeightsError> {
            let mut given = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut given, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            self.0.read(offset, length).await
        }
    }
    let source = Halting(crate::weights::MemorySource::new("text_encoder.gguf", bytes.to_vec()));
    pollster::block_on(Weights::open(Box::new(source))).unwrap()
}

#[test]
fn a_profile_of_a_streamed_run_has_every_dispatch() {
    let device = device();
    let mut encoder = stream(&device, FILE).unwrap();
    let plain = encode(&mut encoder, 1).unwrap();
    encoder.profiler().start(true);
    assert_eq!(encode(&mut encoder, 1).unwrap(), plain);
    let profile = encoder.profiler().take().unwrap();
    let calls: usize = profile.phases[0].kernels.iter().map(|kernel| kernel.calls).sum();
    assert_eq!(calls, describe(&encoder.tables, &device, 1, 4).unwrap().dispatches(PHASE));
    assert_eq!(profile.phases[0].runs, 1);
}

#[test]
fn streaming_on_a_device_that_fails_is_an_error() {
    let device = device();
    device.fail_allocation(1);
    assert!(matches!(stream(&device, FILE), Err(TextError::Gpu(GpuError::OutOfMemory { .. }))));
    let mut encoder = stream(&device, FILE).unwrap();
    device.destroy();
    assert!(matches!(encode(&mut encoder, 1), Err(TextError::Gpu(GpuError::Lost { .. }))));
}
