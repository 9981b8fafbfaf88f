//! The GPU program: the network of [`UNet`](super::UNet) as a list of fused operations.
//!
//! Activations are channels-last. Norms are applied while the next operation loads its input, skip connections enter
//! as second inputs instead of concatenations, and sums are folded into the operation before them.
//!
//! Two phases: "prompt" holds what depends on the text and the noise level alone, "step" the rest.

mod attention;
mod names;
mod resnet;
mod text;
mod time;

use super::architecture::{Activation, Architecture, Block};
use super::{UNetConfig, UNetError};
use crate::gpu::GpuError;
use crate::gpu::kernels::{self, Conv, GroupNorm, Norm};
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
use attention::TextKeys;
use names::Names;
use time::Times;

/// Records a U-Net that reads the packed picture `x` and returns its prediction, both channels-last with channel
/// c·p² + i·p + j of a p × p patch (see [`PlanBuilder::pack`]).
///
/// The phase "prompt" must have been named before "step" (`b.phase("prompt")` before anything is recorded). On return
/// the current phase is "step".
///
/// With B the batch of `x` (for guidance: the unconditional rows, then the conditional ones) the inputs are
/// - "text": `[B, tokens, text_channels]`, phase "prompt"; absent where the network has no text,
/// - "class_embedding": `[B, width]`, [`sinusoidal`](super::sinusoidal) of the conditioning's noise level, phase
///   "prompt"; only where the configuration has `class_embed_type`,
/// - "timestep_embedding": `[B, width]`, [`sinusoidal`](super::sinusoidal) of the timestep, phase "step".
///
/// # Shapes
/// x `[B, S/p, S/p, in_channels]` → `[B, S/p, S/p, out_channels]`
///
/// # Errors
/// A configuration that is not supported, weights that are missing or misshapen, a picture whose size cannot be
/// halved often enough, or an activation that exceeds the device's limits.
pub fn build(b: &mut PlanBuilder, config: &UNetConfig, x: Tensor, tokens: u32) -> Result<Tensor, GpuError> {
    build_pass(b, config, x, tokens, "text")
}

/// [`build`] with another name for the input "text": a network may be recorded several times, each with a text of its own.
///
/// # Errors
/// As [`build`].
pub fn build_pass(
    b: &mut PlanBuilder,
    config: &UNetConfig,
    x: Tensor,
    tokens: u32,
    text: &str,
) -> Result<Tensor, GpuError> {
    let architecture = Architecture::new(config).map_err(unsupported)?;
    if architecture.center_input {
        return Err(GpuError::Unsupported { what: "the U-Net option center_input_sample".to_owned() });
    }
    let step = architecture.granularity() as u32;
    let Shape { batch, height, width, channels } = x.shape;
    if channels as usize != architecture.in_channels || height % step != 0 || width % step != 0 {
        let message =
            format!("the input {:?} is not [.., a multiple of {step}, .., {}]", x.shape, { architecture.in_channels });
        return Err(GpuError::Shape { op: "unet", message });
    }
    b.phase("prompt");
    let text = text::record(b, &architecture, batch, tokens, text)?;
    b.phase("step");
    let times = time::record(b, &architecture, batch, text.embedding)?;
    let network = Network { architecture, times };
    network.record(b, x, &text.keys)
}

fn unsupported(error: UNetError) -> GpuError {
    GpuError::Unsupported { what: error.to_string() }
}

/// The kernels' name of an activation.
const fn kernel(activation: Activation) -> kernels::Activation {
    match activation {
        Activation::Relu => kernels::Activation::Relu,
        Activation::Silu => kernels::Activation::Silu,
        Activation::Gelu => kernels::Activation::Gelu,
    }
}

fn optional_kernel(activation: Option<Activation>) -> kernels::Activation {
    activation.map_or(kernels::Activation::None, kernel)
}

/// What every block needs.
struct Network {
    architecture: Architecture,
    times: Times,
}

impl Network {
    fn record(&self, b: &mut PlanBuilder, x: Tensor, keys: &[Vec<TextKeys>]) -> Result<Tensor, GpuError> {
        let x = b.in_half(|b| self.blocks(b, x, keys))?;
        let norm = self.norm_out(b, x)?;
        self.picture(b, "conv_out", self.architecture.conv_out_kernel, x, Some(norm))
    }

    fn blocks(&self, b: &mut PlanBuilder, x: Tensor, keys: &[Vec<TextKeys>]) -> Result<Tensor, GpuError> {
        let architecture = &self.architecture;
        let mut keys = keys.iter().map(Vec::as_slice);
        let mut x = self.picture(b, "conv_in", architecture.conv_in_kernel, x, None)?;
        let mut skips = vec![x];
        for (level, block) in architecture.down.iter().enumerate() {
            let names = Names::new(format!("down_blocks.{level}"));
            let keys = keys.next().unwrap_or_default();
            for layer in 0..block.resnets.len() {
                x = self.layer(b, &names, block, layer, (x, None), keys)?;
                skips.push(x);
            }
            if let Some(resampler) = &block.resampler {
                x = self.resnet(b, &names.child("downsamplers.0"), resampler, x, None)?;
                skips.push(x);
            }
        }
        if let Some(block) = &architecture.mid {
            let keys = keys.next().unwrap_or_default();
            for layer in 0..block.resnets.len() {
                x = self.layer(b, &Names::new("mid_block"), block, layer, (x, None), keys)?;
            }
        }
        for (position, block) in architecture.up.iter().enumerate() {
            let names = Names::new(format!("up_blocks.{position}"));
            let keys = keys.next().unwrap_or_default();
            for layer in 0..block.resnets.len() {
                x = self.layer(b, &names, block, layer, (x, skips.pop()), keys)?;
            }
            if let Some(resampler) = &block.resampler {
                x = self.resnet(b, &names.child("upsamplers.0"), resampler, x, None)?;
            }
        }
        Ok(x)
    }

    /// A residual block and the attention behind it.
    fn layer(
        &self,
        b: &mut PlanBuilder,
        names: &Names,
        block: &Block,
        layer: usize,
        (x, skip): (Tensor, Option<Tensor>),
        keys: &[TextKeys],
    ) -> Result<Tensor, GpuError> {
        let x = self.resnet(b, &names.child(&format!("resnets.{layer}")), &block.resnets[layer], x, skip)?;
        match (block.attentions.get(layer), keys.get(layer)) {
            (Some(options), Some(keys)) => {
                attention::record(b, &names.child(&format!("attentions.{layer}")), options, x, *keys)
            }
            _ => Ok(x),
        }
    }

    fn norm_out(&self, b: &mut PlanBuilder, x: Tensor) -> Result<Norm, GpuError> {
        let affine = b.group_norm(
            x,
            None,
            GroupNorm {
                groups: self.architecture.groups as u32,
                eps: self.architecture.eps as f32,
                weight: "conv_norm_out.weight",
                bias: "conv_norm_out.bias",
                scale_shift: None,
            },
        )?;
        Ok(Norm { affine, activation: kernel(self.architecture.activation) })
    }

    /// The convolution at either end.
    fn picture(
        &self,
        b: &mut PlanBuilder,
        name: &str,
        kernel: usize,
        x: Tensor,
        norm: Option<Norm>,
    ) -> Result<Tensor, GpuError> {
        let names = Names::new(name);
        b.conv(x, Conv { bias: Some(&names.of("bias")), norm, ..Conv::new(&names.of("weight"), kernel as u32) })
    }
}
