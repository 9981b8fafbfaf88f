//! Mean over the tokens: the class token of attention pooling (Radford et al. 2021), which conditions the U-Net on the
//! whole prompt.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// The mean over the positions of each batch entry, plus the vector named `add` if given: `[batch, 1, channels]`.
    ///
    /// # Errors
    /// The weight is missing or of another length.
    pub fn mean_tokens(&mut self, x: Tensor, add: Option<&str>) -> Result<Tensor, GpuError> {
        let Shape { batch, channels, .. } = x.shape;
        let add = add.map(|name| self.vector(name, channels)).transpose()?;
        let y = self.tensor(Shape::vector(batch, channels))?;
        let mut dispatch = Dispatch::new("mean_tokens", "main", &[include_str!("../../../shaders/mean_tokens.wgsl")])
            .u32(x.shape.positions())
            .u32(channels)
            .u32(add.is_some().into())
            .read(x)
            .weight_or_empty(add.as_ref())
            .write(y)
            .flops(x.shape.values());
        dispatch.workgroups = [channels.div_ceil(16), batch, 1];
        self.record(dispatch)?;
        Ok(y)
    }
}
