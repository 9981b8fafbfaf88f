//! Matrix multiplication with a weight: `y = (act(W · x + b) · gate + residual) · scale`.

use super::reader::reader;
use super::tile::tile;
use super::{ACTIVATION_WGSL, Activation, Norm, WEIGHTS_WGSL};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// What [`PlanBuilder::linear`] does with its input.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// Name of the weight `[out, in]`.
    pub weight: &'a str,
    /// Name of the bias `[out]`.
    pub bias: Option<&'a str>,
    /// Applied to x first.
    pub norm: Option<Norm>,
    /// Applied to x where there is no `norm`.
    pub input_activation: Activation,
    pub activation: Activation,
    /// A factor of the output's shape.
    pub gate: Option<Tensor>,
    /// A summand of the output's shape.
    pub residual: Option<Tensor>,
    pub scale: f32,
}

impl<'a> Linear<'a> {
    /// Just the weight.
    pub const fn new(weight: &'a str) -> Self {
        Self {
            weight,
            bias: None,
            norm: None,
            input_activation: Activation::None,
            activation: Activation::None,
            gate: None,
            residual: None,
            scale: 1.0,
        }
    }
}

/// Rows up to which the kernel that is bound by the weights is the better one.
const FEW: u32 = 8;

const TILED: &str = include_str!("../../../shaders/linear.wgsl");
const ROWS: &str = include_str!("../../../shaders/linear_rows.wgsl");
const STORE: &str = include_str!("../../../shaders/linear_store.wgsl");

impl PlanBuilder {
    /// `y = (activation(W · x + bias) · gate + residual) · scale` for every position.
    ///
    /// # Shapes
    /// x `[n, h, w, in]` → `[n, h, w, out]`, out as the weight says.
    ///
    /// # Errors
    /// A missing or misshapen weight, or tensors that do not fit.
    pub fn linear(&mut self, x: Tensor, linear: Linear<'_>) -> Result<Tensor, GpuError> {
        let k = x.shape.channels;
        let n = self.weight_shape(linear.weight)?.first().copied().unwrap_or(1) as u32;
        let weight = self.weight(linear.weight, n, k)?;
        let bias = linear.bias.map(|bias| self.vector(bias, n)).transpose()?;
        let shape = Shape { channels: n, ..x.shape };
        for (what, tensor) in [("gate", linear.gate), ("residual", linear.residual)] {
            if let Some(tensor) = tensor.filter(|tensor| tensor.shape != shape) {
                let message = format!("the {what} is {:?}, the output of {} is {shape:?}", tensor.shape, linear.weight);
                return Err(GpuError::shape("linear", message));
            }
        }
        if let Some(norm) = linear.norm {
            norm.check("linear", x.shape.batch, k)?;
        }
        let y = self.tensor(shape)?;
        let m = x.shape.batch * x.shape.positions();
        let tile = tile(m, n, self.limits());
        let readers = reader("x", 1, k.is_multiple_of(4)) + &reader("affine", 2, k.is_multiple_of(4));
        for slab in 0..weight.layout.slabs() {
            let (first, outputs) = weight.layout.slab(slab);
            let (dispatch, workgroups) = if m <= FEW {
                let dispatch = Dispatch::new("linear_rows", "main", &[ROWS, STORE, WEIGHTS_WGSL, ACTIVATION_WGSL]);
                let preamble = format!("const ROWS = {}u;\n{readers}", m.next_power_of_two());
                (dispatch.preamble(preamble), u64::from(outputs.div_ceil(16)))
            } else {
                let dispatch = Dispatch::new("linear", "main", &[TILED, STORE, WEIGHTS_WGSL, ACTIVATION_WGSL]);
                let preamble = format!("const TILE_M = {}u;\nconst TILE_N = {}u;\n{readers}", tile.m, tile.n);
                (dispatch.preamble(preamble), tile.workgroups(m, outputs))
            };
            let input_activation = linear.norm.map_or(linear.input_activation, |norm| norm.activation);
            let dispatch = dispatch
                .constant("FORMAT", weight.layout.format as u32)
                .constant("HAS_NORM", linear.norm.is_some())
                .constant("HAS_BIAS", bias.is_some())
                .constant("HAS_GATE", linear.gate.is_some())
                .constant("HAS_RESIDUAL", linear.residual.is_some())
                .constant("INPUT_ACTIVATION", input_activation as u32)
                .constant("ACTIVATION", linear.activation as u32)
                .read(x)
                .read_or_empty(linear.norm.map(|norm| norm.affine))
                .weight(&weight, slab)
                .weight_or_empty(bias.as_ref())
                .read_or_empty(linear.gate)
                .read_or_empty(linear.residual)
                .write(y);
            let dispatch = [m, n, k, x.shape.positions(), first, outputs].into_iter().fold(dispatch, Dispatch::u32);
            let dispatch = dispatch.weight_params(&weight, slab).f32(linear.scale);
            let flops = 2 * u64::from(m) * u64::from(outputs) * u64::from(k);
            let limit = self.limits().max_compute_workgroups_per_dimension;
            self.record(dispatch.workgroups(workgroups, limit).flops(flops))?;
        }
        Ok(y)
    }
}

#[cfg(test)]
#[path = "linear_tests.rs"]
mod tests;
