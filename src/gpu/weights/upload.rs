//! From a weights file to GPU buffers, piece by piece.

use super::Layout;
use super::repack::repack;
use crate::gpu::device::Buffer;
use crate::gpu::{Device, GpuError};
use crate::weights::{Piece, Weights, WeightsError};
use std::collections::BTreeMap;
use wgpu::BufferUsages;

/// Bytes of queued writes after which the queue is flushed, so that staging memory stays small.
const FLUSH: u64 = 64 << 20;

/// The weights of a network on one device.
#[derive(Debug, Default)]
pub struct GpuWeights {
    tensors: BTreeMap<String, Uploaded>,
}

#[derive(Debug)]
struct Uploaded {
    layout: Layout,
    slabs: Vec<Buffer>,
}

impl GpuWeights {
    /// No weights, for plans that need none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Uploads the tensors whose names are `wanted` (the plan's [`crate::gpu::plan::PlanDescription::uses`]). Only
    /// pieces of the file are in memory at a time.
    ///
    /// # Errors
    /// Reading the file failed, a format that the kernels do not read, out of memory, or the device is lost.
    pub async fn upload(
        device: &Device,
        weights: &mut Weights,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, GpuError> {
        let mut uploaded = Self::default();
        let limit = device.limits().max_storage_buffer_binding_size.min(device.limits().max_buffer_size);
        for tensor in weights.tensors().iter().filter(|tensor| wanted(&tensor.name)) {
            let layout = Layout::new(&tensor.name, &tensor.shape, tensor.format, limit)?;
            let sizes: Vec<u64> = (0..layout.slabs()).map(|slab| layout.slab_bytes(slab)).collect();
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let slabs = device.buffers(&tensor.name, &sizes, usage).await?;
            uploaded.tensors.insert(tensor.name.clone(), Uploaded { layout, slabs });
        }
        let mut queued = 0;
        let mut failed = None;
        let mut visit = |piece: Piece<'_>| {
            uploaded.write(device, piece, &mut queued).map_err(|error| match error {
                GpuError::Weights(error) => error,
                other => {
                    failed = Some(other);
                    WeightsError::Cancelled
                }
            })
        };
        let streamed = weights.stream_where(wanted, &mut visit).await;
        match (failed, streamed) {
            (Some(error), _) => return Err(error),
            (None, result) => result?,
        }
        device.flush_writes()?;
        device.check()?;
        Ok(uploaded)
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.layout.bytes()).sum()
    }

    /// Names of the uploaded tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// One slab of a tensor that must lie as `layout` says.
    pub(crate) fn slab(&self, name: &str, slab: usize, layout: Option<&Layout>) -> Result<&Buffer, GpuError> {
        let missing = || GpuError::MissingWeight { tensor: name.to_owned() };
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        if layout != Some(&tensor.layout) {
            return Err(GpuError::shape("compile", format!("{name} was uploaded for other limits or another file")));
        }
        tensor.slabs.get(slab).ok_or_else(missing)
    }

    fn write(&self, device: &Device, piece: Piece<'_>, queued: &mut u64) -> Result<(), GpuError> {
        let Some(Uploaded { layout, slabs }) = self.tensors.get(&piece.tensor.name) else { return Ok(()) };
        let packed = repack(layout, &piece)?;
        for (index, buffer) in slabs.iter().enumerate() {
            let (first, rows) = layout.slab(index);
            let (from, to) =
                (piece.first_row.max(first as usize), (piece.first_row + piece.rows).min((first + rows) as usize));
            if from >= to {
                continue;
            }
            let mut plane = |words: &[u32], row_words: u32, offset: u32| {
                if row_words > 0 {
                    let row_words = row_words as usize;
                    let here = &words[(from - piece.first_row) * row_words..(to - piece.first_row) * row_words];
                    let offset = offset as u64 + ((from - first as usize) * row_words) as u64;
                    device.write(buffer, offset * 4, bytemuck::cast_slice(here));
                    *queued += here.len() as u64 * 4;
                }
            };
            plane(&packed.quants, layout.row_words, 0);
            plane(&packed.scales, layout.scale_words, layout.scales_offset(index));
        }
        if *queued > FLUSH {
            *queued = 0;
            device.flush_writes()?;
        }
        device.check()
    }
}
