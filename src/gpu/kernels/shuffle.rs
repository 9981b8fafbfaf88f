//! Pixel (un)shuffle by two, as an Efficient U-Net changes the size of its pictures.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// `[n, h, w, c]` to `[n, h/2, w/2, 4c]`, channel c·4 + i·2 + j.
    ///
    /// # Errors
    /// A picture of odd sides.
    pub fn unshuffle(&mut self, x: Tensor) -> Result<Tensor, GpuError> {
        let Shape { batch, height, width, channels } = x.shape;
        if height % 2 == 1 || width % 2 == 1 {
            return Err(GpuError::shape("shuffle", format!("{:?} cannot be halved", x.shape)));
        }
        self.shuffled(x, Shape { batch, height: height / 2, width: width / 2, channels: 4 * channels }, false)
    }

    /// SiLU, then `[n, h, w, 4c]` to `[n, 2h, 2w, c]`.
    ///
    /// # Errors
    /// Channels that are no multiple of four.
    pub fn silu_shuffle(&mut self, x: Tensor) -> Result<Tensor, GpuError> {
        let Shape { batch, height, width, channels } = x.shape;
        if channels % 4 != 0 {
            return Err(GpuError::shape("shuffle", format!("{channels} channels are no multiple of 4")));
        }
        self.shuffled(x, Shape { batch, height: 2 * height, width: 2 * width, channels: channels / 4 }, true)
    }

    fn shuffled(&mut self, x: Tensor, shape: Shape, up: bool) -> Result<Tensor, GpuError> {
        let y = self.tensor(shape)?;
        let dispatch = Dispatch::new("shuffle", "main", &[include_str!("../../../shaders/shuffle.wgsl")])
            .u32(shape.values() as u32)
            .u32(shape.height)
            .u32(shape.width)
            .u32(shape.channels)
            .u32(up.into())
            .read(x)
            .write(y)
            .workgroups(shape.values().div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use burn::nn::{PixelShuffleConfig, PixelUnshuffleConfig};
    use burn::tensor::{Device, Tensor, TensorData, activation::silu};

    /// A picture in planes.
    fn planes(values: &[f32], shape: Shape) -> Tensor<4> {
        let sides = [shape.batch, shape.height, shape.width, shape.channels].map(|side| side as usize);
        Tensor::<4>::from_data(TensorData::new(values.to_vec(), sides), &Device::flex()).permute([0, 3, 1, 2])
    }

    fn channels_last(x: Tensor<4>) -> Vec<f32> {
        x.permute([0, 2, 3, 1]).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn as_burn_does() {
        for (batch, height, width, channels) in [(1, 2, 2, 4), (2, 6, 10, 12), (1, 34, 4, 8)] {
            let shape = Shape::image(batch, height, width, channels);
            let x = values(1, shape.values() as usize);
            let down = run(&TestWeights::new(), &[(shape, &x)], |b, t| b.unshuffle(t[0])).unwrap();
            let expected = PixelUnshuffleConfig::new(2).init().forward(planes(&x, shape));
            assert_close(&down, &channels_last(expected), 0.0);
            let up = run(&TestWeights::new(), &[(shape, &x)], |b, t| b.silu_shuffle(t[0])).unwrap();
            let expected = PixelShuffleConfig::new(2).init().forward(silu(planes(&x, shape)));
            assert_close(&up, &channels_last(expected), 1e-6);
        }
        let odd = Shape::image(1, 3, 4, 5);
        let x = values(1, odd.values() as usize);
        assert!(run(&TestWeights::new(), &[(odd, &x)], |b, t| b.unshuffle(t[0])).is_err());
        assert!(run(&TestWeights::new(), &[(odd, &x)], |b, t| b.silu_shuffle(t[0])).is_err());
    }
}
