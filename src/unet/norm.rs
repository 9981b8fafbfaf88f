//! Group normalisation with everything that follows it in a U-Net: the time embedding's scale and shift, and the
//! activation.

use super::architecture::Activation;
use super::cpu;
use burn::nn::GroupNorm;
use burn::tensor::{DType, Tensor};

/// Scale and shift of a norm's output, one per channel: `[batch, channels]` each.
pub(crate) type ScaleShift = (Tensor<2>, Tensor<2>);

/// `activation(norm(x) · (1 + scale) + shift)`.
///
/// The norm, its own weight and bias, and scale and shift are one multiplication and one addition per value:
/// `x · a + b` with `a`, `b` per channel.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`
/// - output: as x
pub(crate) fn normalise(
    x: Tensor<4>,
    norm: &GroupNorm,
    scale_shift: Option<ScaleShift>,
    activation: Option<Activation>,
) -> Tensor<4> {
    if let Some(y) = cpu::normalise(&x, norm, scale_shift.as_ref(), activation) {
        return y;
    }
    let [batch, channels, _, _] = x.dims();
    // Squares of f16 leave its range.
    let (dtype, x) = (x.dtype(), x.cast(DType::F32));
    let (mut a, mut b) = affine(x.clone(), norm);
    if let Some((scale, shift)) = scale_shift {
        let scale = scale.cast(DType::F32).add_scalar(1.0);
        a = a * scale.clone();
        b = b * scale + shift.cast(DType::F32);
    }
    let y = x * a.reshape([batch, channels, 1, 1]) + b.reshape([batch, channels, 1, 1]);
    let y = match activation {
        Some(activation) => activation.forward(y),
        None => y,
    };
    y.cast(dtype)
}

/// The norm of each channel as a factor and a summand, `[batch, channels]` each.
fn affine(x: Tensor<4>, norm: &GroupNorm) -> (Tensor<2>, Tensor<2>) {
    let [batch, channels, height, width] = x.dims();
    let per_group = channels / norm.num_groups;
    let x = x.reshape([batch, norm.num_groups, per_group * height * width]);
    let mean = x.clone().mean_dim(2);
    let variance = (x - mean.clone()).square().mean_dim(2);
    let inverse = variance.add_scalar(norm.epsilon).sqrt().recip();
    let spread = |t: Tensor<3>| t.expand([batch, norm.num_groups, per_group]).reshape([batch, channels]);
    let (mean, inverse) = (spread(mean), spread(inverse));
    let weight = norm.gamma.as_ref().map(|weight| weight.val().cast(DType::F32).unsqueeze::<2>());
    let bias = norm.beta.as_ref().map(|bias| bias.val().cast(DType::F32).unsqueeze::<2>());
    let a = match weight {
        Some(weight) => inverse * weight,
        None => inverse,
    };
    let b = mean.neg() * a.clone();
    let b = match bias {
        Some(bias) => b + bias,
        None => b,
    };
    (a, b)
}
