//! What a U-Net spends its time on, fused for the CPU: group norm with what follows it, and convolution.
//!
//! The burn operations beside these functions' callers are the definition, and what runs on every other device and in
//! every other type; [`Values::of`] decides. For training each has a way back of its own. The tests hold all of them together.

mod conv;
#[cfg(feature = "train")]
mod conv_gradient;
mod lanes;
mod norm;
#[cfg(feature = "train")]
mod norm_gradient;
#[cfg(feature = "train")]
mod slopes;
#[cfg(test)]
mod tests;

use super::architecture::Activation;
use super::norm::ScaleShift;
use burn::backend::{BackendTypes, Flex};
use burn::nn::GroupNorm;
use burn::tensor::{DType, Tensor};

/// As the function of that name in `conv`, with and without gradients.
pub(super) fn convolve(x: &Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Option<Tensor<4>> {
    let plain = conv::convolve(x, weight.clone(), bias.clone());
    #[cfg(feature = "train")]
    let plain = plain.or_else(|| conv_gradient::convolve(x, weight, bias));
    plain
}

/// As the function of that name in `norm`, with and without gradients.
pub(super) fn normalise(
    x: &Tensor<4>,
    norm: &GroupNorm,
    scale_shift: Option<&ScaleShift>,
    activation: Option<Activation>,
) -> Option<Tensor<4>> {
    let plain = norm::normalise(x, norm, scale_shift, activation);
    #[cfg(feature = "train")]
    let plain = plain.or_else(|| norm_gradient::normalise(x, norm, scale_shift, activation));
    plain
}

/// A tensor of the CPU.
type Primitive = <Flex as BackendTypes>::FloatTensorPrimitive;

/// The values of a tensor in the CPU's memory, dense and in f32. Holds the tensor; copies only what is not dense.
struct Values(Primitive);

impl Values {
    /// None for tensors elsewhere, of another type, in automatic differentiation, or empty.
    fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 || tensor.shape().num_elements() == 0 {
            return None;
        }
        Some(Self::dense(tensor.try_into_primitive::<Flex>().ok()?))
    }

    fn dense(tensor: Primitive) -> Self {
        let dense = tensor.layout().is_contiguous() && tensor.layout().start_offset() == 0;
        Self(if dense { tensor } else { tensor.to_contiguous() })
    }

    fn slice(&self) -> &[f32] {
        &self.0.storage()[..self.0.layout().num_elements()]
    }
}

/// The CPU with automatic differentiation.
#[cfg(feature = "train")]
type Differentiated = burn::backend::Autodiff<Flex>;

/// A tensor of f32 in the CPU's memory under automatic differentiation, which a constant is put under; else none.
#[cfg(feature = "train")]
fn differentiated<const D: usize>(tensor: Tensor<D>) -> Option<<Differentiated as BackendTypes>::FloatTensorPrimitive> {
    let usable = tensor.dtype() == DType::F32 && tensor.shape().num_elements() > 0;
    usable.then(|| tensor.autodiff().try_into_primitive::<Differentiated>().ok()).flatten()
}

/// Values as a tensor of the CPU.
#[cfg(feature = "train")]
fn dense<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Primitive {
    Primitive::from_data(burn::tensor::TensorData::new(values, shape))
}

/// Values that are worth handing to another thread.
#[cfg(not(target_arch = "wasm32"))]
const LEAST: usize = 1 << 13;

/// Calls `work` with the number and the values of every `size` values, on all threads that there are.
fn for_each_chunk(values: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use rayon::prelude::*;
        let chunks = values.par_chunks_mut(size).enumerate();
        chunks.with_min_len(LEAST / size).for_each(|(index, chunk)| work(index, chunk));
    }
    #[cfg(target_arch = "wasm32")]
    values.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
}
