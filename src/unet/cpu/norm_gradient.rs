//! Group norm with what follows it under automatic differentiation, on the CPU: as one operation it keeps its input and two numbers per
//! group for the way back; as burn's operations it would keep and walk through some twenty tensors of the picture's size.
//!
//! With x̂ = (x − mean) / deviation of a group, the output is f(a · x̂ + b) per channel, where a = gamma · (1 + scale) and
//! b = beta · (1 + scale) + shift. Backward, g is the gradient before f; the gradient of x is (a · g − mean(a · g) −
//! x̂ · mean(a · g · x̂)) / deviation, the means over the group.

use super::lanes::Affine;
use super::norm::statistics;
use super::slopes::{Pull, Spread};
use super::{Differentiated, Primitive, Values, dense, differentiated, for_each_chunk};
use crate::unet::architecture::Activation;
use crate::unet::norm::ScaleShift;
use burn::backend::Flex;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::nn::GroupNorm;
use burn::tensor::Tensor;
use rayon::prelude::*;

/// As [`normalise`](super::normalise), for tensors in automatic differentiation; none where they are not all in f32 on the
/// CPU, or the norm has no weights.
pub(super) fn normalise(
    x: &Tensor<4>,
    norm: &GroupNorm,
    scale_shift: Option<&ScaleShift>,
    activation: Option<Activation>,
) -> Option<Tensor<4>> {
    let [batch, channels, height, width] = x.dims();
    let x = differentiated(x.clone())?;
    let row = |weight: Tensor<1>| weight.unsqueeze::<2>().expand([batch, channels]);
    let (mut a, mut b) = (row(norm.gamma.as_ref()?.val()), row(norm.beta.as_ref()?.val()));
    if let Some((scale, shift)) = scale_shift {
        let scale = scale.clone().add_scalar(1.0);
        a = a * scale.clone();
        b = b * scale + shift.clone();
    }
    let (a, b) = (differentiated(a)?, differentiated(b)?);
    let nodes = [x.node(), a.node(), b.node()];
    let [x, a, b] = [x.into_primitive(), a.into_primitive(), b.into_primitive()].map(Values::dense);
    let sizes = Sizes { pixels: height * width, per_group: channels / norm.num_groups };
    let groups = statistics_of_all(x.slice(), sizes, norm.epsilon);
    let mut out = vec![0.0; x.slice().len()];
    for_each_chunk(&mut out, sizes.group(), |group, out| {
        let x = &x.slice()[group * sizes.group()..][..out.len()];
        let planes = x.chunks_exact(sizes.pixels).zip(out.chunks_exact_mut(sizes.pixels));
        for (index, (x, out)) in planes.enumerate() {
            let (a, b) = groups[group].affine(a.slice(), b.slice(), group * sizes.per_group + index);
            Affine { x, a, b, activation, out }.run();
        }
    });
    let out = dense(out, [batch, channels, height, width]);
    let out = match Norm.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let state = State { x: x.0, a: a.0, b: b.0, groups, sizes, activation };
            prepared.finish(state, out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    };
    Some(Tensor::from_primitive::<Differentiated>(out))
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    pixels: usize,
    /// Channels of a group.
    per_group: usize,
}

impl Sizes {
    /// Values of a group.
    fn group(&self) -> usize {
        self.pixels * self.per_group
    }
}

/// Mean and inverse deviation of a group.
#[derive(Clone, Copy, Debug)]
struct Statistics {
    mean: f64,
    inverse: f64,
}

impl Statistics {
    /// The norm of a plane and what follows as one multiplication and one addition.
    fn affine(&self, a: &[f32], b: &[f32], plane: usize) -> (f32, f32) {
        let factor = f64::from(a[plane]) * self.inverse;
        (factor as f32, (f64::from(b[plane]) - self.mean * factor) as f32)
    }
}

fn statistics_of_all(x: &[f32], sizes: Sizes, epsilon: f64) -> Vec<Statistics> {
    let of = |x: &[f32]| {
        let (mean, inverse) = statistics(x, sizes.pixels, epsilon);
        Statistics { mean, inverse }
    };
    x.par_chunks(sizes.group()).map(of).collect()
}

#[derive(Clone, Debug)]
struct State {
    x: Primitive,
    a: Primitive,
    b: Primitive,
    groups: Vec<Statistics>,
    sizes: Sizes,
    activation: Option<Activation>,
}

#[derive(Debug)]
struct Norm;

impl Backward<Flex, 3> for Norm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_x, of_a, of_b] = ops.parents;
        let State { x, a, b, groups, sizes, activation } = ops.state;
        let shape = x.layout().shape().to_vec();
        let [x, a, b, gradient] = [x, a, b, gradients.consume::<Flex>(&ops.node)].map(Values::dense);
        let mut to_x = vec![0.0; x.slice().len()];
        // Of every plane: the sum of the gradients before the activation, and of their products with x̂.
        let mut sums = vec![[0.0f64; 2]; a.slice().len()];
        let work = to_x.par_chunks_mut(sizes.group()).zip(sums.par_chunks_mut(sizes.per_group)).enumerate();
        work.for_each(|(group, (to_x, sums))| {
            let Statistics { mean, inverse } = groups[group];
            let first = group * sizes.group();
            let (x, gradient) = (&x.slice()[first..][..to_x.len()], &gradient.slice()[first..][..to_x.len()]);
            let planes = || x.chunks_exact(sizes.pixels).zip(group * sizes.per_group..);
            let pulled = planes().zip(gradient.chunks_exact(sizes.pixels)).zip(to_x.chunks_exact_mut(sizes.pixels));
            for ((((x, plane), gradient), out), sum) in pulled.zip(sums.iter_mut()) {
                let (a, b) = groups[group].affine(a.slice(), b.slice(), plane);
                let [all, products] = Pull { x, gradient, a, b, mean: mean as f32, activation, out }.run();
                *sum = [f64::from(all), f64::from(products) * inverse];
            }
            let count = to_x.len() as f64;
            let mean_of = |which: usize| {
                let weighted = sums.iter().zip(&a.slice()[group * sizes.per_group..]);
                weighted.map(|(sum, &a)| f64::from(a) * sum[which]).sum::<f64>() / count
            };
            let (of_all, of_products) = (mean_of(0), mean_of(1));
            let c = -of_products * inverse * inverse;
            let d = -of_all * inverse - c * mean;
            for ((x, plane), out) in planes().zip(to_x.chunks_exact_mut(sizes.pixels)) {
                let a = (f64::from(a.slice()[plane]) * inverse) as f32;
                Spread { x, a, c: c as f32, d: d as f32, out }.run();
            }
        });
        let (batch, channels) = (shape[0], shape[1]);
        let column = |which: usize| dense(sums.iter().map(|sum| sum[which] as f32).collect(), [batch, channels]);
        if let Some(node) = of_a {
            gradients.register::<Flex>(node.id, column(1));
        }
        if let Some(node) = of_b {
            gradients.register::<Flex>(node.id, column(0));
        }
        if let Some(node) = of_x {
            gradients.register::<Flex>(node.id, dense(to_x, [batch, channels, shape[2], shape[3]]));
        }
    }
}
