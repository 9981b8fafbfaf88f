//! Root-mean-square norm (Zhang and Sennrich 2019), as T5 uses it.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// x / √(mean(x²) + eps) · weight over the channels.
    ///
    /// # Errors
    /// A missing or misshapen weight.
    pub fn rms_norm(&mut self, x: Tensor, weight: &str, eps: f32) -> Result<Tensor, GpuError> {
        let weight = self.vector(weight, x.shape.channels)?;
        let y = self.tensor(x.shape)?;
        self.record(Dispatch::new("rms_norm", "main", &[]).f32(eps).read(x).weight(&weight, 0).write(y))?;
        Ok(y)
    }
}
