//! The scale of dynamic thresholding.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// Per picture the s of the step's thresholding: x0 becomes clamp(x0, −s, s) / s (dynamic). `[n, 3, S, S]` → `[n]`.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn threshold(&mut self, x0: Tensor) -> Result<Tensor, GpuError> {
        let y = self.tensor(Shape::vector(x0.shape.batch, 1))?;
        self.record(Dispatch::new("threshold", "main", &[]).read(x0).step().write(y))?;
        Ok(y)
    }
}
