//! The convolution kernel against burn on odd shapes.

use super::*;
use crate::gpu::testing::{HALF, TestWeights, assert_close, run, run_in_half, run_on, small_device, values};
use crate::weights::BlockFormat;
use burn::tensor::module::{conv2d, interpolate};
use burn::tensor::ops::{ConvOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor as Burn, TensorData, activation};

type Dims = [usize; 4];

/// A channels-last array as burn's channels-first tensor.
fn picture(values: &[f32], shape: Dims) -> Burn<4> {
    Burn::from_data(TensorData::new(values.to_vec(), shape), &Device::flex()).permute([0, 3, 1, 2])
}

fn channels_last(x: Burn<4>) -> Vec<f32> {
    x.permute([0, 2, 3, 1]).into_data().try_to_vec().unwrap()
}

/// A case: batch, height, width, channels of both inputs, outputs, window, stride, upsample.
#[derive(Clone, Copy, Debug)]
struct Case {
    n: u32,
    h: u32,
    w: u32,
    c1: u32,
    c2: u32,
    out: u32,
    kernel: u32,
    stride: u32,
    upsample: bool,
}

fn case(n: u32, [h, w]: [u32; 2], [c1, c2]: [u32; 2], out: u32, kernel: u32, stride: u32, upsample: bool) -> Case {
    Case { n, h, w, c1, c2, out, kernel, stride, upsample }
}

/// Runs a case with everything fused that `fused` allows and compares with burn.
fn check(case: Case, format: BlockFormat, fused: Option<(Activation, bool)>) {
    let Case { n, h, w, c1, c2, out, kernel, stride, upsample } = case;
    let dims = |c: u32| [n as usize, h as usize, w as usize, c as usize];
    let channels = c1 + c2;
    let mut weights = TestWeights::new();
    let columns = (kernel * kernel * channels) as usize;
    let stored = weights.random("w", &[out as usize, columns], format);
    let bias = weights.random("b", &[out as usize], BlockFormat::F32);
    let first = values(1, dims(c1).iter().product());
    let second = values(2, dims(c2).iter().product());
    let affine = values(3, (n * 2 * channels) as usize);

    let mut x = picture(&first, dims(c1));
    if c2 > 0 {
        x = Burn::cat(vec![x, picture(&second, dims(c2))], 1);
    }
    if let Some((kind, _)) = fused {
        let affine = picture(&affine, [n as usize, 1, 2, channels as usize]);
        let (a, b) = (affine.clone().narrow(3, 0, 1), affine.narrow(3, 1, 1));
        x = x * a + b;
        x = if kind == Activation::Gelu { activation::gelu(x) } else { activation::silu(x) };
    }
    if upsample {
        let size = [2 * h as usize, 2 * w as usize];
        let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
        x = interpolate(x, InterpolateOptions { output_size: Some(size), ..nearest });
    }
    let side = kernel as usize;
    let kernels = picture(&stored, [out as usize, side, side, channels as usize]);
    let (stride_, padding) = (stride as usize, side / 2);
    let options = ConvOptions::new([stride_; 2], [padding; 2], [1; 2], 1);
    let vector = Burn::<1>::from_data(TensorData::new(bias, [out as usize]), &Device::flex());
    let mut y = conv2d(x, kernels, fused.map(|_| vector), options);
    let [_, _, height, width] = y.dims();
    let broadcast = fused.is_some_and(|(_, broadcast)| broadcast);
    let residual_dims =
        if broadcast { [n as usize, 1, 1, out as usize] } else { [n as usize, height, width, out as usize] };
    let residual = values(4, residual_dims.iter().product());
    if fused.is_some() {
        y = (y + picture(&residual, residual_dims)) * 0.7;
    }

    let shape = |[n, h, w, c]: Dims| Shape::image(n as u32, h as u32, w as u32, c as u32);
    let mut inputs: Vec<(Shape, &[f32])> =
        vec![(shape(dims(c1)), &first), (Shape::vector(n, 2 * channels), &affine), (shape(residual_dims), &residual)];
    if c2 > 0 {
        inputs.push((shape(dims(c2)), &second));
    }
    let build = |b: &mut PlanBuilder, t: &[Tensor]| {
        let mut conv = Conv { stride, upsample, second: t.get(3).copied(), ..Conv::new("w", kernel) };
        if let Some((activation, _)) = fused {
            conv.norm = Some(Norm { affine: t[1], activation });
            (conv.bias, conv.residual, conv.scale) = (Some("b"), Some(t[2]), 0.7);
        }
        b.conv(t[0], conv)
    };
    let expected = channels_last(y);
    let actual = run(&weights, &inputs, build);
    assert_close(&actual.unwrap_or_else(|error| panic!("{case:?}: {error}")), &expected, 3e-5);
    if let Some(half) = run_in_half(&weights, &inputs, build) {
        assert_close(&half, &expected, HALF);
    }
}

#[test]
fn all_formats() {
    for format in BlockFormat::ALL {
        // Channels of which the taps, and of which both inputs together, are whole blocks.
        let blocks = format.block_values().max(32) as u32;
        check(case(2, [5, 7], [blocks, 0], 19, 3, 1, false), format, None);
        check(case(1, [9, 4], [blocks / 2, blocks * 5 / 2], 40, 1, 1, false), format, Some((Activation::Silu, false)));
    }
}

#[test]
fn odd_channels() {
    check(case(1, [6, 5], [3, 0], 5, 3, 1, false), BlockFormat::F32, None);
    check(case(2, [6, 5], [3, 6], 7, 3, 1, false), BlockFormat::F16, Some((Activation::Gelu, false)));
    check(case(3, [3, 3], [12, 4], 70, 3, 1, false), BlockFormat::F16, Some((Activation::Silu, true)));
    check(case(1, [1, 1], [5, 0], 1, 1, 1, false), BlockFormat::F32, Some((Activation::Gelu, false)));
}

#[test]
fn strides_and_upsampling() {
    check(case(1, [8, 8], [16, 0], 24, 3, 2, false), BlockFormat::F16, Some((Activation::Silu, true)));
    check(case(2, [7, 9], [6, 0], 9, 3, 2, false), BlockFormat::F32, None);
    check(case(2, [5, 3], [8, 4], 17, 3, 1, true), BlockFormat::F16, Some((Activation::Gelu, true)));
    check(case(4, [4, 4], [5, 0], 8, 3, 1, true), BlockFormat::F32, Some((Activation::Gelu, false)));
}

#[test]
fn large_windows_and_pictures() {
    check(case(1, [20, 17], [4, 0], 6, 15, 1, false), BlockFormat::F16, None);
    check(case(1, [12, 13], [3, 0], 6, 7, 2, false), BlockFormat::F16, None);
    check(case(1, [64, 61], [8, 0], 64, 3, 1, false), BlockFormat::F16, None);
}

#[test]
fn a_weight_in_slabs() {
    let mut weights = TestWeights::new();
    let stored = weights.random("w", &[50, 9 * 32], BlockFormat::Q8_0);
    let x = values(1, 4 * 4 * 32);
    let shape = Shape::image(1, 4, 4, 32);
    let conv = |b: &mut PlanBuilder, t: &[Tensor]| Ok(vec![("y", b.conv(t[0], Conv::new("w", 3))?)]);
    let y = run_on(&small_device(4096), &weights, &[(shape, &x)], None, conv).unwrap();
    let options = ConvOptions::new([1; 2], [1; 2], [1; 2], 1);
    let expected = conv2d(picture(&x, [1, 4, 4, 32]), picture(&stored, [50, 3, 3, 32]), None, options);
    assert_close(&y["y"], &channels_last(expected), 3e-5);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut weights = TestWeights::new();
    weights.random("w", &[4, 9 * 2], BlockFormat::F32);
    let x = vec![0.0; 2 * 4];
    let attempt = |conv: &dyn Fn(Tensor) -> Conv<'static>| {
        run(&weights, &[(Shape::image(1, 2, 2, 2), &x)], |b, t| b.conv(t[0], conv(t[0])))
    };
    assert!(attempt(&|_| Conv::new("w", 3)).is_ok());
    assert!(matches!(attempt(&|_| Conv::new("v", 3)), Err(GpuError::MissingWeight { .. })));
    assert!(matches!(attempt(&|_| Conv::new("w", 1)), Err(GpuError::WeightShape { .. })));
    assert!(matches!(attempt(&|_| Conv { padding: 0, ..Conv::new("w", 3) }), Err(GpuError::Shape { .. })));
    assert!(matches!(attempt(&|_| Conv::new("w", 2)), Err(GpuError::Shape { .. })));
    assert!(matches!(attempt(&|_| Conv { stride: 0, ..Conv::new("w", 3) }), Err(GpuError::Shape { .. })));
    assert!(matches!(attempt(&|x| Conv { residual: Some(x), ..Conv::new("w", 3) }), Err(GpuError::Shape { .. })));
}
