//! From the network's output to the predicted picture: classifier-free guidance (Ho and Salimans 2022) and x0.

use super::fold::Fold;
use crate::diffusion::Prediction;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Tensor};

impl PlanBuilder {
    /// x0 as the network predicts it, not yet thresholded, planar like `x` (`[images, colours, size, size]`).
    ///
    /// `out` is the network's output `[images·rows, size/patch, size/patch, colours·patch²]`, or twice the channels
    /// with a learned variance behind, which is not touched here. With two guidance rows, all images without the prompt
    /// come first, then all with it, and their predictions are mixed by the step's guidance scale.
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn predict_x0(
        &mut self,
        x: Tensor,
        out: Tensor,
        patch: u32,
        rows: u32,
        prediction: Prediction,
    ) -> Result<Tensor, GpuError> {
        let fold = Fold::new("predict_x0", x.shape, out.shape, patch, rows)?;
        let prediction = match prediction {
            Prediction::Epsilon => 0,
            Prediction::Sample => 1,
            Prediction::VPrediction => 2,
        };
        let x0 = self.tensor(x.shape)?;
        let source =
            [STEP_WGSL, include_str!("../../../shaders/pixel.wgsl"), include_str!("../../../shaders/predict_x0.wgsl")];
        let dispatch = fold
            .params(Dispatch::new("predict_x0", "main", &source), prediction)
            .read(x)
            .read(out)
            .write(x0)
            .step()
            .workgroups(fold.values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(x0)
    }
}
