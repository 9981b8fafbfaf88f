//! From a weights file to GPU buffers, piece by piece.

use super::repack::repack;
use super::{Layout, Stack};
use crate::gpu::device::Buffer;
use crate::gpu::{Device, GpuError};
use crate::weights::{Piece, TensorInfo, Weights, WeightsError};
use std::collections::BTreeMap;
use std::sync::Arc;
use wgpu::BufferUsages;

/// Bytes of queued writes after which the queue is flushed, so that staging memory stays small.
const FLUSH: u64 = 64 << 20;

/// The weights of a network on one device.
#[derive(Debug, Default)]
pub struct GpuWeights {
    buffers: BTreeMap<String, Uploaded>,
}

/// The buffers of one weight, or of a stack. They may be larger than its slabs, and shared with other weights.
#[derive(Debug)]
struct Uploaded {
    layout: Layout,
    slabs: Vec<Arc<Buffer>>,
}

/// Where the tensors of the file go, by name.
pub(super) type Places = BTreeMap<String, Vec<Place>>;

/// Where a tensor of the file goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The weight or stack.
    of: String,
    /// Its first row there, or, of a vector, its first value.
    first: u32,
    /// The tensor by itself.
    layout: Layout,
}

impl GpuWeights {
    /// No weights, for plans that need none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Uploads the tensors whose names are `wanted` and those of the `stacks`; a plan knows both
    /// ([`crate::gpu::plan::PlanDescription::upload`]). Only pieces of the file are in memory at a time.
    ///
    /// # Errors
    /// Reading the file failed, a format that the kernels do not read, out of memory, or the device is lost.
    pub async fn upload(
        device: &Device,
        weights: &mut Weights,
        stacks: &[Stack],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, GpuError> {
        let mut uploaded = Self::default();
        let limit = device.limits().max_storage_buffer_binding_size.min(device.limits().max_buffer_size);
        let mut places = Places::new();
        for tensor in weights.tensors().iter().filter(|tensor| wanted(&tensor.name)) {
            let layout = place_tensor(tensor, limit, &mut places)?;
            uploaded.allocate(device, &tensor.name, layout).await?;
        }
        for stack in stacks {
            let layout = place_stack(stack, weights, limit, &mut places)?;
            uploaded.allocate(device, &stack.name, layout).await?;
        }
        uploaded.fill(device, weights, &places, FLUSH).await?;
        device.flush_writes()?;
        device.check()?;
        Ok(uploaded)
    }

    /// Binds buffers that were made elsewhere, as large as the layout's slabs or larger.
    pub(super) fn bind(&mut self, name: &str, layout: Layout, slabs: Vec<Arc<Buffer>>) {
        self.buffers.insert(name.to_owned(), Uploaded { layout, slabs });
    }

    /// Reads the tensors that have places and queues the writes of their buffers; flushes after every `flush` bytes.
    pub(super) async fn fill(
        &self,
        device: &Device,
        weights: &mut Weights,
        places: &Places,
        flush: u64,
    ) -> Result<(), GpuError> {
        let mut queued = 0;
        let mut failed = None;
        let mut visit = |piece: Piece<'_>| {
            let written = self.write(device, places, piece).and_then(|bytes| {
                queued += bytes;
                if queued > flush {
                    queued = 0;
                    device.flush_writes()?;
                }
                device.check()
            });
            written.map_err(|error| match error {
                GpuError::Weights(error) => error,
                other => {
                    failed = Some(other);
                    WeightsError::Cancelled
                }
            })
        };
        let streamed = weights.stream_where(&|name| places.contains_key(name), &mut visit).await;
        match (failed, streamed) {
            (Some(error), _) => Err(error),
            (None, result) => Ok(result?),
        }
    }

    async fn allocate(&mut self, device: &Device, name: &str, layout: Layout) -> Result<(), GpuError> {
        let sizes: Vec<u64> = (0..layout.slabs()).map(|slab| layout.slab_bytes(slab)).collect();
        let slabs = device.buffers(name, &sizes, BufferUsages::STORAGE | BufferUsages::COPY_DST).await?;
        self.bind(name, layout, slabs.into_iter().map(Arc::new).collect());
        Ok(())
    }

    /// Bytes of all weights.
    pub fn bytes(&self) -> u64 {
        self.buffers.values().map(|uploaded| uploaded.layout.bytes()).sum()
    }

    /// The buffer of one slab of a weight or stack that must lie as `layout` says, and the bytes that it takes there.
    pub(crate) fn slab(&self, name: &str, slab: usize, layout: Option<&Layout>) -> Result<(&Buffer, u64), GpuError> {
        let missing = || GpuError::MissingWeight { tensor: name.to_owned() };
        let uploaded = self.buffers.get(name).ok_or_else(missing)?;
        if layout != Some(&uploaded.layout) {
            return Err(GpuError::shape("compile", format!("{name} was uploaded for other limits or another file")));
        }
        let buffer = uploaded.slabs.get(slab).ok_or_else(missing)?;
        Ok((buffer, uploaded.layout.slab_bytes(slab)))
    }

    /// Queues the writes of a piece to all its places; returns their bytes.
    fn write(&self, device: &Device, places: &Places, piece: Piece<'_>) -> Result<u64, GpuError> {
        let mut queued = 0;
        for place in places.get(&piece.tensor.name).into_iter().flatten() {
            let Some(Uploaded { layout, slabs }) = self.buffers.get(&place.of) else { continue };
            let packed = repack(&place.layout, &piece)?;
            if place.layout.columns != layout.columns {
                // A vector in a longer one.
                let words = &packed.quants[..place.layout.columns as usize];
                device.write(&slabs[0], u64::from(place.first) * 4, bytemuck::cast_slice(words));
                queued += words.len() as u64 * 4;
                continue;
            }
            let start = place.first as usize + piece.first_row;
            for (index, buffer) in slabs.iter().enumerate() {
                let (first, rows) = layout.slab(index);
                let (from, to) = (start.max(first as usize), (start + piece.rows).min((first + rows) as usize));
                if from >= to {
                    continue;
                }
                let mut plane = |words: &[u32], row_words: u32, offset: u32| {
                    if row_words > 0 {
                        let row_words = row_words as usize;
                        let here = &words[(from - start) * row_words..(to - start) * row_words];
                        let offset = offset as u64 + ((from - first as usize) * row_words) as u64;
                        device.write(buffer, offset * 4, bytemuck::cast_slice(here));
                        queued += here.len() as u64 * 4;
                    }
                };
                plane(&packed.quants, layout.row_words, 0);
                plane(&packed.scales, layout.scale_words, layout.scales_offset(index));
            }
        }
        Ok(queued)
    }
}

/// The layout of a tensor by itself; notes that it goes there.
pub(super) fn place_tensor(tensor: &TensorInfo, limit: u64, places: &mut Places) -> Result<Layout, GpuError> {
    let layout = Layout::new(&tensor.name, &tensor.shape, tensor.format, limit)?;
    let place = Place { of: tensor.name.clone(), first: 0, layout: layout.clone() };
    places.entry(tensor.name.clone()).or_default().push(place);
    Ok(layout)
}

/// The layout of a stack; notes where its members go.
pub(super) fn place_stack(
    stack: &Stack,
    weights: &Weights,
    limit: u64,
    places: &mut Places,
) -> Result<Layout, GpuError> {
    let (mut shape, mut format, mut first) = (Vec::new(), None, 0);
    for name in &stack.members {
        let missing = || GpuError::MissingWeight { tensor: name.clone() };
        let tensor = weights.tensors().iter().find(|tensor| tensor.name == *name).ok_or_else(missing)?;
        let layout = Layout::new(name, &tensor.shape, tensor.format, limit)?;
        places.entry(name.clone()).or_default().push(Place { of: stack.name.clone(), first: first as u32, layout });
        first += tensor.shape.first().copied().unwrap_or(0);
        shape = tensor.shape.clone();
        format = Some(tensor.format);
    }
    let (Some(outer), Some(format)) = (shape.first_mut(), format) else {
        return Err(GpuError::shape("upload", "a stack of no weights"));
    };
    *outer = first;
    Layout::new(&stack.name, &shape, format, limit)
}
