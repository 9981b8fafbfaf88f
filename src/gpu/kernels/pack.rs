//! From planar pixels to the network's channels-last input.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// Planar pictures `[n, 3, S, S]` (and a second of that shape behind them) as channels-last
    /// `[n · repeat, S/p, S/p, (3 + 3) · p²]`, channel c·p² + i·p + j, the whole batch `repeat` times.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn pack(&mut self, x: Tensor, second: Option<Tensor>, patch: u32, repeat: u32) -> Result<Tensor, GpuError> {
        let Shape { batch, height: colours, width, .. } = x.shape;
        let colours = colours * if second.is_some() { 2 } else { 1 };
        let side = width / patch.max(1);
        let y = self.tensor(Shape::image(batch * repeat, side, side, colours * patch * patch))?;
        self.record(Dispatch::new("pack", "main", &[]).read(x).read_or_empty(second).write(y))?;
        Ok(y)
    }
}
