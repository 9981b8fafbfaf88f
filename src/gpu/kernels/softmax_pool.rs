//! The mean over a picture, weighted by a softmax: how a global context sees it (GCNet, 1904.11492).

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

const WGSL: &str = include_str!("../../../shaders/softmax_pool.wgsl");
/// Pixels of one workgroup.
const CHUNK: u32 = 256;

impl PlanBuilder {
    /// Σ softmax(scores) · x over the positions of each batch entry.
    ///
    /// # Shapes
    /// x `[n, h, w, c]`, scores `[n, h, w, 1]` → `[n, 1, 1, c]`
    ///
    /// # Errors
    /// Scores of another shape.
    pub fn softmax_pool(&mut self, x: Tensor, scores: Tensor) -> Result<Tensor, GpuError> {
        let Shape { batch, channels, .. } = x.shape;
        if scores.shape != (Shape { channels: 1, ..x.shape }) {
            return Err(GpuError::shape("softmax_pool", format!("scores {:?} for {:?}", scores.shape, x.shape)));
        }
        let positions = x.shape.positions();
        let chunks = positions.div_ceil(CHUNK);
        let parts = self.tensor(Shape::tokens(batch, chunks, channels + 2))?;
        let params = |dispatch: Dispatch| dispatch.u32(positions).u32(channels).u32(chunks);
        let chunk = params(Dispatch::new("softmax_pool", "chunk", &[WGSL])).read(x).read(scores).write(parts);
        self.record(Dispatch { workgroups: [chunks, batch, 1], ..chunk.flops(2 * x.shape.values()) })?;
        let y = self.tensor(Shape::vector(batch, channels))?;
        let merge = params(Dispatch::new("softmax_pool", "merge", &[WGSL])).read(parts).read(scores).write(y);
        self.record(Dispatch { workgroups: [channels.div_ceil(64), batch, 1], ..merge })?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use burn::tensor::activation::softmax;
    use burn::tensor::{Device, Tensor, TensorData};

    const CASES: [(u32, u32, u32, u32); 4] = [(1, 1, 1, 1), (2, 3, 5, 70), (2, 16, 16, 7), (1, 40, 33, 12)];

    fn tensor(values: &[f32], sides: [u32; 3]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), sides.map(|side| side as usize)), &Device::flex())
    }

    fn vec(x: Tensor<3>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn pooling_as_burn_does() {
        for (batch, height, width, channels) in CASES {
            let (shape, scores) = (Shape::image(batch, height, width, channels), Shape::image(batch, height, width, 1));
            let x = values(1, shape.values() as usize);
            let s: Vec<f32> = values(2, scores.values() as usize).iter().map(|value| value * 30.0).collect();
            let y = run(&TestWeights::new(), &[(shape, &x), (scores, &s)], |b, t| b.softmax_pool(t[0], t[1])).unwrap();
            let weights = softmax(tensor(&s, [batch, height * width, 1]), 1);
            let expected = (tensor(&x, [batch, height * width, channels]) * weights).sum_dim(1);
            assert_close(&y, &vec(expected), 1e-5);
        }
    }
}
