//! Waiting for the GPU: natively by polling, in a browser by the event loop.

use super::{Buffer, Device, locked};
use crate::gpu::GpuError;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// A value that a callback delivers once.
#[derive(Debug)]
struct Delivery<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Delivery<T> {
    /// The future and the function that completes it.
    fn new() -> (Self, impl FnOnce(T)) {
        let slot = Arc::new(Mutex::new((None, None::<Waker>)));
        let other = Arc::clone(&slot);
        let deliver = move |value| {
            let mut slot = locked(&other);
            slot.0 = Some(value);
            if let Some(waker) = slot.1.take() {
                waker.wake();
            }
        };
        (Self(slot), deliver)
    }
}

impl<T> Future for Delivery<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = locked(&self.0);
        match slot.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The last of the work that was submitted up to some moment.
#[derive(Debug)]
pub(crate) struct Milestone {
    submission: Option<wgpu::SubmissionIndex>,
    done: Delivery<()>,
}

/// A buffer that is mapped, or about to be. It is given back whatever becomes of the reading, which ends in the middle when its
/// run is cancelled: the next copy into the buffer would find it mapped.
struct Mapping<'a>(Option<&'a wgpu::Buffer>);

impl Drop for Mapping<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.0 {
            buffer.unmap();
        }
    }
}

impl Device {
    /// Waits until everything submitted so far is done.
    ///
    /// # Errors
    /// The device is lost, or earlier work was rejected.
    pub async fn finished(&self) -> Result<(), GpuError> {
        self.reached(self.milestone(None)).await
    }

    /// What was submitted so far, of which `submission` is the last (none: whatever it is when it is waited for).
    pub(crate) fn milestone(&self, submission: Option<wgpu::SubmissionIndex>) -> Milestone {
        let (done, deliver) = Delivery::new();
        self.queue.on_submitted_work_done(move || deliver(()));
        Milestone { submission, done }
    }

    /// Waits until the GPU is that far. Work that was submitted since may still run.
    ///
    /// # Errors
    /// The device is lost, or earlier work was rejected.
    pub(crate) async fn reached(&self, milestone: Milestone) -> Result<(), GpuError> {
        self.check()?;
        self.poll(milestone.submission)?;
        milestone.done.await;
        self.check()
    }

    /// The values in the first `bytes` bytes of a mappable buffer, once all submitted work is done.
    pub(crate) async fn read_mapped<T: bytemuck::Pod>(&self, buffer: &Buffer, bytes: u64) -> Result<Vec<T>, GpuError> {
        self.check()?;
        self.shared.readbacks.fetch_add(1, Ordering::Relaxed);
        let (mapped, deliver) = Delivery::new();
        let slice = buffer.wgpu().slice(..bytes);
        slice.map_async(wgpu::MapMode::Read, deliver);
        let mut mapping = Mapping(Some(buffer.wgpu()));
        self.poll(None)?;
        if let Err(error) = mapped.await {
            mapping.0 = None;
            // The buffer is ours and was free: nothing but a loss aborts this, though its own message may come later.
            self.check()?;
            return Err(GpuError::Lost { reason: error.to_string() });
        }
        let rejected = |error: wgpu::MapRangeError| GpuError::Validation {
            what: "a readback".to_owned(),
            message: error.to_string(),
        };
        let view = slice.get_mapped_range().map_err(rejected)?;
        let values = bytemuck::pod_collect_to_vec::<u8, T>(&view);
        drop(view);
        drop(mapping);
        self.check()?;
        Ok(values)
    }

    /// Natively, callbacks run only while the device is polled; a browser calls them by itself.
    #[cfg(not(target_arch = "wasm32"))]
    fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        let wait = || self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        // wgpu panics where the driver reports a lost device during the wait.
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait));
        let reason = match waited {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the driver stopped while the program waited for it".to_owned(),
        };
        self.check()?;
        locked(&self.shared.lost).get_or_insert_with(|| reason.clone());
        Err(GpuError::Lost { reason })
    }

    #[cfg(target_arch = "wasm32")]
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as natively")]
    fn poll(&self, _submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        Ok(())
    }

    /// Lets go of the memory that queued writes take, which natively is kept until the next submit is done.
    pub(crate) fn flush_writes(&self) -> Result<(), GpuError> {
        #[cfg(not(target_arch = "wasm32"))]
        {
            let last = self.submit([]);
            self.poll(Some(last))?;
        }
        Ok(())
    }
}
