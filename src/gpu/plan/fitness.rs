//! Whether a dispatch can be recorded: what the device's limits and the kernel itself say to its bindings and workgroups.

use super::{Binding, Dispatch, Tensor};
use crate::gpu::GpuError;

impl Binding {
    const fn tensor(&self) -> Option<Tensor> {
        match self {
            Self::Read(tensor) | Self::Write(tensor) | Self::Update(tensor) => Some(*tensor),
            Self::Weight { .. } | Self::Step | Self::Empty => None,
        }
    }

    const fn written(&self) -> Option<Tensor> {
        match self {
            Self::Write(tensor) | Self::Update(tensor) => Some(*tensor),
            _ => None,
        }
    }
}

impl Dispatch {
    /// # Errors
    /// More workgroups or storage buffers than the device allows, a part of a tensor or one in half precision where the kernel
    /// takes none, or a buffer bound read-only and writable at once.
    pub(super) fn check(&self, limits: &wgpu::Limits) -> Result<(), GpuError> {
        self.check_limits(limits)?;
        let tensors = || self.bindings.iter().filter_map(Binding::tensor);
        if !self.takes_halves && tensors().any(|tensor| tensor.half) {
            return Err(self.misfit("a tensor in half precision where only f32 will do"));
        }
        // No kernel writes a part.
        let whole = |binding: &Binding| binding.written().or(binding.tensor().filter(|_| !self.takes_parts));
        if self.bindings.iter().filter_map(whole).any(Tensor::is_part) {
            return Err(self.misfit("a part of a tensor where only a whole one will do"));
        }
        for written in self.bindings.iter().filter_map(Binding::written) {
            if tensors().filter(|tensor| tensor.id == written.id).count() > 1 {
                return Err(self.misfit("a tensor is both an input and an output"));
            }
        }
        Ok(())
    }

    fn check_limits(&self, limits: &wgpu::Limits) -> Result<(), GpuError> {
        let at_most = |what: &str, needed: u32, available: u32| match needed <= available {
            true => Ok(()),
            false => {
                let what = format!("the {what} of {}", self.kernel.name);
                Err(GpuError::Limit { what, needed: needed.into(), available: available.into() })
            }
        };
        for count in self.workgroups {
            at_most("workgroups", count, limits.max_compute_workgroups_per_dimension)?;
        }
        let storage = self.bindings.iter().filter(|binding| **binding != Binding::Step).count() as u32;
        at_most("storage buffers", storage, limits.max_storage_buffers_per_shader_stage)
    }

    fn misfit(&self, message: &str) -> GpuError {
        GpuError::shape(self.kernel.name, message)
    }
}
