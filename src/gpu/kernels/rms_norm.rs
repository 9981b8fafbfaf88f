//! Root-mean-square norm over the channels (Zhang and Sennrich 2019), as T5 uses it: no mean, no bias.

use super::norm_lanes::lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// x / √(mean(x²) + eps) · weight over the channels of each position; `weight` names a vector.
    ///
    /// # Errors
    /// The weight is missing or of another length.
    pub fn rms_norm(&mut self, x: Tensor, weight: &str, eps: f32) -> Result<Tensor, GpuError> {
        let channels = x.shape.channels;
        let rows = x.shape.batch * x.shape.positions();
        let weight = self.vector(weight, channels)?;
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("rms_norm", "main", &[include_str!("../../../shaders/rms_norm.wgsl")])
            .constant("LANES", lanes(channels))
            .u32(rows)
            .u32(channels)
            .f32(eps)
            .read(x)
            .weight(&weight, 0)
            .write(y)
            .workgroups(rows.into(), self.limits().max_compute_workgroups_per_dimension)
            .flops(4 * x.shape.values());
        self.record(dispatch)?;
        Ok(y)
    }
}
