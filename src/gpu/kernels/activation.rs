//! Activation functions that kernels apply while they load or store, and the fused norm.

use crate::gpu::GpuError;
use crate::gpu::plan::{Shape, Tensor};

/// An activation function; the number is what `activate` in `shaders/activation.wgsl` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Activation {
    #[default]
    None = 0,
    Relu = 1,
    Silu = 2,
    /// The exact form, x · Φ(x), to an error below 1e-6.
    Gelu = 3,
    /// The tanh form of T5 v1.1.
    GeluTanh = 4,
}

/// The WGSL of [`Activation`].
pub const ACTIVATION_WGSL: &str = include_str!("../../../shaders/activation.wgsl");

/// The WGSL that reads packed weights; the kernel declares `weight` and the words of
/// [`Dispatch::weight_params`](crate::gpu::plan::Dispatch::weight_params) in its `params`, and sets `FORMAT`.
pub const WEIGHTS_WGSL: &str = include_str!("../../../shaders/weights.wgsl");

/// A norm applied while an operation loads its input: `activation(a · x + b)` per batch entry and channel.
///
/// Zero padding of a convolution is padding of the normalised picture: it stays zero.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// `[n, 2c]`: for each batch entry first the c values of a, then the c values of b (see
    /// [`PlanBuilder::group_norm`](crate::gpu::plan::PlanBuilder::group_norm)). Where an operation has a second input,
    /// c counts the channels of both.
    pub affine: Tensor,
    pub activation: Activation,
}

impl Norm {
    /// Whether the affine fits an input of `batch` entries and `channels` channels.
    pub(super) fn check(&self, op: &'static str, batch: u32, channels: u32) -> Result<(), GpuError> {
        let expected = Shape::vector(batch, 2 * channels);
        if self.affine.shape == expected {
            return Ok(());
        }
        Err(GpuError::shape(op, format!("the norm's affine is {:?}, expected {expected:?}", self.affine.shape)))
    }
}
