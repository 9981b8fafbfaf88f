//! A gate for each channel, and the residual behind it: what a global context does to a picture (GCNet, 1904.11492).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

const WGSL: &str = include_str!("../../../shaders/gate.wgsl");

impl PlanBuilder {
    /// `x · sigmoid(gate) + residual`
    ///
    /// # Shapes
    /// x, residual `[n, h, w, c]`, gate `[n, 1, 1, c]` → as x
    ///
    /// # Errors
    /// Shapes that do not fit together.
    pub fn gate(&mut self, x: Tensor, gate: Tensor, residual: Tensor) -> Result<Tensor, GpuError> {
        let Shape { batch, channels, .. } = x.shape;
        if gate.shape != Shape::vector(batch, channels) || residual.shape != x.shape {
            let message = format!("gate {:?} and residual {:?} for {:?}", gate.shape, residual.shape, x.shape);
            return Err(GpuError::shape("gate", message));
        }
        let (values, y) = (x.shape.values(), self.tensor(x.shape)?);
        let dispatch = Dispatch::new("gate", "main", &[WGSL])
            .u32(values as u32)
            .u32(channels)
            .u32(x.shape.positions() * channels)
            .read(x)
            .read(gate)
            .read(residual)
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
    use burn::tensor::activation::sigmoid;
    use burn::tensor::{Device, Tensor, TensorData};

    const CASES: [(u32, u32, u32, u32); 4] = [(1, 1, 1, 1), (2, 3, 5, 70), (2, 16, 16, 7), (1, 40, 33, 12)];

    fn tensor(values: &[f32], sides: [u32; 3]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), sides.map(|side| side as usize)), &Device::flex())
    }

    fn vec(x: Tensor<3>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn gates_as_burn_does() {
        for (batch, height, width, channels) in CASES {
            let (shape, gates) = (Shape::image(batch, height, width, channels), Shape::vector(batch, channels));
            let count = shape.values() as usize;
            let (x, r, g) = (values(1, count), values(2, count), values(3, (batch * channels) as usize));
            let inputs = [(shape, x.as_slice()), (gates, &g), (shape, &r)];
            let y = run(&TestWeights::new(), &inputs, |b, t| b.gate(t[0], t[1], t[2])).unwrap();
            let all = [batch, height * width, channels];
            let expected = tensor(&x, all) * sigmoid(tensor(&g, [batch, 1, channels])) + tensor(&r, all);
            assert_close(&y, &vec(expected), 1e-6);
        }
    }
}
