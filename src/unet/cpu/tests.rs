//! The fused operations against burn's, over random shapes.

use super::{convolve, normalise};
use crate::unet::architecture::Activation;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNormConfig, PaddingConfig2d};
use burn::tensor::{DType, Device, Distribution, Tensor};
use proptest::prelude::*;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.3, 1.5), &Device::flex())
}

fn layer(channels: [usize; 2], kernel: usize, bias: bool) -> Conv2d {
    let border = kernel / 2;
    let config = Conv2dConfig::new(channels, [kernel, kernel]).with_bias(bias);
    config.with_padding(PaddingConfig2d::Explicit(border, border, border, border)).init(&Device::flex())
}

/// The largest difference, relative to the root mean square of what is expected.
fn error(given: Tensor<4>, expected: Tensor<4>) -> f32 {
    let values = |t: Tensor<4>| t.into_data().try_into_vec::<f32>().unwrap();
    let (given, expected) = (values(given), values(expected));
    assert_eq!(given.len(), expected.len());
    let square = expected.iter().map(|x| x * x).sum::<f32>() / expected.len() as f32;
    given.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / square.sqrt()
}

/// Group norm by burn's own layer, which shares nothing with ours.
fn reference(x: Tensor<4>, groups: usize, scale_shift: Option<(Tensor<2>, Tensor<2>)>) -> Tensor<4> {
    let [batch, channels, _, _] = x.dims();
    let y = GroupNormConfig::new(groups, channels).with_epsilon(1e-5).init(&Device::flex()).forward(x);
    match scale_shift {
        Some((scale, shift)) => {
            let shape = [batch, channels, 1, 1];
            y * scale.add_scalar(1.0).reshape(shape) + shift.reshape(shape)
        }
        None => y,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn convolutions(
        batch in 1usize..3, inputs in 1usize..40, outputs in 1usize..40, height in 1usize..20, width in 1usize..20,
        border in 0usize..3, bias: bool,
    ) {
        let (x, layer) = (random([batch, inputs, height, width]), layer([inputs, outputs], 2 * border + 1, bias));
        let given = convolve(&x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val())).unwrap();
        let error = error(given, layer.forward(x));
        prop_assert!(error <= 1e-5, "{error}");
    }

    #[test]
    fn norms(
        batch in 1usize..3, groups in 1usize..5, per_group in 1usize..5, height in 1usize..20, width in 2usize..20,
        scaled: bool, activation in prop::option::of(prop::sample::select(vec![Activation::Relu, Activation::Silu, Activation::Gelu])),
    ) {
        let channels = groups * per_group;
        let x = random([batch, channels, height, width]);
        let scale_shift = scaled.then(|| (random([batch, channels]), random([batch, channels])));
        let norm = GroupNormConfig::new(groups, channels).with_epsilon(1e-5).init(&Device::flex());
        let given = normalise(&x, &norm, scale_shift.as_ref(), activation).unwrap();
        let expected = reference(x, groups, scale_shift);
        let expected = activation.map_or(expected.clone(), |activation| activation.forward(expected));
        let error = error(given, expected);
        prop_assert!(error <= 1e-5, "{error}");
    }
}

/// With gradients: what `f` gives, and what its gradient is for each of the tensors that it is given.
#[cfg(feature = "train")]
fn pulled<const N: usize>(inputs: [Tensor<4>; N], f: impl Fn(&[Tensor<4>; N]) -> Tensor<4>) -> Vec<Tensor<4>> {
    let inputs = inputs.map(|input| input.autodiff().require_grad());
    let out = f(&inputs);
    // Weights that differ from place to place, so that every value's gradient counts.
    let count = out.shape().num_elements();
    let weights = Tensor::<1, burn::tensor::Int>::arange(0..count as i64, &Device::flex()).float().sin();
    let weights = weights.reshape(out.dims()).autodiff();
    let gradients = (out.clone() * weights).sum().backward();
    let of = inputs.iter().map(|input| input.grad(&gradients).expect("it has a gradient"));
    std::iter::once(out.without_autodiff()).chain(of).collect()
}

#[cfg(feature = "train")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn gradients_of_convolutions(
        batch in 1usize..3, inputs in 1usize..40, outputs in 1usize..40, height in 1usize..20, width in 1usize..20,
        border in 0usize..3,
    ) {
        let (x, layer) = (random([batch, inputs, height, width]), layer([inputs, outputs], 2 * border + 1, true));
        let bias = layer.bias.as_ref().unwrap().val().reshape([1, outputs, 1, 1]);
        let given = [x, layer.weight.val(), bias];
        let flat = |bias: &Tensor<4>| bias.clone().reshape([outputs]);
        let ours = pulled(given.clone(), |[x, weight, bias]| convolve(x, weight.clone(), Some(flat(bias))).unwrap());
        let options = burn::tensor::ops::ConvOptions::new([1, 1], [border, border], [1, 1], 1);
        let theirs = pulled(given, |[x, weight, bias]| {
            burn::tensor::module::conv2d(x.clone(), weight.clone(), Some(flat(bias)), options.clone())
        });
        for (index, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            // A bias's gradient may be a small difference of large sums.
            let error = error(ours, theirs);
            prop_assert!(error <= 2e-4, "{index}: {error}");
        }
    }

    #[test]
    fn gradients_of_norms(
        batch in 1usize..3, groups in 1usize..5, per_group in 1usize..5, height in 1usize..20, width in 4usize..20,
        scaled: bool, activation in prop::option::of(prop::sample::select(vec![Activation::Silu, Activation::Gelu])),
    ) {
        let channels = groups * per_group;
        let given = [random([batch, channels, height, width]), random([1, channels, 1, 1]), random([1, channels, 1, 1]),
            random([batch, channels, 1, 1]), random([batch, channels, 1, 1])];
        let ours = pulled(given.clone(), |[x, gamma, beta, scale, shift]| {
            let mut norm = GroupNormConfig::new(groups, channels).with_epsilon(1e-5).init(&Device::flex());
            let param = |t: &Tensor<4>| Some(burn::module::Param::initialized(burn::module::ParamId::new(), t.clone().reshape([channels])));
            (norm.gamma, norm.beta) = (param(gamma), param(beta));
            let rows = |t: &Tensor<4>| t.clone().reshape([batch, channels]);
            // Without, they still take part, so that both sides have the same gradients.
            let (y, rest) = match scaled {
                true => (normalise(x, &norm, Some(&(rows(scale), rows(shift))), activation), None),
                false => (normalise(x, &norm, None, activation), Some(scale.clone() + shift.clone())),
            };
            rest.map_or(y.clone().unwrap(), |rest| y.unwrap() + rest)
        });
        let theirs = pulled(given, |[x, gamma, beta, scale, shift]| {
            let grouped = x.clone().reshape([batch, groups, per_group * height * width, 1]);
            let mean = grouped.clone().mean_dim(2);
            let centred = grouped - mean;
            let deviation = centred.clone().square().mean_dim(2).add_scalar(1e-5).sqrt();
            let y = (centred / deviation).reshape(x.dims()) * gamma.clone() + beta.clone();
            let activate = |y: Tensor<4>| activation.map_or(y.clone(), |activation| activation.forward(y));
            match scaled {
                true => activate(y * scale.clone().add_scalar(1.0) + shift.clone()),
                false => activate(y) + (scale.clone() + shift.clone()),
            }
        });
        for (index, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
            // Some gradients are small differences of large sums: what counts is the size of the whole.
            let error = error(ours, theirs);
            prop_assert!(error <= 2e-4, "{index}: {error}");
        }
    }
}

#[test]
fn pictures_of_several_tiles() {
    let (x, layer) = (random([2, 70, 37, 41]), layer([70, 33], 3, true));
    let given = convolve(&x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val())).unwrap();
    let error = error(given, layer.forward(x));
    assert!(error <= 1e-5, "{error}");
}

#[test]
fn views_are_read_in_their_order() {
    let (x, layer) = (random([1, 9, 6, 8]), layer([8, 4], 3, false));
    let view = x.slice([0..1, 1..9, 0..6, 0..8]).permute([0, 1, 3, 2]);
    let error = error(convolve(&view, layer.weight.val(), None).unwrap(), layer.forward(view));
    assert!(error <= 1e-5, "{error}");
}

#[test]
fn other_types_are_left_to_burn() {
    let layer = layer([3, 4], 3, false);
    assert!(convolve(&random([1, 3, 4, 4]).cast(DType::F64), layer.weight.val(), None).is_none());
    assert!(convolve(&random([1, 3, 0, 4]), layer.weight.val(), None).is_none());
}
