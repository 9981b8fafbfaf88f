//! Guidance along what is orthogonal to the prediction: [`remove_parallel`](crate::diffusion::remove_parallel) on the GPU.

use super::lanes::Lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

/// Lanes of a picture's sums.
const LANES: u32 = 256;

impl PlanBuilder {
    /// Changes the rows without the prompt, which are the first half of the batch, so that guidance from them to the other
    /// half goes along what is orthogonal to the latter.
    ///
    /// # Errors
    /// An odd number of rows.
    pub fn orthogonal_guidance(&mut self, x: Tensor) -> Result<Tensor, GpuError> {
        let batch = x.shape.batch;
        if batch % 2 == 1 {
            return Err(GpuError::shape("orthogonal_guidance", format!("{batch} rows are no pairs")));
        }
        let y = self.tensor(x.shape)?;
        let source = include_str!("../../../shaders/orthogonal_guidance.wgsl");
        let dispatch = Dispatch::new("orthogonal_guidance", "main", &[source])
            .preamble(Lanes::new(LANES, self.hardware()).wgsl())
            .u32(batch / 2)
            .u32(x.shape.positions() * x.shape.channels)
            .read(x)
            .write(y)
            .flops(4 * x.shape.values());
        self.record(Dispatch { workgroups: [batch / 2, 1, 1], ..dispatch })?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::diffusion::remove_parallel;
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};

    #[test]
    fn as_the_cpu_does() {
        for (images, side, channels) in [(1, 1, 1), (1, 33, 3), (3, 7, 5)] {
            let shape = Shape::image(2 * images, side, side, channels);
            let mut x = values(1, shape.values() as usize);
            let y = run(&TestWeights::new(), &[(shape, &x)], |b, t| b.orthogonal_guidance(t[0])).unwrap();
            let half = x.len() / 2;
            let (without, with) = x.split_at_mut(half);
            remove_parallel(without, with, images as usize).unwrap();
            assert_close(&y, &x, 1e-4);
        }
    }
}
