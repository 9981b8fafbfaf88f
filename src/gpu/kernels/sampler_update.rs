//! The update of one sampler step, the same for DDPM, DDIM and DPM-Solver++ (see [`crate::diffusion::Step`]).

use super::fold::{Fold, same_shape};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, STEP_WGSL, Tensor};

/// What a sampler step works on. All pictures are planar `[images, colours, size, size]`.
#[derive(Clone, Copy, Debug)]
pub struct SamplerUpdate {
    /// The state; updated in place.
    pub x: Tensor,
    /// From [`PlanBuilder::predict_x0`].
    pub x0: Tensor,
    /// From [`PlanBuilder::threshold`].
    pub scales: Tensor,
    /// The thresholded x0 of the step before; replaced by this step's. An input of the plan, like `x`; also what a
    /// preview shows.
    pub previous: Tensor,
    /// Standard normal noise, planar; read only where the step adds noise.
    pub noise: Tensor,
    /// The network's output, whose second half of channels is the variance where the step's noise is learned.
    pub out: Tensor,
    pub patch: u32,
    /// 2 when the network's rows are doubled for guidance; the variance is then that of the rows with the prompt.
    pub rows: u32,
}

impl PlanBuilder {
    /// x' = keep·x + denoised·x0 + previous·x0' + noise, with the step's factors and the thresholded x0; x0' becomes x0.
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn sampler_update(&mut self, update: SamplerUpdate) -> Result<(), GpuError> {
        const OP: &str = "sampler_update";
        let SamplerUpdate { x, x0, scales, previous, noise, out, patch, rows } = update;
        let fold = Fold::new(OP, x.shape, out.shape, patch, rows)?;
        same_shape(OP, x, &[x0, previous, noise])?;
        if scales.shape.values() != 2 * u64::from(x.shape.batch) {
            return Err(GpuError::shape(OP, format!("scales {:?} for {:?}", scales.shape, x.shape)));
        }
        let source = [
            STEP_WGSL,
            include_str!("../../../shaders/pixel.wgsl"),
            include_str!("../../../shaders/sampler_update.wgsl"),
        ];
        let dispatch = fold
            .params(Dispatch::new(OP, "main", &source), 0)
            .update(x)
            .read(x0)
            .read(scales)
            .update(previous)
            .read(noise)
            .read(out)
            .step()
            .workgroups(fold.values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)
    }
}
