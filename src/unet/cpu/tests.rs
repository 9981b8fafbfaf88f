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
