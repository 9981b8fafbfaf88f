//! From the network's output to the predicted picture: classifier-free guidance (Ho and Salimans 2022) and x0.

use super::fold::{Fold, NetworkOutput};
use crate::diffusion::Prediction;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Tensor};

impl PlanBuilder {
    /// x0 as the network predicts it, not yet thresholded, planar like `x` (`[images, colours, size, size]`).
    ///
    /// With guidance, the predictions without and with the prompt are mixed by the step's guidance scale. A learned variance
    /// is not touched here.
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn predict_x0(
        &mut self,
        x: Tensor,
        out: NetworkOutput,
        patch: u32,
        prediction: Prediction,
    ) -> Result<Tensor, GpuError> {
        let fold = Fold::new("predict_x0", x.shape, out, patch)?;
        let prediction = match prediction {
            Prediction::Epsilon => 0,
            Prediction::Sample => 1,
            Prediction::VPrediction => 2,
        };
        let x0 = self.tensor(x.shape)?;
        let (without, with) = out.tensors();
        let source =
            [STEP_WGSL, include_str!("../../../shaders/pixel.wgsl"), include_str!("../../../shaders/predict_x0.wgsl")];
        let dispatch = fold
            .params(Dispatch::new("predict_x0", "main", &source), prediction)
            .read(x)
            .read(without)
            .read(with)
            .write(x0)
            .step()
            .workgroups(fold.values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(x0)
    }
}
