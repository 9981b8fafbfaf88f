//! The norm of an Efficient U-Net: root mean square over the channels of every pixel, scale and shift, SiLU.

use super::lanes::Lanes;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

impl PlanBuilder {
    /// `silu(x · √channels / ‖x‖ · factors · (scale + 1) + shift)` over the channels of each position. `factors` names a
    /// vector; `scale_shift` is `[batch, 2·channels]`, the scales first.
    ///
    /// # Errors
    /// A weight that is missing or of another length, or a misshapen `scale_shift`.
    pub fn chan_rms_norm(&mut self, x: Tensor, factors: &str, scale_shift: Option<Tensor>) -> Result<Tensor, GpuError> {
        let Shape { batch, channels, .. } = x.shape;
        let factors = self.vector(factors, channels)?;
        if let Some(time) = scale_shift.filter(|time| time.shape != Shape::vector(batch, 2 * channels)) {
            let message = format!("scale and shift are {:?} for {batch} × {channels}", time.shape);
            return Err(GpuError::shape("chan_rms_norm", message));
        }
        let (positions, y) = (x.shape.positions(), self.tensor(x.shape)?);
        let dispatch = Dispatch::new("chan_rms_norm", "main", &[include_str!("../../../shaders/chan_rms_norm.wgsl")])
            .preamble(Lanes::for_channels(channels, self.hardware()).wgsl())
            .u32(batch * positions)
            .u32(channels)
            .u32(positions)
            .u32(scale_shift.is_some().into())
            .read(x)
            .weight(&factors, 0)
            .read_or_empty(scale_shift)
            .write(y)
            .workgroups(u64::from(batch * positions), self.limits().max_compute_workgroups_per_dimension)
            .flops(10 * x.shape.values());
        self.record(dispatch)?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::plan::Shape;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::BlockFormat;
    use burn::tensor::{Device, Tensor, TensorData, activation::silu};

    #[test]
    fn as_burn_does() {
        for (batch, height, width, channels) in [(1, 1, 1, 1), (2, 3, 5, 33), (1, 300, 250, 4), (2, 2, 2, 1500)] {
            let shape = Shape::image(batch, height, width, channels);
            let (x, time) = (values(1, shape.values() as usize), values(2, (2 * batch * channels) as usize));
            let mut weights = TestWeights::new();
            let factors = weights.random("w", &[channels as usize], BlockFormat::F32);
            let [n, p, c] = [batch, height * width, channels].map(|side| side as usize);
            let tensor = |values: &[f32], sides| {
                Tensor::<3>::from_data(TensorData::new(values.to_vec(), sides), &Device::flex())
            };
            let all = tensor(&x, [n, p, c]);
            let length = all.clone().square().sum_dim(2).sqrt();
            let normed = all / length * tensor(&factors, [1, 1, c]) * (c as f32).sqrt();
            let time_of = |part: usize| tensor(&time, [n, 2, c]).narrow(1, part, 1);
            for timed in [false, true] {
                let y = run(&weights, &[(shape, &x), (Shape::vector(batch, 2 * channels), &time)], |b, t| {
                    b.chan_rms_norm(t[0], "w", timed.then_some(t[1]))
                })
                .unwrap();
                let shifted = match timed {
                    true => normed.clone() * (time_of(0) + 1.0) + time_of(1),
                    false => normed.clone(),
                };
                assert_close(&y, &silu(shifted).into_data().try_to_vec::<f32>().unwrap(), 1e-5);
            }
        }
    }
}
