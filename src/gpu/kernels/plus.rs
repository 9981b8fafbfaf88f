//! A sum that no other operation takes along: behind a norm.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Tensor};

impl PlanBuilder {
    /// `x + other`
    ///
    /// # Errors
    /// Tensors of different shapes.
    pub fn plus(&mut self, x: Tensor, other: Tensor) -> Result<Tensor, GpuError> {
        if x.shape != other.shape {
            return Err(GpuError::shape("plus", format!("{:?} and {:?}", x.shape, other.shape)));
        }
        let (values, y) = (x.shape.values(), self.tensor(x.shape)?);
        let dispatch = Dispatch::new("plus", "main", &[include_str!("../../../shaders/plus.wgsl")])
            .u32(values as u32)
            .read(x)
            .read(other)
            .write(y)
            .workgroups(values.div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use burn::tensor::{Device, Tensor, TensorData};

    #[test]
    fn as_burn_does() {
        for count in [1, 255, 70_001] {
            let (x, other) = (values(1, count), values(2, count));
            let shape = Shape::vector(1, count as u32);
            let y = run(&TestWeights::new(), &[(shape, &x), (shape, &other)], |b, t| b.plus(t[0], t[1])).unwrap();
            let tensor = |v: &[f32]| Tensor::<1>::from_data(TensorData::new(v.to_vec(), [count]), &Device::flex());
            assert_close(&y, &(tensor(&x) + tensor(&other)).into_data().try_to_vec::<f32>().unwrap(), 0.0);
        }
        let (one, two) = (Shape::vector(1, 3), Shape::vector(1, 4));
        let (x, other) = (values(1, 3), values(2, 4));
        assert!(run(&TestWeights::new(), &[(one, &x), (two, &other)], |b, t| b.plus(t[0], t[1])).is_err());
    }
}
