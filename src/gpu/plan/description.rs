//! A finished plan without a device: what it will do and what it will need.

use super::builder::Recorded;
use super::lifetime::Assignment;
use super::{StepParams, Tensor};
use crate::gpu::weights::{GpuWeights, Layout, Stack};
use crate::gpu::{Device, GpuError};
use crate::weights::Weights;
use std::collections::BTreeMap;

/// Called while a plan is compiled: pipelines ready, pipelines in all.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// A network as a list of dispatches with buffers assigned, for any device with the builder's limits.
#[derive(Debug)]
pub struct PlanDescription {
    pub(super) phases: Vec<&'static str>,
    pub(super) recorded: Vec<Recorded>,
    /// All whole tensors, by their number.
    pub(super) tensors: Vec<Tensor>,
    pub(super) inputs: BTreeMap<String, Tensor>,
    pub(super) outputs: BTreeMap<String, Tensor>,
    pub(super) used: BTreeMap<String, Layout>,
    pub(super) stacks: Vec<Stack>,
    pub(super) assignment: Assignment,
    /// Bytes between the parameters of two dispatches.
    pub(super) stride: u64,
}

impl PlanDescription {
    #[expect(clippy::too_many_arguments, reason = "the parts of the builder, taken apart once")]
    pub(super) fn new(
        phases: Vec<&'static str>,
        recorded: Vec<Recorded>,
        tensors: Vec<Tensor>,
        inputs: BTreeMap<String, Tensor>,
        outputs: BTreeMap<String, Tensor>,
        used: BTreeMap<String, Layout>,
        stacks: Vec<Stack>,
        assignment: Assignment,
        limits: &wgpu::Limits,
    ) -> Self {
        let stride = u64::from(limits.min_uniform_buffer_offset_alignment.max(16));
        Self { phases, recorded, tensors, inputs, outputs, used, stacks, assignment, stride }
    }

    /// The phases in their order.
    pub fn phases(&self) -> &[&'static str] {
        &self.phases
    }

    /// Dispatches of one phase.
    pub fn dispatches(&self, phase: &str) -> usize {
        self.of_phase(phase).count()
    }

    /// Dispatches of one phase by kernel name, for statistics.
    pub fn kernels(&self, phase: &str) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.of_phase(phase) {
            *counts.entry(entry.dispatch.kernel.name).or_insert(0) += 1;
        }
        counts
    }

    /// Floating-point operations of one phase.
    pub fn flops(&self, phase: &str) -> u64 {
        self.of_phase(phase).map(|entry| entry.dispatch.flops).sum()
    }

    fn of_phase(&self, phase: &str) -> impl Iterator<Item = &Recorded> {
        let index = self.phases.iter().position(|&name| name == phase);
        self.recorded.iter().filter(move |entry| Some(entry.phase) == index)
    }

    /// Bytes of each activation buffer.
    pub fn buffers(&self) -> &[u64] {
        &self.assignment.buffers
    }

    /// What the activations would take if none shared a buffer.
    pub fn unshared_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes()).sum()
    }

    /// True when the plan binds this weight of the file, by itself or in a stack.
    pub fn uses(&self, weight: &str) -> bool {
        self.used.contains_key(weight)
            || self.stacks.iter().any(|stack| stack.members.iter().any(|name| name == weight))
    }

    /// Brings the weights that the plan binds onto the device.
    ///
    /// # Errors
    /// As [`GpuWeights::upload`].
    pub async fn upload(&self, device: &Device, weights: &mut Weights) -> Result<GpuWeights, GpuError> {
        GpuWeights::upload(device, weights, &self.stacks, &|name| self.used.contains_key(name)).await
    }

    /// Bytes of the weights that the plan binds.
    pub fn weight_bytes(&self) -> u64 {
        self.used.values().map(Layout::bytes).sum()
    }

    /// Bytes of the largest storage binding: an activation or a slab of a weight.
    pub fn largest_binding(&self) -> u64 {
        let slabs = self.used.values().flat_map(|layout| (0..layout.slabs()).map(|slab| layout.slab_bytes(slab)));
        self.buffers().iter().copied().chain(slabs).max().unwrap_or(0)
    }

    /// Bytes of the readback buffer: the largest output, none without outputs.
    pub(super) fn staging_bytes(&self) -> u64 {
        self.outputs.values().map(|tensor| tensor.bytes().next_multiple_of(16)).max().unwrap_or(0)
    }

    /// Bytes of the parameters: the step's, then every dispatch's.
    pub(super) fn params_bytes(&self) -> u64 {
        self.stride_of(size_of::<StepParams>())
            + self.recorded.iter().map(|entry| self.stride_of(entry.dispatch.params.len() * 4)).sum::<u64>()
    }

    pub(super) fn stride_of(&self, bytes: usize) -> u64 {
        (bytes.max(1) as u64).next_multiple_of(self.stride)
    }

    /// Bytes that [`Self::compile`] asks the device for: activations, parameters, readback.
    pub fn plan_bytes(&self) -> u64 {
        self.buffers().iter().sum::<u64>() + self.params_bytes() + self.staging_bytes() + EMPTY_BYTES
    }

    /// Bytes that the device is asked for in all, the weights that the plan binds included.
    pub fn peak_bytes(&self) -> u64 {
        self.plan_bytes() + self.weight_bytes()
    }
}

/// The buffer that stands for absent optional tensors.
pub(super) const EMPTY_BYTES: u64 = 16;
