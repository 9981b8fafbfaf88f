//! Group normalisation (Wu and He 2018) as statistics only: other operations apply them while they load.

use super::lanes::Lanes;
use super::reader::Access;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What [`PlanBuilder::group_norm`] computes.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    pub groups: u32,
    pub eps: f32,
    /// Name of the scale `[c]`.
    pub weight: &'a str,
    /// Name of the offset `[c]`.
    pub bias: &'a str,
    /// `[n, 2c]`, first c scales, then c shifts: the normalised picture times (1 + scale) plus shift.
    pub scale_shift: Option<Tensor>,
}

const WGSL: &str = include_str!("../../../shaders/group_norm.wgsl");

/// Values of a group up to which one workgroup sums them all.
const SMALL: u64 = 32 * 1024;
/// Lanes of that workgroup.
const WHOLE_LANES: u32 = 256;
/// Lanes of the workgroup that puts slices together.
const FINISH_LANES: u32 = 64;

/// Positions that one thread of the first dispatch sums, as long as that makes no more than [`MOST_SLICES`].
const SLICE: u32 = 64;
const MOST_SLICES: u32 = 1024;

/// Into how many slices the positions of a picture are cut.
fn slices(positions: u32) -> u32 {
    positions.div_ceil(SLICE).clamp(1, MOST_SLICES)
}

impl PlanBuilder {
    /// The norm of x (with the channels of `second` behind its own) as one factor and one summand per batch entry and
    /// channel: `norm(x) · (1 + scale) + shift = a · x + b`.
    ///
    /// # Shapes
    /// x `[n, h, w, c1]`, second `[n, h, w, c2]` → `[n, 2c]` with c = c1 + c2: first c values a, then c values b.
    ///
    /// # Errors
    /// Missing weights, or tensors that do not fit.
    pub fn group_norm(&mut self, x: Tensor, second: Option<Tensor>, norm: GroupNorm<'_>) -> Result<Tensor, GpuError> {
        let error = |message: String| Err(GpuError::shape("group_norm", message));
        if let Some(second) = second.filter(|second| Shape { channels: x.shape.channels, ..second.shape } != x.shape) {
            return error(format!("the second input is {:?}, the first {:?}", second.shape, x.shape));
        }
        let Shape { batch, channels: first_channels, .. } = x.shape;
        let second_channels = second.map_or(0, |second| second.shape.channels);
        let channels = first_channels + second_channels;
        if norm.groups == 0 || !channels.is_multiple_of(norm.groups) {
            return error(format!("{channels} channels do not divide into {} groups", norm.groups));
        }
        let shape = Shape::vector(batch, 2 * channels);
        if let Some(given) = norm.scale_shift.filter(|given| given.shape != shape) {
            return error(format!("scale and shift are {:?}, expected {shape:?}", given.shape));
        }
        let weight = self.vector(norm.weight, channels)?;
        let bias = self.vector(norm.bias, channels)?;
        let y = self.tensor(shape)?;
        let positions = x.shape.positions();
        let hardware = self.hardware();
        let readers = Access::of(Some(x), false).reader("x", 1) + &Access::of(second, false).reader("second", 2);
        let (pitch, first) = norm.scale_shift.map_or((0, 0), |tensor| (tensor.pitch, tensor.first));
        let dispatch = |name, entry, lanes: u32, slices: u32| {
            let words = [batch, positions, first_channels, second_channels, norm.groups, slices];
            let dispatch = Dispatch::new(name, entry, &[WGSL]).preamble(Lanes::new(lanes, hardware).wgsl() + &readers);
            words.into_iter().fold(dispatch, Dispatch::u32).f32(norm.eps).u32(pitch).u32(first).takes_halves()
        };
        let finish = |dispatch: Dispatch| {
            dispatch.takes_parts().weight(&weight, 0).weight(&bias, 0).read_or_empty(norm.scale_shift).write(y)
        };
        let limit = self.limits().max_compute_workgroups_per_dimension;
        let groups = u64::from(batch) * u64::from(norm.groups);
        let flops = 4 * (x.shape.values() + second.map_or(0, |second| second.shape.values()));
        let of_group = u64::from(positions) * u64::from(channels / norm.groups);
        if hardware.software || of_group <= SMALL {
            let read = dispatch("group_norm", "whole", WHOLE_LANES, 0).read(x).read_or_empty(second);
            self.record(finish(read).workgroups(groups, limit).flops(flops))?;
            return Ok(y);
        }
        let slices = slices(positions);
        let partials = self.tensor(Shape::image(batch, slices, channels, 2))?;
        let threads = u64::from(batch) * u64::from(slices) * u64::from(channels);
        self.record(
            dispatch("group_norm_slices", "slices", FINISH_LANES, slices)
                .read(x)
                .read_or_empty(second)
                .write(partials)
                .workgroups(threads.div_ceil(64), limit)
                .flops(flops),
        )?;
        let read = dispatch("group_norm_finish", "finish", FINISH_LANES, slices).read(partials).read_or_empty(None);
        self.record(finish(read).workgroups(groups, limit))?;
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::testing::{TestWeights, assert_close, run, values};
    use crate::weights::BlockFormat;
    use burn::tensor::{Device, Tensor as Burn, TensorData};

    /// The affine by burn: statistics of `[n, positions, groups, channels / groups]`.
    fn expected(
        x: &[f32],
        [n, positions, channels]: [usize; 3],
        groups: usize,
        eps: f32,
        weights: [&[f32]; 2],
        scale_shift: &[f32],
    ) -> Vec<f32> {
        let device = Device::flex();
        let width = channels / groups;
        let x = Burn::<4>::from_data(TensorData::new(x.to_vec(), [n, positions, groups, width]), &device);
        let x = x.swap_dims(1, 2).reshape([n * groups, positions * width]);
        let (variance, mean) = x.var_mean_bias(1);
        let per_channel = |t: Burn<2>| t.reshape([n, groups, 1]).expand([n, groups, width]).reshape([n, channels]);
        let vector =
            |values: &[f32], rows| Burn::<2>::from_data(TensorData::new(values.to_vec(), [rows, channels]), &device);
        let a = per_channel(variance.add_scalar(eps).sqrt().recip()) * vector(weights[0], 1);
        let b = vector(weights[1], 1) - per_channel(mean) * a.clone();
        let both = Burn::<2>::from_data(TensorData::new(scale_shift.to_vec(), [n, 2 * channels]), &device);
        let factor = both.clone().narrow(1, 0, channels).add_scalar(1.0);
        let (a, b) = (a * factor.clone(), b * factor + both.narrow(1, channels, channels));
        Burn::cat(vec![a, b], 1).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn agrees_with_burn_on_odd_shapes() {
        for (n, h, w, c1, c2, groups) in
            [(1, 1, 1, 4, 0, 2), (2, 3, 5, 6, 0, 3), (3, 9, 11, 8, 4, 4), (4, 16, 16, 32, 64, 16), (1, 67, 65, 3, 9, 1)]
        {
            let channels = c1 + c2;
            let mut weights = TestWeights::new();
            let weight = weights.random("weight", &[channels as usize], BlockFormat::F32);
            let bias = weights.random("bias", &[channels as usize], BlockFormat::F32);
            let first = values(1, (n * h * w * c1) as usize);
            let second: Vec<f32> = values(2, (n * h * w * c2) as usize).iter().map(|v| v * 3.0 + 1.0).collect();
            let modulation = values(3, (n * 2 * channels) as usize);
            for modulated in [false, true] {
                let mut inputs: Vec<(Shape, &[f32])> =
                    vec![(Shape::image(n, h, w, c1), &first), (Shape::vector(n, 2 * channels), &modulation)];
                if c2 > 0 {
                    inputs.push((Shape::image(n, h, w, c2), &second));
                }
                let y = run(&weights, &inputs, |b, t| {
                    let scale_shift = modulated.then_some(t[1]);
                    b.group_norm(
                        t[0],
                        t.get(2).copied(),
                        GroupNorm { groups, eps: 1e-5, weight: "weight", bias: "bias", scale_shift },
                    )
                });
                let both: Vec<f32> = (0..(n * h * w) as usize)
                    .flat_map(|p| {
                        let (c1, c2) = (c1 as usize, c2 as usize);
                        [&first[p * c1..(p + 1) * c1], &second[p * c2..(p + 1) * c2]].concat()
                    })
                    .collect();
                let shape = [n as usize, (h * w) as usize, channels as usize];
                let none = vec![0.0; modulation.len()];
                let modulation = if modulated { &modulation } else { &none };
                let expected = expected(&both, shape, groups as usize, 1e-5, [&weight, &bias], modulation);
                assert_close(&y.unwrap(), &expected, 2e-5);
            }
        }
    }

    #[test]
    fn a_far_mean_costs_no_precision() {
        let mut weights = TestWeights::new();
        weights.add("one", &[4], BlockFormat::F32, &[1.0; 4]);
        weights.add("zero", &[4], BlockFormat::F32, &[0.0; 4]);
        // A deviation of 1/16 around 1000: single-pass sums of squares would lose it all.
        let x: Vec<f32> =
            (0..4 * 128 * 128).map(|i| 1000.0 + if (i / 4) % 2 == 0 { 0.0625 } else { -0.0625 }).collect();
        let y = run(&weights, &[(Shape::image(1, 128, 128, 4), &x)], |b, t| {
            b.group_norm(t[0], None, GroupNorm { groups: 2, eps: 0.0, weight: "one", bias: "zero", scale_shift: None })
        });
        for a in &y.unwrap()[..4] {
            assert!((a - 16.0).abs() < 1e-3, "{a}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut weights = TestWeights::new();
        weights.random("w", &[6], BlockFormat::F32);
        let x = vec![0.0; 24];
        let attempt = |groups| {
            run(&weights, &[(Shape::image(1, 2, 2, 6), &x)], |b, t| {
                b.group_norm(t[0], None, GroupNorm { groups, eps: 1e-5, weight: "w", bias: "w", scale_shift: None })
            })
        };
        assert!(attempt(3).is_ok());
        assert!(matches!(attempt(4), Err(GpuError::Shape { .. })));
        assert!(matches!(attempt(0), Err(GpuError::Shape { .. })));
    }

    #[test]
    fn large_pictures_are_cut() {
        assert_eq!((slices(1), slices(64), slices(65), slices(1 << 20)), (1, 1, 2, 1024));
    }
}
