//! Layer norm (Ba, Kiros and Hinton 2016).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// (x − mean) / √(variance + eps) · weight + bias over the channels.
    ///
    /// # Errors
    /// A missing or misshapen weight.
    pub fn layer_norm(&mut self, x: Tensor, weight: &str, bias: &str, eps: f32) -> Result<Tensor, GpuError> {
        let weight = self.vector(weight, x.shape.channels)?;
        let bias = self.vector(bias, x.shape.channels)?;
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("layer_norm", "main", &[]).f32(eps);
        self.record(dispatch.read(x).weight(&weight, 0).weight(&bias, 0).write(y))?;
        Ok(y)
    }
}
