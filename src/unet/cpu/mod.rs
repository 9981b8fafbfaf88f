//! What a U-Net spends its time on, fused for the CPU: group norm with what follows it, and convolution.
//!
//! The burn operations beside these functions' callers are the definition, and what runs on every other device, in
//! every other type and with gradients; [`Values::of`] decides. The tests hold the two together.

mod conv;
mod lanes;
mod norm;
#[cfg(test)]
mod tests;

pub(super) use conv::convolve;
pub(super) use norm::normalise;

use burn::backend::{BackendTypes, Flex};
use burn::tensor::{DType, Tensor};

/// The values of a tensor in the CPU's memory, dense and in f32. Holds the tensor; copies only what is not dense.
struct Values(<Flex as BackendTypes>::FloatTensorPrimitive);

impl Values {
    /// None for tensors elsewhere, of another type, in automatic differentiation, or empty.
    fn of<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 || tensor.shape().num_elements() == 0 {
            return None;
        }
        let tensor = tensor.try_into_primitive::<Flex>().ok()?;
        let dense = tensor.layout().is_contiguous() && tensor.layout().start_offset() == 0;
        Some(Self(if dense { tensor } else { tensor.to_contiguous() }))
    }

    fn slice(&self) -> &[f32] {
        &self.0.storage()[..self.0.layout().num_elements()]
    }
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
