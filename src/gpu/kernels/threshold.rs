//! Static and dynamic thresholding (Imagen, section 2.3).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Shape, Tensor};

impl PlanBuilder {
    /// How [`Self::sampler_update`] is to keep x0 in range: per image a limit and a divisor, `[images, 2]`. Kind,
    /// quantile and maximum are those of the step, so they can change without another plan.
    ///
    /// # Errors
    /// A tensor that the device cannot bind.
    pub fn threshold(&mut self, x0: Tensor) -> Result<Tensor, GpuError> {
        let images = x0.shape.batch;
        let scales = self.tensor(Shape::vector(images, 2))?;
        let mut dispatch =
            Dispatch::new("threshold", "main", &[STEP_WGSL, include_str!("../../../shaders/threshold.wgsl")])
                .u32((x0.shape.values() / u64::from(images)) as u32)
                .read(x0)
                .write(scales)
                .step();
        dispatch.workgroups = [images, 1, 1];
        self.record(dispatch)?;
        Ok(scales)
    }
}
