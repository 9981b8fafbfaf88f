//! Convolution under automatic differentiation, on the CPU: the fused one forward, and products of the same unfolded columns
//! backward. burn's own backward pass would write whole unfolded pictures to memory, and multiply them in thin slices.

use super::conv::{Sizes, for_each_tile, product, threads};
use super::{Differentiated, Primitive, Values, dense, differentiated};
use burn::backend::Flex;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::tensor::Tensor;
use gemm::gemm;

/// As [`convolve`](super::convolve), for tensors in automatic differentiation; none where they are not all so, in f32 on the
/// CPU.
pub(super) fn convolve(x: &Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Option<Tensor<4>> {
    let sizes = Sizes::of(x.dims(), weight.dims());
    let x = differentiated(x.clone())?;
    let (weight, bias) = (differentiated(weight)?, differentiated(bias?)?);
    let [nodes_x, nodes_weight, nodes_bias] = [x.node(), weight.node(), bias.node()];
    let values = [x.into_primitive(), weight.into_primitive(), bias.into_primitive()].map(Values::dense);
    let [x, weight, bias] = &values;
    let out = product(x.slice(), weight.slice(), Some(bias.slice()), sizes);
    let out = dense(out, sizes.output());
    let [x, weight, _] = values;
    let prepared =
        Convolution.prepare::<NoCheckpointing>([nodes_x, nodes_weight, nodes_bias]).compute_bound().stateful();
    let out = match prepared {
        OpsKind::Tracked(prepared) => prepared.finish((x.0, weight.0, sizes), out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    };
    Some(Tensor::from_primitive::<Differentiated>(out))
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    type State = (Primitive, Primitive, Sizes);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_x, of_weight, of_bias] = ops.parents;
        let (x, weight, sizes) = ops.state;
        let (x, weight) = (Values::dense(x), Values::dense(weight));
        let gradient = Values::dense(gradients.consume::<Flex>(&ops.node));
        let Sizes { batch, inputs, outputs, height, width, kernel } = sizes;
        if let Some(node) = of_x {
            // Every pixel gives to those that looked at it: a convolution with the kernels turned round.
            let back = Sizes { inputs: outputs, outputs: inputs, ..sizes };
            let values = product(gradient.slice(), &turned(weight.slice(), sizes), None, back);
            gradients.register::<Flex>(node.id, dense(values, [batch, inputs, height, width]));
        }
        if let Some(node) = of_weight {
            let values = weight_gradient(x.slice(), gradient.slice(), sizes);
            gradients.register::<Flex>(node.id, dense(values, [outputs, inputs, kernel, kernel]));
        }
        if let Some(node) = of_bias {
            let mut sums = vec![0.0f64; outputs];
            let planes = gradient.slice().chunks_exact(sizes.pixels());
            for (plane, index) in planes.zip((0..outputs).cycle()) {
                sums[index] += plane.iter().map(|&value| f64::from(value)).sum::<f64>();
            }
            gradients.register::<Flex>(node.id, dense(sums.into_iter().map(|sum| sum as f32).collect(), [outputs]));
        }
    }
}

/// `[out, in, kernel, kernel]` to `[in, out, kernel, kernel]` with every kernel turned by 180°.
fn turned(weight: &[f32], sizes: Sizes) -> Vec<f32> {
    let Sizes { inputs, outputs, kernel, .. } = sizes;
    let window = kernel * kernel;
    let mut turned = Vec::with_capacity(weight.len());
    for input in 0..inputs {
        for output in 0..outputs {
            turned.extend(weight[(output * inputs + input) * window..][..window].iter().rev());
        }
    }
    turned
}

/// `[out, in · kernel · kernel]`: the product of each tile's gradients with its windows.
fn weight_gradient(x: &[f32], gradient: &[f32], sizes: Sizes) -> Vec<f32> {
    let (outputs, pixels, depth) = (sizes.outputs, sizes.pixels(), sizes.depth());
    assert!(gradient.len() == sizes.batch * outputs * pixels);
    let mut out = vec![0.0; outputs * depth];
    for_each_tile(x, sizes, |entry, first, count, columns| {
        let gradient = &gradient[entry * outputs * pixels + first..];
        assert!(gradient.len() >= (outputs - 1) * pixels + count && columns.len() == depth * count);
        let (to, left, right) = (out.as_mut_ptr(), gradient.as_ptr(), columns.as_ptr());
        let [out_row, left_row, right_column] = [depth, pixels, count].map(|row| row as isize);
        // SAFETY: the assertions say that all rows of `gradient` and `columns` lie inside the slices, and `out` was made in its
        // size; it is borrowed mutably and so overlaps neither of the others.
        unsafe {
            gemm(
                outputs,
                depth,
                count,
                to,
                1,
                out_row,
                true,
                left,
                1,
                left_row,
                right,
                right_column,
                1,
                1.0,
                1.0,
                false,
                false,
                false,
                threads(),
            );
        }
    });
    out
}
