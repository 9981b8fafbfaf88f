//! Group norm with the time embedding's scale and shift and the activation: a group is read for its mean, read for its
//! variance and written, while it lies in a core's cache.

use super::lanes::{Affine, Differences};
use super::{Values, for_each_chunk};
use crate::unet::architecture::Activation;
use crate::unet::norm::ScaleShift;
use burn::module::Param;
use burn::nn::GroupNorm;
use burn::tensor::{Tensor, TensorData};

/// `activation(norm(x) · (1 + scale) + shift)`; none where [`Values::of`] a tensor is none.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
pub(super) fn normalise(
    x: &Tensor<4>,
    norm: &GroupNorm,
    scale_shift: Option<&ScaleShift>,
    activation: Option<Activation>,
) -> Option<Tensor<4>> {
    let parameter = |param: &Option<Param<Tensor<1>>>| match param {
        Some(param) => Values::of(param.val()).map(Some),
        None => Some(None),
    };
    let (gamma, beta) = (parameter(&norm.gamma)?, parameter(&norm.beta)?);
    let scale_shift = match scale_shift {
        Some((scale, shift)) => Some((Values::of(scale.clone())?, Values::of(shift.clone())?)),
        None => None,
    };
    let values = Values::of(x.clone())?;
    let [batch, channels, height, width] = x.dims();
    let (pixels, per_group) = (height * width, channels / norm.num_groups);
    let mut out = vec![0.0; batch * channels * pixels];
    for_each_chunk(&mut out, per_group * pixels, |group, out| {
        let x = &values.slice()[group * per_group * pixels..][..out.len()];
        let (mean, inverse) = statistics(x, pixels, norm.epsilon);
        for (index, (x, out)) in x.chunks_exact(pixels).zip(out.chunks_exact_mut(pixels)).enumerate() {
            let of_all = group * per_group + index;
            let channel = of_all % channels;
            let mut a = inverse * gamma.as_ref().map_or(1.0, |gamma| f64::from(gamma.slice()[channel]));
            let mut b = beta.as_ref().map_or(0.0, |beta| f64::from(beta.slice()[channel])) - mean * a;
            if let Some((scale, shift)) = &scale_shift {
                let scale = 1.0 + f64::from(scale.slice()[of_all]);
                (a, b) = (a * scale, b * scale + f64::from(shift.slice()[of_all]));
            }
            Affine { x, a: a as f32, b: b as f32, activation, out }.run();
        }
    });
    Some(Tensor::from_data(TensorData::new(out, x.dims()), &x.device()))
}

/// Mean and inverse deviation of a group, which is planes of so many pixels.
pub(super) fn statistics(x: &[f32], pixels: usize, epsilon: f64) -> (f64, f64) {
    let count = x.len() as f64;
    let sums = |from: f32, power: usize| {
        let planes = x.chunks_exact(pixels);
        planes.map(|plane| f64::from(Differences { values: plane, from }.run()[power - 1])).sum::<f64>()
    };
    let mean = sums(0.0, 1) / count;
    let variance = sums(mean as f32, 2) / count;
    (mean, (variance + epsilon).sqrt().recip())
}
