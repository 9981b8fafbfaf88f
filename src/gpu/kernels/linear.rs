//! Matrix multiplication with a weight: `y = (act(W · x + b) · gate + residual) · scale`.

use super::reader::Access;
use super::tile::row_access;
use super::unroll::unroll;
use super::{ACTIVATION_WGSL, Activation, Norm, WEIGHTS_WGSL};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};
use crate::gpu::weights::Weight;

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

/// The kernel for `rows` rows, a power of two. On a GPU eight threads read an output's weights side by side; where a CPU plays it a
/// workgroup is one vector of threads with four outputs each, because it would switch between several at every barrier.
fn few_rows(rows: u32, software: bool) -> String {
    let (threads, lanes) = if software { (4, 1) } else { (128, 8) };
    let outputs = 16 * lanes / threads;
    let sizes = [("ROWS", rows), ("THREADS", threads), ("LANES", lanes), ("OUTPUTS", outputs)];
    let constants: String = sizes.iter().map(|(name, value)| format!("const {name} = {value}u;\n")).collect();
    constants + &unroll(ROWS, &sizes)
}

impl PlanBuilder {
    /// `y = (activation(W · x + bias) · gate + residual) · scale` for every position.
    ///
    /// # Shapes
    /// x `[n, h, w, in]` → `[n, h, w, out]`, out as the weight says.
    ///
    /// # Errors
    /// A missing or misshapen weight, or tensors that do not fit.
    pub fn linear(&mut self, x: Tensor, linear: Linear<'_>) -> Result<Tensor, GpuError> {
        let n = self.weight_shape(linear.weight)?.first().copied().unwrap_or(1) as u32;
        let weight = self.weight(linear.weight, n, x.shape.channels)?;
        let bias = linear.bias.map(|bias| self.vector(bias, n)).transpose()?;
        self.layer(x, linear, &weight, bias.as_ref())
    }

    /// Several layers of one input, in one dispatch where their weights go together: the outputs are then parts of one
    /// tensor. All that the layers may differ in is weight and bias; gates and residuals are not for them.
    ///
    /// # Errors
    /// As [`Self::linear`].
    pub fn linears(&mut self, x: Tensor, layers: &[Linear<'_>]) -> Result<Vec<Tensor>, GpuError> {
        let mut outputs = Vec::new();
        for layer in layers {
            outputs.push(self.weight_shape(layer.weight)?.first().copied().unwrap_or(1) as u32);
        }
        let biases: Vec<&str> = layers.iter().filter_map(|layer| layer.bias).collect();
        // Parts begin at a multiple of four values, so that they are read by fours.
        let together =
            outputs.iter().all(|n| n.is_multiple_of(4)) && (biases.is_empty() || biases.len() == layers.len());
        let separate = |b: &mut Self| layers.iter().map(|&layer| b.linear(x, layer)).collect();
        let (true, [first, _, ..]) = (together, layers) else { return separate(self) };
        let n: u32 = outputs.iter().sum();
        let names: Vec<&str> = layers.iter().map(|layer| layer.weight).collect();
        // Biases of different formats do not go together, and one of a wrong length is told by the layer itself. A stack that is
        // made is uploaded: so first see that both can be.
        let whole = |(shape, _): (Vec<usize>, _)| shape == [n as usize];
        if !biases.is_empty() && !self.stacked(&biases)?.is_some_and(whole) {
            return separate(self);
        }
        let Some(weight) = self.stack(&names)? else { return separate(self) };
        let bias = if biases.is_empty() { None } else { self.stack(&biases)? };
        if (weight.layout.rows, weight.layout.columns) != (n, x.shape.channels) {
            let message = format!("the weights of {} do not take {} channels", weight.name, x.shape.channels);
            return Err(GpuError::shape("linears", message));
        }
        let all = self.layer(x, *first, &weight, bias.as_ref())?;
        let mut end = 0;
        Ok(outputs
            .into_iter()
            .map(|n| {
                end += n;
                all.part(end - n, n)
            })
            .collect())
    }

    /// A layer with its weight and bias found.
    fn layer(
        &mut self,
        x: Tensor,
        linear: Linear<'_>,
        weight: &Weight,
        bias: Option<&Weight>,
    ) -> Result<Tensor, GpuError> {
        let (k, n) = (x.shape.channels, weight.layout.rows);
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
        let m = x.shape.batch * x.shape.positions();
        // The kernel for few rows finishes them one value at a time, in f32.
        let few = m <= FEW && ![linear.gate, linear.residual].into_iter().flatten().any(|tensor| tensor.half);
        let y = if few || !weight.layout.is_aligned() { self.tensor(shape)? } else { self.activation(shape)? };
        let (tile, half) = (self.tile(m, n), self.hardware().half);
        let wide = k.is_multiple_of(4);
        let readers = Access::of(Some(x), wide).reader("x", 1) + &Access::single(wide).reader("affine", 2);
        for slab in 0..weight.layout.slabs() {
            let (first, outputs) = weight.layout.slab(slab);
            let (dispatch, workgroups) = if few {
                let text = few_rows(m.next_power_of_two(), self.hardware().software) + &readers;
                let dispatch = Dispatch::new("linear_rows", "main", &[WEIGHTS_WGSL, ACTIVATION_WGSL]);
                (dispatch.preamble(text), u64::from(outputs.div_ceil(16)))
            } else {
                let wide = n.is_multiple_of(4) && first.is_multiple_of(4);
                let (gate, residual) = (linear.gate, linear.residual);
                let ends = row_access(&[("bias", 4, None), ("gate", 5, gate), ("residual", 6, residual)], (7, y), wide);
                let text = tile.kernel(TILED, &(readers.clone() + &ends), half);
                let dispatch = Dispatch::new("linear", "main", &[STORE, WEIGHTS_WGSL, ACTIVATION_WGSL]);
                (dispatch.preamble(text), tile.workgroups(m, outputs))
            };
            let input_activation = linear.norm.map_or(linear.input_activation, |norm| norm.activation);
            let dispatch = dispatch
                .constant("FORMAT", weight.layout.format as u32)
                .constant("HAS_NORM", linear.norm.is_some())
                .constant("HAS_GATE", linear.gate.is_some())
                .constant("INPUT_ACTIVATION", input_activation as u32)
                .constant("ACTIVATION", linear.activation as u32)
                .read(x)
                .read_or_empty(linear.norm.map(|norm| norm.affine))
                .weight(weight, slab)
                .weight_or_empty(bias)
                .read_or_empty(linear.gate)
                .read_or_empty(linear.residual)
                .write(y)
                .takes_halves();
            let dispatch = [m, n, k, x.shape.positions(), first, outputs].into_iter().fold(dispatch, Dispatch::u32);
            let dispatch = dispatch.weight_params(weight, slab).f32(linear.scale);
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
