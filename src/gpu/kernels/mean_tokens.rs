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

#[cfg(test)]
mod tests {
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::BlockFormat;
    use burn::tensor::{Device, Tensor, TensorData};

    #[test]
    fn as_burn_does() {
        for (batch, tokens, channels) in [(1, 1, 1), (2, 40, 33), (4, 77, 64), (3, 16, 130)] {
            let shape = Shape::tokens(batch, tokens, channels);
            let x = values(1, shape.values() as usize);
            let mut weights = TestWeights::new();
            let added = weights.random("p", &[channels as usize], BlockFormat::F32);
            let plain = run(&weights, &[(shape, &x)], |b, t| b.mean_tokens(t[0], None)).unwrap();
            let with = run(&weights, &[(shape, &x)], |b, t| b.mean_tokens(t[0], Some("p"))).unwrap();
            let sides = [batch as usize, tokens as usize, channels as usize];
            let mean = Tensor::<3>::from_data(TensorData::new(x, sides), &Device::flex()).mean_dim(1);
            let expected = mean.into_data().try_to_vec::<f32>().unwrap();
            assert_close(&plain, &expected, 1e-6);
            let expected: Vec<f32> = expected.iter().zip(added.iter().cycle()).map(|(mean, add)| mean + add).collect();
            assert_close(&with, &expected, 1e-6);
        }
    }
}
