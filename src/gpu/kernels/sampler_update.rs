//! One sampler step in place.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

/// The tensors of one sampler step.
#[derive(Clone, Copy, Debug)]
pub struct SamplerUpdate {
    /// The state, updated in place.
    pub x: Tensor,
    /// The predicted x0, before thresholding.
    pub x0: Tensor,
    /// `[n]` from [`PlanBuilder::threshold`].
    pub scales: Tensor,
    /// The thresholded x0 of the step before; replaced by this step's.
    pub previous: Tensor,
    /// Standard normal noise, planar.
    pub noise: Tensor,
    /// The network's channels-last output, for a learned variance.
    pub out: Tensor,
    pub patch: u32,
    pub rows: u32,
}

impl PlanBuilder {
    /// x ← keep · x + denoised · x0 + previous · x0' + noise, and x0' ← x0.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn sampler_update(&mut self, update: SamplerUpdate) -> Result<(), GpuError> {
        let dispatch = Dispatch::new("sampler_update", "main", &[]).u32(update.patch).u32(update.rows);
        self.record(
            dispatch
                .update(update.x)
                .read(update.x0)
                .read(update.scales)
                .update(update.previous)
                .read(update.noise)
                .read(update.out)
                .step(),
        )
    }
}
