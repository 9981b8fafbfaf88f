//! A compiled plan, replayed phase by phase: one command buffer and one submit each, no new GPU object.

use super::{Compiled, Shape, StepParams, Tensor, Work};
use crate::gpu::device::Buffer;
use crate::gpu::{Device, GpuError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A network ready to run on one device.
#[derive(Debug)]
pub struct Plan {
    pub(super) device: Arc<Device>,
    pub(super) phases: BTreeMap<&'static str, Vec<Command>>,
    pub(super) inputs: BTreeMap<String, Tensor>,
    pub(super) outputs: BTreeMap<String, Tensor>,
    pub(super) buffers: Vec<Buffer>,
    /// Buffer of each tensor.
    pub(super) of: Vec<Option<usize>>,
    /// The step's parameters, then every dispatch's.
    pub(super) params: Buffer,
    pub(super) staging: Option<Buffer>,
    pub(super) _empty: Buffer,
    pub(super) compiled: Compiled,
}

#[derive(Debug)]
pub(super) struct Command {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub workgroups: [u32; 3],
    pub section: usize,
    pub work: Work,
}

impl Command {
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        let [x, y, z] = self.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Plan {
    /// The shape of an input; none where the plan has no input of that name.
    pub fn input_shape(&self, name: &str) -> Option<Shape> {
        self.inputs.get(name).map(|tensor| tensor.shape)
    }

    /// Fills an input. Takes effect before the next [`Self::run`].
    ///
    /// # Errors
    /// No such input, the wrong number of values, or the device is lost.
    pub fn write(&self, input: &str, values: &[f32]) -> Result<(), GpuError> {
        let tensor = find(&self.inputs, "input", input)?;
        let (expected, actual) = (tensor.shape.values(), values.len() as u64);
        if expected != actual {
            return Err(GpuError::InputLength { name: input.to_owned(), expected, actual });
        }
        self.device.check()?;
        // An input that nothing reads has a buffer too: it lives through the whole plan.
        if let Some(buffer) = self.buffer(tensor) {
            self.device.write(buffer, 0, bytemuck::cast_slice(values));
        }
        Ok(())
    }

    /// Sets what the kernels see as the step.
    ///
    /// # Errors
    /// The device is lost.
    pub fn write_step(&self, step: &StepParams) -> Result<(), GpuError> {
        self.device.check()?;
        self.device.write(&self.params, 0, bytemuck::bytes_of(step));
        Ok(())
    }

    /// Submits one phase. Does not wait for it: see [`Device::finished`].
    ///
    /// # Errors
    /// No such phase, or the device is lost.
    pub fn run(&self, phase: &str) -> Result<(), GpuError> {
        self.submit(phase, self.commands(phase)?);
        Ok(())
    }

    /// Submits these commands in one pass.
    pub(super) fn submit(&self, label: &str, commands: &[Command]) -> wgpu::SubmissionIndex {
        let mut encoder = self.encoder(label);
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            commands.iter().for_each(|command| command.record(&mut pass));
        }
        self.device.submit([encoder.finish()])
    }

    /// Reads an output once all submitted work is done. Makes no new GPU object.
    ///
    /// # Errors
    /// No such output, the device is lost, or earlier work was rejected.
    pub async fn read(&self, output: &str) -> Result<Vec<f32>, GpuError> {
        let tensor = find(&self.outputs, "output", output)?;
        let (Some(buffer), Some(staging)) = (self.buffer(tensor), &self.staging) else {
            return Err(GpuError::UnknownName { kind: "output", name: output.to_owned() });
        };
        self.device.check()?;
        let bytes = tensor.bytes();
        let mut encoder = self.encoder(output);
        encoder.copy_buffer_to_buffer(buffer.wgpu(), 0, staging.wgpu(), 0, bytes);
        self.device.submit([encoder.finish()]);
        self.device.read_mapped(staging, bytes).await
    }

    /// The device that the plan runs on.
    pub const fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// How the plan's pipelines were made.
    pub const fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The commands of a phase, while the device works.
    pub(super) fn commands(&self, phase: &str) -> Result<&[Command], GpuError> {
        let unknown = || GpuError::UnknownName { kind: "phase", name: phase.to_owned() };
        let commands = self.phases.get(phase).ok_or_else(unknown)?;
        self.device.check()?;
        Ok(commands)
    }

    pub(super) fn encoder(&self, label: &str) -> wgpu::CommandEncoder {
        self.device.wgpu().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) })
    }

    fn buffer(&self, tensor: Tensor) -> Option<&Buffer> {
        self.buffers.get((*self.of.get(tensor.id as usize)?)?)
    }
}

fn find(tensors: &BTreeMap<String, Tensor>, kind: &'static str, name: &str) -> Result<Tensor, GpuError> {
    tensors.get(name).copied().ok_or_else(|| GpuError::UnknownName { kind, name: name.to_owned() })
}
