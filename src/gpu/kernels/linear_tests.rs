//! The linear kernels against burn on odd shapes.

use super::*;
use crate::gpu::testing::{HALF, TestWeights, assert_close, device, run, run_in_half, run_on, small_device, values};
use crate::weights::BlockFormat;
use burn::tensor::{Device, Tensor as Burn, TensorData, activation};

/// Rows × columns as a burn tensor.
fn matrix(values: &[f32], rows: usize) -> Burn<2> {
    Burn::from_data(TensorData::new(values.to_vec(), [rows, values.len() / rows]), &Device::flex())
}

fn activated(kind: Activation, x: Burn<2>) -> Burn<2> {
    match kind {
        Activation::None => x,
        Activation::Relu => activation::relu(x),
        Activation::Silu => activation::silu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::GeluTanh => activation::gelu_approximate(x),
    }
}

#[test]
fn all_formats_and_odd_shapes() {
    for format in BlockFormat::ALL {
        let block = format.block_values() as u32;
        let shapes = [(3, 17, 2), (40, 65, 5), (1, 3, 1), (8, 33, 5), (9, 16, 3), (77, 130, 4), (200, 70, 7)];
        // The shapes with one format, the formats with two shapes: one for each kernel.
        let shapes = if format == BlockFormat::F16 { &shapes[..] } else { &shapes[..2] };
        for &(m, n, k) in shapes {
            let k = if block == 1 { k * 9 } else { k * block };
            let mut weights = TestWeights::new();
            let w = weights.random("w", &[n as usize, k as usize], format);
            let x = values(m, (m * k) as usize);
            let inputs: [(Shape, &[f32]); 1] = [(Shape::tokens(1, m, k), &x)];
            let build = |b: &mut PlanBuilder, x: &[Tensor]| b.linear(x[0], Linear::new("w"));
            let y = run(&weights, &inputs, build).unwrap();
            let expected = matrix(&x, m as usize).matmul(matrix(&w, n as usize).transpose());
            let expected = expected.into_data().try_to_vec::<f32>().unwrap();
            assert_close(&y, &expected, 2e-5);
            if let Some(half) = run_in_half(&weights, &inputs, build) {
                assert_close(&half, &expected, HALF);
                assert_eq!(m <= FEW, half == y, "many rows are multiplied in half precision, few are not");
            }
        }
    }
}

#[test]
fn everything_fused() {
    let kinds = [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh];
    let shapes = [(1, 4, 5, 64), (2, 3, 19, 36), (3, 21, 66, 30), (4, 17, 32, 64), (2, 3, 7, 10)];
    for (i, &kind) in kinds.iter().enumerate() {
        // Each kind on both kernels.
        for &(batch, tokens, n, k) in [&shapes[i..=i], &shapes[(i + 2) % 5..(i + 2) % 5 + 1]].into_iter().flatten() {
            let (rows, mut weights) = ((batch * tokens) as usize, TestWeights::new());
            let w = weights.random("w", &[n as usize, k as usize], BlockFormat::F16);
            let bias = weights.random("bias", &[n as usize], BlockFormat::F32);
            let (x, affine) = (values(1, rows * k as usize), values(2, (batch * 2 * k) as usize));
            let (gate, residual) = (values(3, rows * n as usize), values(4, rows * n as usize));
            let input_kind = kinds[(i + 1) % 4];
            let out = Shape::tokens(batch, tokens, n);
            let inputs: [(Shape, &[f32]); 4] = [
                (Shape::tokens(batch, tokens, k), &x),
                (Shape::vector(batch, 2 * k), &affine),
                (out, &gate),
                (out, &residual),
            ];
            let y = run(&weights, &inputs, |b, t| {
                let norm = Some(Norm { affine: t[1], activation: input_kind });
                let (gate, residual) = (Some(t[2]), Some(t[3]));
                let linear = Linear {
                    bias: Some("bias"),
                    norm,
                    activation: kind,
                    gate,
                    residual,
                    scale: 0.7,
                    ..Linear::new("w")
                };
                b.linear(t[0], linear)
            });
            let normed: Vec<f32> = x
                .iter()
                .enumerate()
                .map(|(at, x)| {
                    let (entry, column) = (at / (tokens * k) as usize, at % k as usize);
                    let a = affine[entry * 2 * k as usize + column];
                    a * x + affine[(entry * 2 + 1) * k as usize + column]
                })
                .collect();
            let expected = activated(input_kind, matrix(&normed, rows)).matmul(matrix(&w, n as usize).transpose());
            let expected = activated(kind, expected + matrix(&bias, 1)) * matrix(&gate, rows);
            let expected = (expected + matrix(&residual, rows)) * 0.7;
            assert_close(&y.unwrap(), &expected.into_data().try_to_vec::<f32>().unwrap(), 2e-5);
        }
    }
}

#[test]
fn a_weight_in_slabs() {
    // A device whose bindings are so small that the weight needs several buffers.
    let device = small_device(8192);
    for (i, format) in BlockFormat::ALL.into_iter().enumerate() {
        // Few rows and many.
        let m = [2, 6][i % 2];
        let k = 96.max(format.block_values());
        let mut weights = TestWeights::new();
        let w = weights.random("w", &[300, k], format);
        let x = values(5, m as usize * k);
        let bias = weights.random("b", &[300], BlockFormat::F32);
        let shape = Shape::tokens(1, m, k as u32);
        let y = run_on(&device, &weights, &[(shape, &x)], None, |b, x| {
            Ok(vec![("y", b.linear(x[0], Linear { bias: Some("b"), ..Linear::new("w") })?)])
        });
        let expected = matrix(&x, m as usize).matmul(matrix(&w, 300).transpose()) + matrix(&bias, 1);
        assert_close(&y.unwrap()["y"], &expected.into_data().try_to_vec::<f32>().unwrap(), 2e-5);
    }
}

#[test]
fn a_weight_in_several_pieces() {
    // Files are read in pieces of 16 MiB; a slab boundary lies inside one.
    let (n, k) = (4200, 2048);
    let mut weights = TestWeights::new();
    let w = weights.random("w", &[n, k], BlockFormat::F16);
    let x = values(6, 2 * k);
    for device in [device(), small_device(7 << 20)] {
        let shape = Shape::tokens(1, 2, k as u32);
        let y =
            run_on(&device, &weights, &[(shape, &x)], None, |b, x| Ok(vec![("y", b.linear(x[0], Linear::new("w"))?)]));
        let expected = matrix(&x, 2).matmul(matrix(&w, n).transpose());
        assert_close(&y.unwrap()["y"], &expected.into_data().try_to_vec::<f32>().unwrap(), 2e-5);
    }
}

#[test]
fn gelu_is_exact_to_a_millionth() {
    let mut weights = TestWeights::new();
    weights.add("one", &[1, 1], BlockFormat::F32, &[1.0]);
    let x: Vec<f32> = (-4000..4000).map(|i| i as f32 / 400.0).collect();
    for kind in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
        let shape = Shape::tokens(1, x.len() as u32, 1);
        let y = run(&weights, &[(shape, &x)], |b, x| b.linear(x[0], Linear { activation: kind, ..Linear::new("one") }));
        for (x, y) in x.iter().zip(y.unwrap()) {
            let v = f64::from(*x);
            let expected = match kind {
                Activation::Gelu => 0.5 * v * libm::erfc(-v / std::f64::consts::SQRT_2),
                Activation::GeluTanh => {
                    0.5 * v * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v.powi(3))).tanh())
                }
                _ => v / (1.0 + (-v).exp()),
            };
            assert!((f64::from(y) - expected).abs() < 1e-6, "{kind:?}({x}) = {y}, expected {expected}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut weights = TestWeights::new();
    weights.random("w", &[4, 8], BlockFormat::F32);
    let x = vec![0.0; 24];
    let attempt = |linear: Linear<'_>, width: u32| {
        let shape = Shape::tokens(1, 24 / width, width);
        run_on(&device(), &weights, &[(shape, &x)], None, |b, t| {
            let residual = linear.residual.map(|_| t[0]);
            Ok(vec![("y", b.linear(t[0], Linear { residual, ..linear })?)])
        })
    };
    assert!(matches!(attempt(Linear::new("v"), 8), Err(GpuError::MissingWeight { tensor }) if tensor == "v"));
    assert!(matches!(attempt(Linear::new("w"), 6), Err(GpuError::WeightShape { .. })));
    assert!(matches!(attempt(Linear { bias: Some("w"), ..Linear::new("w") }, 8), Err(GpuError::WeightShape { .. })));
    let x_as_residual = |b: &mut PlanBuilder, x: Tensor| b.linear(x, Linear { residual: Some(x), ..Linear::new("w") });
    let shape = Shape::tokens(1, 3, 8);
    assert!(matches!(run(&weights, &[(shape, &x)], |b, t| x_as_residual(b, t[0])), Err(GpuError::Shape { .. })));
}

/// Attention over queries, keys and values from one product, or from three.
fn attended(b: &mut PlanBuilder, x: Tensor, together: bool) -> Result<Tensor, GpuError> {
    let layers = ["q", "k", "v"].map(|name| Linear { bias: Some("bias"), ..Linear::new(name) });
    let projected = if together {
        b.linears(x, &layers)?
    } else {
        layers.iter().map(|&layer| b.linear(x, layer)).collect::<Result<_, _>>()?
    };
    let keys = [(projected[1], projected[2])];
    b.attention(
        projected[0],
        crate::gpu::kernels::Attention { keys: &keys, heads: 2, scale: 0.5, bias: None, mask: None },
    )
}

#[test]
fn layers_of_one_input_are_one_product() {
    // Many rows and few, a stack in slabs (F32), and a width that does not go together.
    for (format, tokens, width) in [
        (BlockFormat::F32, 19, 24),
        (BlockFormat::Q8_0, 19, 24),
        (BlockFormat::Q4_0, 3, 8),
        (BlockFormat::F16, 10, 8),
        (BlockFormat::F16, 10, 6),
        (BlockFormat::Bf16, 3, 24),
        (BlockFormat::Q5_0, 19, 8),
        (BlockFormat::Q4K, 5, 24),
        (BlockFormat::Q5K, 3, 8),
        (BlockFormat::Q6K, 5, 24),
    ] {
        let columns = 64.max(format.block_values());
        let mut weights = TestWeights::new();
        for name in ["q", "k", "v"] {
            weights.random(name, &[width, columns], format);
        }
        weights.random("bias", &[width], BlockFormat::F32);
        let x = values(1, 2 * tokens as usize * columns);
        let inputs: [(Shape, &[f32]); 1] = [(Shape::tokens(2, tokens, columns as u32), &x)];
        let mut results = Vec::new();
        for device in [device(), small_device(11 << 10)] {
            let both = run_on(&device, &weights, &inputs, None, |b, x| {
                Ok(vec![("one", attended(b, x[0], true)?), ("three", attended(b, x[0], false)?)])
            });
            results.extend(both.unwrap().into_values());
        }
        for result in &results[1..] {
            assert_close(result, &results[0], 1e-6);
        }
    }
}

#[test]
fn biases_of_different_formats_are_not_forgotten() {
    let mut weights = TestWeights::new();
    for name in ["a", "b"] {
        weights.random(name, &[8, 64], BlockFormat::F32);
    }
    weights.random("a.bias", &[8], BlockFormat::F32);
    weights.random("b.bias", &[8], BlockFormat::F16);
    let mut b = PlanBuilder::new(&weights.index(), &wgpu::Limits::default());
    let x = b.input("x", Shape::tokens(1, 9, 64)).unwrap();
    let layers = [("a", "a.bias"), ("b", "b.bias")].map(|(w, bias)| Linear { bias: Some(bias), ..Linear::new(w) });
    let y = b.linears(x, &layers).unwrap();
    b.output("y", y[0]);
    let plan = b.finish().unwrap();
    assert_eq!(plan.dispatches("step"), 2);
    assert!(plan.uses("a.bias") && plan.uses("b.bias"));
}

#[test]
fn the_joint_product_saves_dispatches() {
    let mut weights = TestWeights::new();
    for name in ["q", "k", "v", "bias"] {
        weights.random(name, if name == "bias" { &[8] } else { &[8, 64] }, BlockFormat::F32);
    }
    let dispatches = |together| {
        let mut b = PlanBuilder::new(&weights.index(), &wgpu::Limits::default());
        let x = b.input("x", Shape::tokens(1, 9, 64)).unwrap();
        let y = attended(&mut b, x, together).unwrap();
        b.output("y", y);
        b.finish().unwrap().dispatches("step")
    };
    assert_eq!((dispatches(true), dispatches(false)), (2, 4));
}

#[test]
fn a_part_is_refused_where_a_whole_tensor_is_needed() {
    let mut weights = TestWeights::new();
    for name in ["a", "b"] {
        weights.random(name, &[64, 64], BlockFormat::F32);
    }
    let mut b = PlanBuilder::new(&weights.index(), &wgpu::Limits::default());
    let x = b.input("x", Shape::tokens(1, 9, 64)).unwrap();
    let parts = b.linears(x, &[Linear::new("a"), Linear::new("b")]).unwrap();
    assert!(matches!(b.linear(parts[1], Linear::new("a")), Err(GpuError::Shape { op: "linear", .. })));
    b.output("y", parts[0]);
    assert!(matches!(b.finish(), Err(GpuError::Shape { op: "output", .. })));
}
