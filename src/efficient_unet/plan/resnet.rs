//! A residual block.

use super::{Network, convolve};
use crate::efficient_unet::architecture::Resnet;
use crate::gpu::GpuError;
use crate::gpu::kernels::{Activation, Linear};
use crate::gpu::plan::{PlanBuilder, Tensor};

impl Network {
    pub(super) fn resnet(
        &self,
        b: &mut PlanBuilder,
        name: &str,
        options: &Resnet,
        x: Tensor,
    ) -> Result<Tensor, GpuError> {
        let of = |part: &str| format!("{name}.{part}");
        let (weight, bias) = (of("time_mlp.weight"), of("time_mlp.bias"));
        let time = Linear { bias: Some(&bias), input_activation: Activation::Silu, ..Linear::new(&weight) };
        let time = b.linear(self.time, time)?;
        let hidden = b.chan_rms_norm(x, &of("block1.norm.weight"), None)?;
        let mut hidden = convolve(b, &of("block1.project"), 3, hidden, None)?;
        if let Some((_, heads)) = options.cross_attn {
            hidden = self.cross_attention(b, &of("cross_attn"), heads, hidden)?;
        }
        let hidden = b.chan_rms_norm(hidden, &of("block2.norm.weight"), Some(time))?;
        let residual = match options.dim == options.dim_out {
            true => x,
            false => convolve(b, &of("res_conv"), 1, x, None)?,
        };
        if !options.global_context {
            return convolve(b, &of("block2.project"), 3, hidden, Some(residual));
        }
        let hidden = convolve(b, &of("block2.project"), 3, hidden, None)?;
        let gate = self.global_context(b, &of("gca"), hidden)?;
        b.gate(hidden, gate, residual)
    }

    /// The gate of every channel, before the sigmoid.
    fn global_context(&self, b: &mut PlanBuilder, name: &str, x: Tensor) -> Result<Tensor, GpuError> {
        let of = |part: &str| format!("{name}.{part}");
        // A bias would add the same to all scores.
        let scores = b.linear(x, Linear::new(&of("to_k.weight")))?;
        let pooled = b.softmax_pool(x, scores)?;
        let layer = |b: &mut PlanBuilder, x, part: &str, activation| {
            let (weight, bias) = (of(&format!("net.{part}.weight")), of(&format!("net.{part}.bias")));
            b.linear(x, Linear { bias: Some(&bias), activation, ..Linear::new(&weight) })
        };
        let hidden = layer(b, pooled, "conv_1", Activation::Silu)?;
        layer(b, hidden, "conv_2", Activation::None)
    }
}
