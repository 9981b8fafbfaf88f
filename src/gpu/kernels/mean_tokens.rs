//! The mean over tokens.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// The mean of all positions, plus a weight vector where given: `[n, h, w, c]` → `[n, 1, 1, c]`.
    ///
    /// # Errors
    /// A missing or misshapen weight.
    pub fn mean_tokens(&mut self, x: Tensor, add: Option<&str>) -> Result<Tensor, GpuError> {
        let add = add.map(|add| self.vector(add, x.shape.channels)).transpose()?;
        let y = self.tensor(Shape::vector(x.shape.batch, x.shape.channels))?;
        self.record(Dispatch::new("mean_tokens", "main", &[]).read(x).weight_or_empty(add.as_ref()).write(y))?;
        Ok(y)
    }
}
