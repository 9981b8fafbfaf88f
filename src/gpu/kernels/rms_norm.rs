//! Root-mean-square norm over the channels (Zhang and Sennrich 2019), as T5 uses it: no mean, no bias.

use super::lanes::Lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// x / √(mean(x²) + eps) · weight over the channels of each position; `weight` names a vector.
    ///
    /// # Errors
    /// The weight is missing or of another length.
    pub fn rms_norm(&mut self, x: Tensor, weight: &str, eps: f32) -> Result<Tensor, GpuError> {
        let channels = x.shape.channels;
        let rows = x.shape.batch * x.shape.positions();
        let weight = self.vector(weight, channels)?;
        let y = self.tensor(x.shape)?;
        let dispatch = Dispatch::new("rms_norm", "main", &[include_str!("../../../shaders/rms_norm.wgsl")])
            .preamble(Lanes::for_channels(channels, self.hardware()).wgsl())
            .u32(rows)
            .u32(channels)
            .f32(eps)
            .read(x)
            .weight(&weight, 0)
            .write(y)
            .workgroups(rows.into(), self.limits().max_compute_workgroups_per_dimension)
            .flops(4 * x.shape.values());
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
        for (batch, tokens, channels) in [(1, 1, 1), (2, 5, 33), (4, 3, 256), (3, 7, 130), (1, 2, 1500), (1, 66_000, 2)]
        {
            let shape = Shape::tokens(batch, tokens, channels);
            let x = values(1, shape.values() as usize);
            let mut weights = TestWeights::new();
            let weight = weights.random("w", &[channels as usize], BlockFormat::F32);
            let y = run(&weights, &[(shape, &x)], |b, t| b.rms_norm(t[0], "w", 1e-6)).unwrap();
            let sides = [(batch * tokens) as usize, channels as usize];
            let x = Tensor::<2>::from_data(TensorData::new(x, sides), &Device::flex());
            let weight = Tensor::<2>::from_data(TensorData::new(weight, [1, sides[1]]), &Device::flex());
            let scale = (x.clone().square().mean_dim(1) + 1e-6).sqrt();
            let expected = (x / scale * weight).into_data().try_to_vec::<f32>().unwrap();
            assert_close(&y, &expected, 1e-5);
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        let mut weights = TestWeights::new();
        weights.random("w", &[40], BlockFormat::F32);
        let shape = Shape::tokens(1, 1, 40);
        let y = run(&weights, &[(shape, &[0.0; 40])], |b, t| b.rms_norm(t[0], "w", 1e-6)).unwrap();
        assert_eq!(y, [0.0; 40]);
    }
}
