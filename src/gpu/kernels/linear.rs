//! Matrix multiplication with a weight: `y = (act(W · x + b) · gate + residual) · scale`.

use super::{Activation, Norm};
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

impl PlanBuilder {
    /// `y = (activation(W · x + bias) · gate + residual) · scale` for every position.
    ///
    /// # Shapes
    /// x `[n, h, w, in]` → `[n, h, w, out]`, out as the weight says.
    ///
    /// # Errors
    /// A missing or misshapen weight, or tensors that do not fit.
    pub fn linear(&mut self, x: Tensor, linear: Linear<'_>) -> Result<Tensor, GpuError> {
        let out = self.weight_shape(linear.weight)?.first().copied().unwrap_or(1) as u32;
        let weight = self.weight(linear.weight, out, x.shape.channels)?;
        let bias = linear.bias.map(|bias| self.vector(bias, out)).transpose()?;
        let y = self.tensor(Shape { channels: out, ..x.shape })?;
        for slab in 0..weight.layout.slabs() {
            self.record(
                Dispatch::new("linear", "main", &[])
                    .read(x)
                    .read_or_empty(linear.norm.map(|norm| norm.affine))
                    .weight(&weight, slab)
                    .weight_or_empty(bias.as_ref())
                    .read_or_empty(linear.gate)
                    .read_or_empty(linear.residual)
                    .write(y),
            )?;
        }
        Ok(y)
    }
}
