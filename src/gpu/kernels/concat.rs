//! Two pictures' channels side by side: the skip connections of an Efficient U-Net, which are scaled on the way.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// The channels of x, then those of `second` times `scale`.
    ///
    /// # Errors
    /// Pictures of different sizes.
    pub fn concat(&mut self, x: Tensor, second: Tensor, scale: f32) -> Result<Tensor, GpuError> {
        let (first_channels, second_channels) = (x.shape.channels, second.shape.channels);
        if (Shape { channels: first_channels, ..second.shape }) != x.shape {
            return Err(GpuError::shape("concat", format!("{:?} beside {:?}", second.shape, x.shape)));
        }
        let y = self.tensor(Shape { channels: first_channels + second_channels, ..x.shape })?;
        let values = y.shape.values();
        let dispatch = Dispatch::new("concat", "main", &[include_str!("../../../shaders/concat.wgsl")])
            .u32(values as u32)
            .u32(first_channels)
            .u32(second_channels)
            .f32(scale)
            .read(x)
            .read(second)
            .write(y)
            .workgroups(values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::{PlanBuilder, Shape};
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::WeightIndex;
    use burn::tensor::{Device, Tensor, TensorData};

    #[test]
    fn as_burn_does() {
        for (batch, side, first, second) in [(1, 1, 1, 1), (2, 5, 7, 12), (1, 70, 33, 31)] {
            let shapes = [first, second].map(|channels| Shape::image(batch, side, side, channels));
            let parts = [0, 1].map(|i| values(i as u32, shapes[i].values() as usize));
            let y = run(&TestWeights::new(), &[(shapes[0], &parts[0]), (shapes[1], &parts[1])], |b, t| {
                b.concat(t[0], t[1], 0.5)
            })
            .unwrap();
            let tensor = |i: usize| {
                let sides = [(batch * side * side) as usize, shapes[i].channels as usize];
                Tensor::<2>::from_data(TensorData::new(parts[i].clone(), sides), &Device::flex())
            };
            let expected = Tensor::cat(vec![tensor(0), tensor(1) * 0.5], 1);
            assert_close(&y, &expected.into_data().try_to_vec::<f32>().unwrap(), 0.0);
        }
    }

    #[test]
    fn misfits_are_errors() {
        let mut b = PlanBuilder::new(&WeightIndex::new(), &wgpu::Limits::default());
        let x = b.input("x", Shape::image(1, 4, 4, 3)).unwrap();
        let other = b.input("other", Shape::image(1, 4, 5, 3)).unwrap();
        assert!(b.concat(x, other, 1.0).is_err());
    }
}
