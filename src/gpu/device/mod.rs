//! The adapter and device: requested with WebGPU's default limits as the floor, watched for loss, counting what it is
//! asked for.

mod buffers;
mod info;
mod pipelines;
mod request;
mod wait;

pub use buffers::Buffer;
pub use info::{Adapter, DeviceKind};
pub(crate) use pipelines::{Access, Key, Pipeline};

use super::{GpuError, Hardware};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a device is requested.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Request exactly WebGPU's default limits and no feature, even where the adapter has more.
    pub default_limits: bool,
    /// Store the U-Nets' activations in half precision, and multiply in it where the adapter can (`shader-f16`).
    pub half: bool,
    /// Request exactly these limits instead (a test of how a network is cut up for a smaller device).
    pub limits: Option<wgpu::Limits>,
    /// Take only a software adapter (for tests of that path).
    pub force_fallback: bool,
}

/// What a device was asked to do so far. Differences between two readings show what a piece of work did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub submits: u64,
    pub buffers: u64,
    pub pipelines: u64,
    pub bind_groups: u64,
    pub readbacks: u64,
}

/// The counters that buffers and callbacks share with the device.
#[derive(Debug, Default)]
struct Shared {
    allocated: AtomicU64,
    peak: AtomicU64,
    submits: AtomicU64,
    buffers: AtomicU64,
    pipelines: AtomicU64,
    bind_groups: AtomicU64,
    readbacks: AtomicU64,
    /// Why the device is gone.
    lost: Mutex<Option<String>>,
    /// The first error that no scope caught.
    uncaptured: Mutex<Option<GpuError>>,
}

/// A GPU device and its queue.
///
/// Cheap calls are synchronous; whatever has to hear back from the driver (allocation, pipelines, readback) is async.
#[derive(Debug)]
pub struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: Adapter,
    limits: wgpu::Limits,
    options: DeviceOptions,
    shared: Arc<Shared>,
    /// Buffer creations until one fails on purpose; 0 or less: never.
    fail_in: AtomicI64,
    pipelines: pipelines::Cache,
}

impl Device {
    /// Name and kind of the adapter.
    pub const fn info(&self) -> &Adapter {
        &self.info
    }

    /// How the device was requested.
    pub const fn options(&self) -> &DeviceOptions {
        &self.options
    }

    /// The limits that the device was granted.
    pub const fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// True where the device has timestamp queries, so that a profile can tell what each dispatch took.
    pub fn has_timestamps(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// What the kernels' variants go by.
    pub fn hardware(&self) -> Hardware {
        let features = self.device.features();
        Hardware {
            software: self.info.software,
            half_storage: self.options.half,
            half: features.contains(wgpu::Features::SHADER_F16),
            subgroup: if features.contains(wgpu::Features::SUBGROUP) { self.info.subgroup } else { 0 },
        }
    }

    /// Nanoseconds of one tick of a timestamp.
    pub(crate) fn timestamp_period(&self) -> f32 {
        self.queue.get_timestamp_period()
    }

    /// Why the device is gone, if it is.
    pub fn lost(&self) -> Option<String> {
        locked(&self.shared.lost).clone()
    }

    /// Gives the device up; everything on it is gone and every later call returns [`GpuError::Lost`].
    pub fn destroy(&self) {
        locked(&self.shared.lost).get_or_insert_with(|| "the device was destroyed".to_owned());
        self.device.destroy();
    }

    /// Bytes of all buffers alive.
    pub fn allocated_bytes(&self) -> u64 {
        self.shared.allocated.load(Ordering::Relaxed)
    }

    /// The most that [`Self::allocated_bytes`] has been.
    pub fn peak_bytes(&self) -> u64 {
        self.shared.peak.load(Ordering::Relaxed)
    }

    /// What the device was asked to do so far.
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            submits: read(&self.shared.submits),
            buffers: read(&self.shared.buffers),
            pipelines: read(&self.shared.pipelines),
            bind_groups: read(&self.shared.bind_groups),
            readbacks: read(&self.shared.readbacks),
        }
    }

    /// Test hook: the `n`-th buffer creation from now (1 is the next) fails with [`GpuError::OutOfMemory`]; 0 turns
    /// the hook off.
    pub fn fail_allocation(&self, n: u32) {
        self.fail_in.store(i64::from(n), Ordering::Relaxed);
    }

    /// Ok while the device works.
    ///
    /// # Errors
    /// The device is lost, or something went wrong that no error scope caught.
    pub fn check(&self) -> Result<(), GpuError> {
        if let Some(reason) = self.lost() {
            return Err(GpuError::Lost { reason });
        }
        match locked(&self.shared.uncaptured).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    pub(crate) const fn wgpu(&self) -> &wgpu::Device {
        &self.device
    }

    /// Queues a write; takes effect before the next submit.
    pub(crate) fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        self.queue.write_buffer(buffer.wgpu(), offset, bytes);
    }

    pub(crate) fn submit(&self, commands: impl IntoIterator<Item = wgpu::CommandBuffer>) -> wgpu::SubmissionIndex {
        self.shared.submits.fetch_add(1, Ordering::Relaxed);
        self.queue.submit(commands)
    }

    pub(crate) fn create_bind_group(&self, descriptor: &wgpu::BindGroupDescriptor<'_>) -> wgpu::BindGroup {
        self.shared.bind_groups.fetch_add(1, Ordering::Relaxed);
        self.device.create_bind_group(descriptor)
    }

    /// Runs `work` and returns what it made, or the first error that the driver reports about it.
    ///
    /// `bytes` is what the work allocates, for the message. On the web, awaiting the scopes also gives the event loop
    /// a turn.
    pub(crate) async fn scoped<T>(&self, what: &str, bytes: u64, work: impl FnOnce() -> T) -> Result<T, GpuError> {
        self.check()?;
        // Scopes belong to the thread: pushed and popped without an await in between.
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = work();
        let internal = internal.pop();
        let memory = memory.pop();
        let validation = validation.pop();
        let errors = [memory.await, validation.await, internal.await];
        self.check()?;
        match errors.into_iter().flatten().next() {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(GpuError::OutOfMemory { what: what.to_owned(), bytes }),
            Some(error) => Err(GpuError::Validation { what: what.to_owned(), message: error.to_string() }),
        }
    }
}

/// A mutex whose holder panicked still holds a usable value here: an optional message or a map of finished objects.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
