//! Convolution as an implicit matrix multiplication over channels-last pictures.

use super::{Activation, Norm};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What [`PlanBuilder::conv`] does with its input.
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    /// Name of the weight: rows `[out, kernel · kernel · in]`, `in` fastest; `[out, kernel, kernel, in]` serves too.
    pub weight: &'a str,
    /// Name of the bias `[out]`.
    pub bias: Option<&'a str>,
    /// Side of the window, odd, at most 15.
    pub kernel: u32,
    /// 1 or 2.
    pub stride: u32,
    /// Zeros around the (normalised, upsampled) picture.
    pub padding: u32,
    /// A second picture of the same height and width; its channels follow those of x, as after a concatenation.
    pub second: Option<Tensor>,
    /// Applied to x and `second` first.
    pub norm: Option<Norm>,
    /// Doubles the picture (nearest neighbour) first.
    pub upsample: bool,
    /// A summand of the output's shape, or `[n, 1, 1, out]`.
    pub residual: Option<Tensor>,
    pub scale: f32,
}

impl<'a> Conv<'a> {
    /// Just the weight: an odd `kernel` at stride 1 with padding that keeps the size.
    pub const fn new(weight: &'a str, kernel: u32) -> Self {
        Self {
            weight,
            bias: None,
            kernel,
            stride: 1,
            padding: kernel / 2,
            second: None,
            norm: None,
            upsample: false,
            residual: None,
            scale: 1.0,
        }
    }
}

impl PlanBuilder {
    /// `y = (conv(x) + bias + residual) · scale`.
    ///
    /// # Shapes
    /// x `[n, h, w, c]`, second `[n, h, w, c2]` → `[n, (u·h + 2p − k) / s + 1, (u·w + 2p − k) / s + 1, out]` with
    /// u = 2 where it upsamples.
    ///
    /// # Errors
    /// A missing or misshapen weight, or tensors that do not fit.
    pub fn conv(&mut self, x: Tensor, conv: Conv<'_>) -> Result<Tensor, GpuError> {
        let out = self.weight_shape(conv.weight)?.first().copied().unwrap_or(1) as u32;
        let channels = x.shape.channels + conv.second.map_or(0, |second| second.shape.channels);
        let weight = self.weight(conv.weight, out, conv.kernel * conv.kernel * channels)?;
        let bias = conv.bias.map(|bias| self.vector(bias, out)).transpose()?;
        let side = |side: u32| {
            let side = if conv.upsample { side * 2 } else { side } + 2 * conv.padding;
            side.checked_sub(conv.kernel).map(|side| side / conv.stride.max(1) + 1)
        };
        let (Some(height), Some(width)) = (side(x.shape.height), side(x.shape.width)) else {
            return Err(GpuError::shape("conv", "the picture is smaller than the window"));
        };
        let y = self.tensor(Shape { batch: x.shape.batch, height, width, channels: out })?;
        for slab in 0..weight.layout.slabs() {
            self.record(
                Dispatch::new("conv", "main", &[])
                    .read(x)
                    .read_or_empty(conv.second)
                    .read_or_empty(conv.norm.map(|norm| norm.affine))
                    .weight(&weight, slab)
                    .weight_or_empty(bias.as_ref())
                    .read_or_empty(conv.residual)
                    .write(y),
            )?;
        }
        Ok(y)
    }
}

#[expect(unused, reason = "used by the kernel")]
const fn activation(norm: Option<Norm>) -> Activation {
    match norm {
        Some(norm) => norm.activation,
        None => Activation::None,
    }
}
