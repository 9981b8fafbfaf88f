//! One operation as a row describes it, recorded into a plan.

use super::STEP;
use crate::gpu::GpuError;
use crate::gpu::kernels::{self, Activation, Conv, GroupNorm, Linear, Norm, Resample};
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
use serde::Deserialize;

/// Epsilons of PyTorch's group norm and of T5's RMS norm.
const GROUP_NORM_EPS: f32 = 1e-5;
const RMS_NORM_EPS: f32 = 1e-6;

/// A norm in front of an operation: none where there are no groups.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Front {
    groups: Option<u32>,
    activation: Option<FrontActivation>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FrontActivation {
    Silu,
    Gelu,
}

/// The kinds of operations; the weights' names are those of the PyTorch modules in `benches/browser/export/ops.py`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Operation {
    Conv {
        batch: u32,
        size: u32,
        r#in: u32,
        kernel: u32,
        #[serde(default)]
        upsample: bool,
        #[serde(flatten)]
        front: Front,
    },
    /// Norm, activation and the mean of 2 × 2 pixels, as the downsampling blocks have them.
    Pool {
        batch: u32,
        size: u32,
        r#in: u32,
        #[serde(flatten)]
        front: Front,
    },
    Nearest {
        batch: u32,
        size: u32,
        r#in: u32,
    },
    Linear {
        rows: u32,
        r#in: u32,
    },
    RmsNorm {
        rows: u32,
        r#in: u32,
    },
    Attention {
        batch: u32,
        queries: u32,
        /// Tokens of each segment.
        keys: Vec<u32>,
        heads: u32,
        head: u32,
        #[serde(default)]
        bias: bool,
    },
}

impl Operation {
    /// Records the operation with its inputs, which have the names of the module's arguments.
    pub fn record(&self, b: &mut PlanBuilder) -> Result<Tensor, GpuError> {
        b.phase(STEP);
        match *self {
            Self::Conv { batch, size, r#in, kernel, upsample, front } => {
                let x = b.input("x", Shape::image(batch, size, size, r#in))?;
                let norm = front.record(b, x)?;
                let bias = Some("conv.bias");
                b.conv(x, Conv { bias, norm, upsample, ..Conv::new("conv.weight", kernel) })
            }
            Self::Pool { batch, size, r#in, front } => {
                let x = b.input("x", Shape::image(batch, size, size, r#in))?;
                let norm = front.record(b, x)?;
                b.resample(x, Resample::AvgPool2, norm)
            }
            Self::Nearest { batch, size, r#in } => {
                let x = b.input("x", Shape::image(batch, size, size, r#in))?;
                b.resample(x, Resample::Nearest2, None)
            }
            Self::Linear { rows, r#in } => {
                let x = b.input("x", Shape::tokens(1, rows, r#in))?;
                b.linear(x, Linear { bias: Some("linear.bias"), ..Linear::new("linear.weight") })
            }
            Self::RmsNorm { rows, r#in } => {
                let x = b.input("x", Shape::tokens(1, rows, r#in))?;
                b.rms_norm(x, "norm.weight", RMS_NORM_EPS)
            }
            Self::Attention { batch, queries, ref keys, heads, head, bias } => {
                let width = heads * head;
                let q = b.input("q", Shape::tokens(batch, queries, width))?;
                let segments: Result<Vec<_>, GpuError> = (0..)
                    .zip(keys)
                    .map(|(segment, &tokens): (u32, _)| {
                        let shape = Shape::tokens(batch, tokens, width);
                        Ok((b.input(&format!("k{segment}"), shape)?, b.input(&format!("v{segment}"), shape)?))
                    })
                    .collect();
                let all = keys.iter().sum();
                let shape = Shape { batch: heads, height: 1, width: queries, channels: all };
                // T5, which has the bias, has no factor.
                let scale = if bias { 1.0 } else { 1.0 / (head as f32).sqrt() };
                let bias = bias.then(|| b.input("bias", shape)).transpose()?;
                b.attention(q, kernels::Attention { keys: &segments?, heads, scale, bias, mask: None })
            }
        }
    }
}

impl Front {
    fn record(self, b: &mut PlanBuilder, x: Tensor) -> Result<Option<Norm>, GpuError> {
        let Some(groups) = self.groups else { return Ok(None) };
        let (weight, bias) = ("norm.weight", "norm.bias");
        let norm = GroupNorm { groups, eps: GROUP_NORM_EPS, weight, bias, scale_shift: None };
        let activation = match self.activation {
            None => Activation::None,
            Some(FrontActivation::Silu) => Activation::Silu,
            Some(FrontActivation::Gelu) => Activation::Gelu,
        };
        Ok(Some(Norm { affine: b.group_norm(x, None, norm)?, activation }))
    }
}
