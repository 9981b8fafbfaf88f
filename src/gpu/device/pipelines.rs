//! Compute pipelines, one per kernel and set of constants, kept for the life of the device.

use super::{Device, locked};
use crate::gpu::GpuError;
use crate::gpu::plan::Kernel;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// How a kernel uses one of its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Uniform,
    Read,
    ReadWrite,
}

/// A pipeline and the layout of its one bind group.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// A kernel with its constants and bindings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub kernel: Kernel,
    /// Names and the bits of their values.
    pub constants: Vec<(&'static str, u64)>,
    pub accesses: Vec<Access>,
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    pipelines: Mutex<HashMap<Key, Pipeline>>,
    modules: Mutex<HashMap<Vec<Cow<'static, str>>, wgpu::ShaderModule>>,
}

impl Device {
    /// The pipeline for `key`, compiled if it is new.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if the driver rejects the WGSL, or the device is lost.
    pub(crate) async fn pipeline(&self, key: &Key) -> Result<Pipeline, GpuError> {
        if let Some(known) = locked(&self.pipelines.pipelines).get(key) {
            return Ok(known.clone());
        }
        let made = self.scoped(key.kernel.name, 0, || self.create_pipeline(key)).await?;
        self.shared.pipelines.fetch_add(1, Ordering::Relaxed);
        locked(&self.pipelines.pipelines).insert(key.clone(), made.clone());
        Ok(made)
    }

    fn create_pipeline(&self, key: &Key) -> Pipeline {
        let label = Some(key.kernel.name);
        let module = locked(&self.pipelines.modules).get(&key.kernel.source).cloned();
        let module = module.unwrap_or_else(|| {
            let source = wgpu::ShaderSource::Wgsl(key.kernel.source.concat().into());
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
            locked(&self.pipelines.modules).insert(key.kernel.source.clone(), module.clone());
            module
        });
        let entry = |(binding, access): (usize, &Access)| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match access {
                    Access::Uniform => wgpu::BufferBindingType::Uniform,
                    Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                    Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = key.accesses.iter().enumerate().map(entry).collect();
        let layout =
            self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let constants: Vec<_> = key.constants.iter().map(|&(name, bits)| (name, f64::from_bits(bits))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(key.kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }
}
