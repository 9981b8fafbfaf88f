//! Buffers that are counted while they live and freed when they are dropped.

use super::{Device, Shared};
use crate::gpu::GpuError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A GPU buffer.
#[derive(Debug)]
pub struct Buffer {
    buffer: wgpu::Buffer,
    bytes: u64,
    shared: Arc<Shared>,
}

impl Buffer {
    pub(crate) const fn wgpu(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Explicitly: in a browser the memory would otherwise wait for the garbage collector. Work that was submitted
        // before still completes.
        self.buffer.destroy();
        self.shared.allocated.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Device {
    /// Creates buffers of these sizes, all or none.
    ///
    /// # Errors
    /// [`GpuError::Limit`] for a size beyond the device's, [`GpuError::OutOfMemory`], or the device is lost.
    pub(crate) async fn buffers(
        &self,
        what: &str,
        sizes: &[u64],
        usage: wgpu::BufferUsages,
    ) -> Result<Vec<Buffer>, GpuError> {
        let available = self.limits.max_buffer_size;
        if let Some(&needed) = sizes.iter().find(|&&size| size > available) {
            return Err(GpuError::Limit { what: what.to_owned(), needed, available });
        }
        let total = sizes.iter().sum();
        let made = self.scoped(what, total, || {
            let create = |&size: &u64| {
                if self.fail_in.load(Ordering::Relaxed) > 0 && self.fail_in.fetch_sub(1, Ordering::Relaxed) == 1 {
                    return Err(GpuError::OutOfMemory { what: what.to_owned(), bytes: size });
                }
                let descriptor = wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
                let buffer = self.device.create_buffer(&descriptor);
                let now = self.shared.allocated.fetch_add(size, Ordering::Relaxed) + size;
                self.shared.peak.fetch_max(now, Ordering::Relaxed);
                self.shared.buffers.fetch_add(1, Ordering::Relaxed);
                Ok(Buffer { buffer, bytes: size, shared: Arc::clone(&self.shared) })
            };
            sizes.iter().map(create).collect::<Result<Vec<_>, _>>()
        });
        made.await?
    }

    /// Creates one buffer.
    ///
    /// # Errors
    /// As [`Self::buffers`].
    pub(crate) async fn buffer(&self, what: &str, size: u64, usage: wgpu::BufferUsages) -> Result<Buffer, GpuError> {
        let mut made = self.buffers(what, &[size], usage).await?;
        made.pop().ok_or_else(|| GpuError::OutOfMemory { what: what.to_owned(), bytes: size })
    }
}
