//! Layer norm over the channels (Ba et al. 2016).

use super::lanes::Lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// (x − mean) / √(variance + eps) · weight + bias over the channels of each position; `weight` and `bias` name
    /// vectors, the latter may be missing.
    ///
    /// # Errors
    /// A weight is missing or of another length.
    pub fn layer_norm(&mut self, x: Tensor, weight: &str, bias: Option<&str>, eps: f32) -> Result<Tensor, GpuError> {
        let channels = x.shape.channels;
        let rows = x.shape.batch * x.shape.positions();
        let weight = self.vector(weight, channels)?;
        let bias = bias.map(|bias| self.vector(bias, channels)).transpose()?;
        // Where there is none, zeros are read in its place.
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("layer_norm", "main", &[include_str!("../../../shaders/layer_norm.wgsl")])
            .preamble(Lanes::for_channels(channels, self.hardware()).wgsl())
            .u32(rows)
            .u32(channels)
            .f32(eps)
            .read(x)
            .weight(&weight, 0)
            .weight_or_empty(bias.as_ref())
            .write(y)
            .workgroups(rows.into(), self.limits().max_compute_workgroups_per_dimension)
            .flops(7 * x.shape.values());
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
        for (batch, tokens, channels) in [(1, 1, 2), (2, 5, 33), (4, 3, 256), (3, 7, 130), (1, 2, 1500), (1, 66_000, 2)]
        {
            let shape = Shape::tokens(batch, tokens, channels);
            // A large mean: a variance as E[x²] − mean² would lose its digits.
            let x: Vec<f32> = values(1, shape.values() as usize).iter().map(|value| value + 100.0).collect();
            let mut weights = TestWeights::new();
            let weight = weights.random("w", &[channels as usize], BlockFormat::F32);
            let bias = weights.random("b", &[channels as usize], BlockFormat::F32);
            let y = run(&weights, &[(shape, &x)], |b, t| b.layer_norm(t[0], "w", Some("b"), 1e-5)).unwrap();
            let unbiased = run(&weights, &[(shape, &x)], |b, t| b.layer_norm(t[0], "w", None, 1e-5)).unwrap();
            let sides = [(batch * tokens) as usize, channels as usize];
            let tensor =
                |values, sides: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values, sides), &Device::flex());
            let x = tensor(x, sides);
            let centred = x.clone() - x.mean_dim(1);
            let deviation = (centred.clone().square().mean_dim(1) + 1e-5).sqrt();
            let expected = centred / deviation * tensor(weight, [1, sides[1]]);
            assert_close(&unbiased, &expected.clone().into_data().try_to_vec::<f32>().unwrap(), 1e-4);
            let expected = expected + tensor(bias, [1, sides[1]]);
            assert_close(&y, &expected.into_data().try_to_vec::<f32>().unwrap(), 1e-4);
        }
    }
}
