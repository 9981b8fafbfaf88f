//! From a description to GPU objects: everything that a running plan needs is made here, nothing later.

use super::description::EMPTY_BYTES;
use super::run::Command;
use super::{Binding, Compiled, Dispatch, Plan, PlanDescription, Progress, StepParams};
use crate::gpu::device::{Access, Buffer, Key, Pipeline};
use crate::gpu::{Device, GpuError, GpuWeights};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use web_time::Instant;
use wgpu::BufferUsages;

impl PlanDescription {
    /// Makes the plan's buffers, pipelines and bind groups on a device with (at least) the limits that the plan was
    /// built for. `weights` is what [`Self::upload`] brought; the plan keeps what it binds of them alive only as
    /// long as `weights` lives, so drop the plan first.
    ///
    /// # Errors
    /// Out of memory, a lost device, a weight that was not uploaded, WGSL that the driver rejects.
    pub async fn compile(
        &self,
        device: &Arc<Device>,
        weights: &GpuWeights,
        progress: Progress<'_>,
    ) -> Result<Plan, GpuError> {
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let buffers = device.buffers("activations", self.buffers(), storage).await?;
        let uniform = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let params = device.buffer("parameters", self.params_bytes(), uniform).await?;
        let empty = device.buffer("absent tensors", EMPTY_BYTES, BufferUsages::STORAGE).await?;
        let staging = match self.staging_bytes() {
            0 => None,
            bytes => Some(device.buffer("readback", bytes, BufferUsages::COPY_DST | BufferUsages::MAP_READ).await?),
        };
        let (pipelines, compiled) = self.pipelines(device, progress).await?;
        let bound = Bound { description: self, weights, buffers: &buffers, params: &params, empty: &empty };
        let phases = device.scoped("bind groups", 0, || bound.commands(device, pipelines)).await??;
        device.write(&params, 0, &self.params_contents());
        Ok(Plan {
            device: Arc::clone(device),
            phases,
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            of: self.assignment.of.clone(),
            buffers,
            params,
            staging,
            _empty: empty,
            compiled,
        })
    }

    /// One pipeline per dispatch, in their order.
    async fn pipelines(&self, device: &Device, progress: Progress<'_>) -> Result<(Vec<Pipeline>, Compiled), GpuError> {
        let keys: Vec<Key> = self.recorded.iter().map(|entry| key(&entry.dispatch)).collect();
        let mut distinct = Vec::new();
        let mut places = HashMap::new();
        let mut place = |key| {
            *places.entry(key).or_insert_with(|| {
                distinct.push(key);
                distinct.len() - 1
            })
        };
        let of: Vec<usize> = keys.iter().map(&mut place).collect();
        let mut made = Vec::with_capacity(distinct.len());
        let mut compiled = Compiled::default();
        for key in &distinct {
            let (known, begun) = (device.counters().pipelines, Instant::now());
            made.push(device.pipeline(key).await?);
            compiled.add(key.kernel.name, device.counters().pipelines > known, begun.elapsed());
            progress(made.len(), distinct.len());
        }
        Ok((of.into_iter().map(|place| made[place].clone()).collect(), compiled))
    }

    /// The contents of the parameter buffer; the step's part is zero.
    fn params_contents(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.stride_of(size_of::<StepParams>()) as usize];
        for entry in &self.recorded {
            let params: &[u8] = bytemuck::cast_slice(&entry.dispatch.params);
            let end = bytes.len() + self.stride_of(params.len()) as usize;
            bytes.extend_from_slice(params);
            bytes.resize(end, 0);
        }
        bytes
    }
}

/// What makes a dispatch's pipeline.
fn key(dispatch: &Dispatch) -> Key {
    let access = |binding: &Binding| match binding {
        Binding::Read(_) | Binding::Weight { .. } | Binding::Empty => Access::Read,
        Binding::Write(_) | Binding::Update(_) => Access::ReadWrite,
        Binding::Step => Access::Uniform,
    };
    Key {
        kernel: dispatch.kernel.clone(),
        constants: dispatch.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
        accesses: std::iter::once(Access::Uniform).chain(dispatch.bindings.iter().map(access)).collect(),
    }
}

/// The buffers that bind groups refer to.
struct Bound<'a> {
    description: &'a PlanDescription,
    weights: &'a GpuWeights,
    buffers: &'a [Buffer],
    params: &'a Buffer,
    empty: &'a Buffer,
}

impl Bound<'_> {
    fn commands(
        &self,
        device: &Device,
        pipelines: Vec<Pipeline>,
    ) -> Result<BTreeMap<&'static str, Vec<Command>>, GpuError> {
        let description = self.description;
        let mut phases: BTreeMap<_, _> = description.phases.iter().map(|&name| (name, Vec::new())).collect();
        let mut offset = description.stride_of(size_of::<StepParams>());
        for (entry, Pipeline { pipeline, layout }) in description.recorded.iter().zip(pipelines) {
            let dispatch = &entry.dispatch;
            let params = (dispatch.params.len() * 4).max(16).next_multiple_of(16);
            let mut resources = vec![slice(self.params, offset, params as u64)];
            for binding in &dispatch.bindings {
                resources.push(self.resource(binding)?);
            }
            offset += description.stride_of(dispatch.params.len() * 4);
            let entries: Vec<_> = (0..)
                .zip(resources)
                .map(|(binding, resource)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(resource),
                })
                .collect();
            let label = Some(dispatch.kernel.name);
            let bind_group =
                device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &layout, entries: &entries });
            let work = description.work(dispatch);
            let (workgroups, section) = (dispatch.workgroups, entry.section);
            let command = Command { pipeline, bind_group, workgroups, section, work };
            phases.entry(description.phases[entry.phase]).or_default().push(command);
        }
        Ok(phases)
    }

    fn resource(&self, binding: &Binding) -> Result<wgpu::BufferBinding<'_>, GpuError> {
        Ok(match binding {
            Binding::Read(tensor) | Binding::Write(tensor) | Binding::Update(tensor) => {
                let place = self.description.assignment.of[tensor.id as usize];
                let buffer = place.and_then(|place| self.buffers.get(place));
                let buffer = buffer.ok_or_else(|| GpuError::shape("compile", "a tensor has no buffer"))?;
                let whole = self.description.tensors[tensor.id as usize];
                slice(buffer, 0, whole.bytes().next_multiple_of(16))
            }
            Binding::Weight { name, slab } => {
                let (buffer, bytes) = self.weights.slab(name, *slab, self.description.used.get(name))?;
                slice(buffer, 0, bytes)
            }
            Binding::Step => slice(self.params, 0, size_of::<StepParams>() as u64),
            Binding::Empty => slice(self.empty, 0, EMPTY_BYTES),
        })
    }
}

fn slice(buffer: &Buffer, offset: u64, bytes: u64) -> wgpu::BufferBinding<'_> {
    wgpu::BufferBinding { buffer: buffer.wgpu(), offset, size: std::num::NonZeroU64::new(bytes) }
}
