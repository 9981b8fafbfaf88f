//! Group normalisation (Wu and He 2018) as statistics only: other operations apply them while they load.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What [`PlanBuilder::group_norm`] computes.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    pub groups: u32,
    pub eps: f32,
    /// Name of the scale `[c]`.
    pub weight: &'a str,
    /// Name of the offset `[c]`.
    pub bias: &'a str,
    /// `[n, 2c]`, first c scales, then c shifts: the normalised picture times (1 + scale) plus shift.
    pub scale_shift: Option<Tensor>,
}

impl PlanBuilder {
    /// The norm of x (with the channels of `second` behind its own) as one factor and one summand per batch entry and
    /// channel: `norm(x) · (1 + scale) + shift = a · x + b`.
    ///
    /// # Shapes
    /// x `[n, h, w, c1]`, second `[n, h, w, c2]` → `[n, 2c]` with c = c1 + c2: first c values a, then c values b.
    ///
    /// # Errors
    /// Missing weights, or channels that do not divide into the groups.
    pub fn group_norm(&mut self, x: Tensor, second: Option<Tensor>, norm: GroupNorm<'_>) -> Result<Tensor, GpuError> {
        let channels = x.shape.channels + second.map_or(0, |second| second.shape.channels);
        let weight = self.vector(norm.weight, channels)?;
        let bias = self.vector(norm.bias, channels)?;
        let y = self.tensor(Shape::vector(x.shape.batch, 2 * channels))?;
        self.record(
            Dispatch::new("group_norm", "main", &[])
                .read(x)
                .read_or_empty(second)
                .weight(&weight, 0)
                .weight(&bias, 0)
                .read_or_empty(norm.scale_shift)
                .write(y),
        )?;
        Ok(y)
    }
}
