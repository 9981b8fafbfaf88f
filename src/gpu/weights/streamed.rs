//! Weights that take turns in the same buffers: how a network runs that is larger than the GPU's memory.
//!
//! A plan is recorded in sections ([`crate::gpu::plan::PlanBuilder::section`]; for a transformer, its layers). There
//! are two sets of buffers: even sections read from the first, odd ones from the second, so that one is filled while the
//! other is read. A set has as many buffers as any of its sections has slabs, and its i-th buffer is as large as the
//! i-th largest slab of any section, so layers in different formats share a set. The plan binds them as if every weight
//! were there; pipelines are those of a plan with all weights.

use super::upload::{Places, place_stack, place_tensor};
use super::{GpuWeights, Layout, Stack};
use crate::gpu::device::Buffer;
use crate::gpu::{Device, GpuError};
use crate::weights::Weights;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wgpu::BufferUsages;

/// Bytes of one section's queued writes after which the queue is flushed and the GPU waited for. They have to wait for the
/// section before as a whole if they are not to hold anything up: a layer of T5-XXL in Q8_0 takes 196 MiB.
const FLUSH: u64 = 256 << 20;

/// The two sets of buffers, and what each section brings into its set.
#[derive(Debug)]
pub struct StreamedWeights {
    weights: GpuWeights,
    sections: Vec<Places>,
}

impl StreamedWeights {
    /// Makes the buffers, empty. `sections` are the weights and stacks of each section, `used` their layouts.
    ///
    /// # Errors
    /// Out of memory, a lost device, a weight that is not in the file, or one that two sections use.
    pub(in crate::gpu) async fn new(
        device: &Device,
        file: &Weights,
        sections: &[BTreeSet<&str>],
        used: &BTreeMap<String, Layout>,
        stacks: &[Stack],
    ) -> Result<Self, GpuError> {
        let mut sets = Vec::new();
        for sizes in slots(sections, used) {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let buffers = device.buffers("streamed weights", &sizes, usage).await?;
            sets.push(buffers.into_iter().map(Arc::new).collect::<Vec<Arc<Buffer>>>());
        }
        let limit = device.limits().max_storage_buffer_binding_size.min(device.limits().max_buffer_size);
        let mut streamed = Self { weights: GpuWeights::none(), sections: Vec::new() };
        let mut bound = BTreeSet::new();
        for (set, section) in sets.iter().cycle().zip(sections) {
            let mut places = Places::new();
            for &name in section {
                if !bound.insert(name) {
                    return Err(GpuError::shape("stream", format!("{name} is used by two sections")));
                }
                let layout = match stacks.iter().find(|stack| stack.name == name) {
                    Some(stack) => place_stack(stack, file, limit, &mut places)?,
                    None => {
                        let missing = || GpuError::MissingWeight { tensor: name.to_owned() };
                        place_tensor(file.tensor(name).ok_or_else(missing)?, limit, &mut places)?
                    }
                };
                let of = |slab| ranked(section, used).position(|place| place == (name, slab));
                let slabs = (0..layout.slabs()).map(|slab| of(slab).and_then(|place| set.get(place)).map(Arc::clone));
                let slabs = slabs.collect::<Option<Vec<_>>>();
                let unlike = || GpuError::shape("stream", format!("{name} is not as the plan takes it"));
                streamed.weights.bind(name, layout, slabs.ok_or_else(unlike)?);
            }
            streamed.sections.push(places);
        }
        Ok(streamed)
    }

    /// What [`crate::gpu::plan::PlanDescription::compile`] binds.
    pub const fn weights(&self) -> &GpuWeights {
        &self.weights
    }

    /// Number of sections.
    pub(in crate::gpu) fn sections(&self) -> usize {
        self.sections.len()
    }

    /// Reads one section's weights and queues their writes, which take effect before the next submit. What was
    /// submitted before still finds the section that was there.
    ///
    /// # Errors
    /// As [`GpuWeights::upload`].
    pub(in crate::gpu) async fn bring(
        &self,
        device: &Device,
        file: &mut Weights,
        section: usize,
    ) -> Result<(), GpuError> {
        match self.sections.get(section) {
            Some(places) => self.weights.fill(device, file, places, FLUSH).await,
            None => Ok(()),
        }
    }
}

/// Bytes of the buffers of either set.
pub(in crate::gpu) fn slots(sections: &[BTreeSet<&str>], used: &BTreeMap<String, Layout>) -> [Vec<u64>; 2] {
    let mut sets = [Vec::new(), Vec::new()];
    for (index, section) in sections.iter().enumerate() {
        let set = &mut sets[index % 2];
        for (rank, (name, slab)) in ranked(section, used).enumerate() {
            let bytes = used.get(name).map_or(0, |layout| layout.slab_bytes(slab));
            match set.get_mut(rank) {
                Some(size) => *size = bytes.max(*size),
                None => set.push(bytes),
            }
        }
    }
    sets
}

/// The slabs of a section, the largest first.
fn ranked<'a>(section: &BTreeSet<&'a str>, used: &BTreeMap<String, Layout>) -> impl Iterator<Item = (&'a str, usize)> {
    let mut slabs: Vec<(u64, &str, usize)> = Vec::new();
    for &name in section {
        let layout = used.get(name);
        let sizes =
            layout.into_iter().flat_map(|layout| (0..layout.slabs()).map(|slab| (layout.slab_bytes(slab), slab)));
        slabs.extend(sizes.map(|(bytes, slab)| (bytes, name, slab)));
    }
    slabs.sort_by_key(|&(bytes, name, slab)| (Reverse(bytes), name, slab));
    slabs.into_iter().map(|(_, name, slab)| (name, slab))
}
