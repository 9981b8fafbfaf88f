//! From the network's output to x0.

use crate::diffusion::Prediction;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// x0 (planar, as x) from the network's channels-last output; with two `rows` per picture the unconditional ones
    /// come first and guidance mixes them.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn predict_x0(
        &mut self,
        x: Tensor,
        out: Tensor,
        patch: u32,
        rows: u32,
        prediction: Prediction,
    ) -> Result<Tensor, GpuError> {
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("predict_x0", "main", &[]).u32(patch).u32(rows).u32(prediction as u32);
        self.record(dispatch.read(x).read(out).step().write(y))?;
        Ok(y)
    }
}
