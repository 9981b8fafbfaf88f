//! Convolution as an implicit matrix multiplication over channels-last pictures.

use super::reader::Access;
use super::tile::row_access;
use super::{ACTIVATION_WGSL, Activation, Norm, WEIGHTS_WGSL};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What [`PlanBuilder::conv`] does with its input.
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    /// Name of the weight: rows `[out, kernel · kernel · in]`, `in` fastest.
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

const WGSL: &str = include_str!("../../../shaders/conv.wgsl");

/// The largest window: Imagen's cross embedding has 15.
const LARGEST: u32 = 15;

impl Conv<'_> {
    /// Height or width of the output.
    fn out_side(&self, side: u32) -> Option<u32> {
        let side = if self.upsample { side * 2 } else { side } + 2 * self.padding;
        Some(side.checked_sub(self.kernel)? / self.stride + 1)
    }

    /// The output's shape for an input of `shape`.
    fn output(&self, shape: Shape, channels: u32) -> Result<Shape, GpuError> {
        let error = |message: String| Err(GpuError::shape("conv", format!("{}: {message}", self.weight)));
        if self.kernel.is_multiple_of(2) || self.kernel > LARGEST || !(1..=2).contains(&self.stride) {
            return error(format!("a window of {} at stride {}", self.kernel, self.stride));
        }
        let second = self.second.map(|second| Shape { channels: shape.channels, ..second.shape });
        if second.is_some_and(|second| second != shape) {
            return error(format!("the second input is not {} × {} too", shape.height, shape.width));
        }
        match (self.out_side(shape.height), self.out_side(shape.width)) {
            (Some(height), Some(width)) => Ok(Shape { batch: shape.batch, height, width, channels }),
            _ => error("the picture is smaller than the window".to_owned()),
        }
    }

    /// Where the kernel finds the residual: values from one batch entry to the next, from one pixel to the next, and the
    /// first.
    fn residual_strides(&self, output: Shape) -> Result<[u32; 3], GpuError> {
        match self.residual {
            None => Ok([0; 3]),
            Some(r) if r.shape == output => Ok([r.pitch * output.positions(), r.pitch, r.first]),
            Some(r) if r.shape == Shape::vector(output.batch, output.channels) => Ok([r.pitch, 0, r.first]),
            Some(r) => {
                let message = format!("{}: the residual is {:?}, the output {output:?}", self.weight, r.shape);
                Err(GpuError::shape("conv", message))
            }
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
        let n = self.weight_shape(conv.weight)?.first().copied().unwrap_or(1) as u32;
        let (first_channels, second_channels) =
            (x.shape.channels, conv.second.map_or(0, |second| second.shape.channels));
        let output = conv.output(x.shape, n)?;
        let channels = first_channels + second_channels;
        let k = conv.kernel * conv.kernel * channels;
        let weight = self.weight(conv.weight, n, k)?;
        let bias = conv.bias.map(|bias| self.vector(bias, n)).transpose()?;
        let residual = conv.residual_strides(output)?;
        if let Some(norm) = conv.norm {
            norm.check("conv", x.shape.batch, channels)?;
        }
        let y = if weight.layout.is_aligned() { self.activation(output)? } else { self.tensor(output)? };
        let m = output.batch * output.positions();
        let (tile, half) = (self.tile(m, n), self.hardware().half);
        let wide = first_channels.is_multiple_of(4) && second_channels.is_multiple_of(4);
        let readers = Access::of(Some(x), wide).reader("x", 1)
            + &Access::of(conv.second, wide).reader("second", 2)
            + &Access::single(wide).reader("affine", 3);
        for slab in 0..weight.layout.slabs() {
            let (first, outputs) = weight.layout.slab(slab);
            let wide_rows = n.is_multiple_of(4) && first.is_multiple_of(4);
            let ends = row_access(&[("bias", 5, None), ("residual", 6, conv.residual)], (7, y), wide_rows);
            let dispatch = Dispatch::new("conv", "main", &[WEIGHTS_WGSL, ACTIVATION_WGSL])
                .preamble(tile.kernel(WGSL, &(readers.clone() + &ends), half))
                .constant("FORMAT", weight.layout.format as u32)
                .constant("WIDE", wide)
                .constant("HAS_NORM", conv.norm.is_some())
                .constant("ACTIVATION", conv.norm.map_or(Activation::None, |norm| norm.activation) as u32)
                .read(x)
                .read_or_empty(conv.second)
                .read_or_empty(conv.norm.map(|norm| norm.affine))
                .weight(&weight, slab)
                .weight_or_empty(bias.as_ref())
                .read_or_empty(conv.residual)
                .write(y);
            let dispatch = [m, n, k, first, outputs].into_iter().fold(dispatch, Dispatch::u32);
            let dispatch = dispatch.weight_params(&weight, slab).f32(conv.scale);
            let Shape { height, width, .. } = x.shape;
            let words = [height, width, output.height, output.width, first_channels, second_channels];
            let dispatch = words.into_iter().fold(dispatch, Dispatch::u32);
            let words = [conv.kernel, conv.stride, conv.padding, conv.upsample.into()];
            let dispatch = words.into_iter().chain(residual).fold(dispatch, Dispatch::u32);
            let dispatch = dispatch.takes_parts().takes_halves();
            let flops = 2 * u64::from(m) * u64::from(outputs) * u64::from(k);
            let limit = self.limits().max_compute_workgroups_per_dimension;
            self.record(dispatch.workgroups(tile.workgroups(m, outputs), limit).flops(flops))?;
        }
        Ok(y)
    }
}

#[cfg(test)]
#[path = "conv_tests.rs"]
mod tests;
