//! Layer norm over the channels (Ba et al. 2016).

use super::norm_lanes::lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// (x − mean) / √(variance + eps) · weight + bias over the channels of each position; `weight` and `bias` name
    /// vectors.
    ///
    /// # Errors
    /// A weight is missing or of another length.
    pub fn layer_norm(&mut self, x: Tensor, weight: &str, bias: &str, eps: f32) -> Result<Tensor, GpuError> {
        let channels = x.shape.channels;
        let rows = x.shape.batch * x.shape.positions();
        let weight = self.vector(weight, channels)?;
        let bias = self.vector(bias, channels)?;
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("layer_norm", "main", &[include_str!("../../../shaders/layer_norm.wgsl")])
            .constant("LANES", lanes(channels))
            .u32(rows)
            .u32(channels)
            .f32(eps)
            .read(x)
            .weight(&weight, 0)
            .weight(&bias, 0)
            .write(y)
            .workgroups(rows.into(), self.limits().max_compute_workgroups_per_dimension)
            .flops(7 * x.shape.values());
        self.record(dispatch)?;
        Ok(y)
    }
}
