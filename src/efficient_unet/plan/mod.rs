//! The GPU program: what of [`EfficientUNet`](super::EfficientUNet) works on pixels, as a list of operations.
//!
//! Activations are channels-last, in single precision. What the network is conditioned on comes from the
//! [`Conditioner`](super::Conditioner), which runs on the CPU once per step: a few tokens and one vector.

mod attention;
mod resnet;

use super::EfficientUNetConfig;
use super::architecture::{Architecture, Level, Transformer};
use crate::gpu::GpuError;
use crate::gpu::kernels::Conv;
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
use crate::unet::UNetError;

/// The input with [`Conditions::time`](super::Conditions), `[rows, time_cond_dim]`.
pub const TIME: &str = "time";
/// The input with [`Conditions::tokens`](super::Conditions), `[rows, tokens, cond_dim]`.
pub const TOKENS: &str = "tokens";

/// Records a U-Net into the phase "step", which must be the current one.
///
/// # Shapes
/// - x: `[rows, size, size, 3]`, or 6 channels with the low-resolution picture behind
/// - low: `[rows, size, size, 3]`, the low-resolution picture once more, where the network takes one
/// - output: `[rows, size, size, 3]`
///
/// # Errors
/// A configuration that is not supported, weights that are missing or misshapen, a picture whose size cannot be halved
/// often enough, or an activation that exceeds the device's limits.
pub fn build(
    b: &mut PlanBuilder,
    config: &EfficientUNetConfig,
    x: Tensor,
    low: Option<Tensor>,
) -> Result<Tensor, GpuError> {
    let unsupported = |error: UNetError| GpuError::Unsupported { what: error.to_string() };
    let architecture = Architecture::new(config).map_err(unsupported)?;
    let step = architecture.granularity() as u32;
    let Shape { batch, height, width, channels } = x.shape;
    if channels as usize != architecture.in_channels || height % step != 0 || width % step != 0 {
        let message =
            format!("the input {:?} is not [.., a multiple of {step}, .., {}]", x.shape, architecture.in_channels);
        return Err(GpuError::Shape { op: "efficient_unet", message });
    }
    let time = b.input(TIME, Shape::vector(batch, architecture.time_cond_dim as u32))?;
    let tokens = Shape::tokens(batch, config.condition_tokens() as u32, architecture.cond_dim as u32);
    let tokens = b.input(TOKENS, tokens)?;
    Network { architecture, time, tokens }.record(b, x, low)
}

/// What every block needs.
struct Network {
    architecture: Architecture,
    time: Tensor,
    tokens: Tensor,
}

impl Network {
    fn record(&self, b: &mut PlanBuilder, x: Tensor, low: Option<Tensor>) -> Result<Tensor, GpuError> {
        let architecture = &self.architecture;
        let mut x = self.init_conv(b, x)?;
        if let Some(options) = &architecture.init_resnet_block {
            x = self.resnet(b, "init_resnet_block", options, x)?;
        }
        let mut skips = Vec::new();
        for (i, level) in architecture.levels.iter().enumerate() {
            x = self.down(b, i, level, x, &mut skips)?;
        }
        x = self.resnet(b, "mid_block1", &architecture.mid_block, x)?;
        x = self.attend(b, "mid_attn", architecture.mid_attn.as_ref(), x)?;
        x = self.resnet(b, "mid_block2", &architecture.mid_block, x)?;
        for (i, level) in architecture.levels.iter().rev().enumerate() {
            x = self.up(b, i, level, x, &mut skips)?;
        }
        if let Some(options) = &architecture.final_res_block {
            x = self.resnet(b, "final_res_block", options, x)?;
        }
        if let Some(low) = low {
            x = b.concat(x, low, 1.0)?;
        }
        convolve(b, "final_conv", architecture.final_conv_kernel, x, None)
    }

    /// Convolutions with several windows, side by side.
    fn init_conv(&self, b: &mut PlanBuilder, x: Tensor) -> Result<Tensor, GpuError> {
        let mut joined = None;
        for (i, (kernel, _)) in self.architecture.init_conv.iter().enumerate() {
            let part = convolve(b, &format!("init_conv.convs.{i}"), *kernel, x, None)?;
            joined = Some(match joined {
                Some(joined) => b.concat(joined, part, 1.0)?,
                None => part,
            });
        }
        joined.ok_or_else(|| GpuError::shape("efficient_unet", "there is no first convolution"))
    }

    fn down(
        &self,
        b: &mut PlanBuilder,
        i: usize,
        level: &Level,
        mut x: Tensor,
        skips: &mut Vec<Tensor>,
    ) -> Result<Tensor, GpuError> {
        let name = |part: &str| format!("downs.{i}.{part}");
        let efficient = self.architecture.memory_efficient;
        if efficient {
            x = b.unshuffle(x)?;
            x = convolve(b, &name("pre_downsample.conv"), 1, x, None)?;
        }
        x = self.resnet(b, &name("init_block"), &level.init_block, x)?;
        for (block, options) in level.resnet_blocks.iter().enumerate() {
            x = self.resnet(b, &name(&format!("resnet_blocks.{block}")), options, x)?;
            skips.push(x);
        }
        x = self.attend(b, &name("attn_block"), level.attn_block.as_ref(), x)?;
        skips.push(x);
        match (efficient, i + 1 == self.architecture.levels.len()) {
            (true, _) => Ok(x),
            (false, false) => {
                let x = b.unshuffle(x)?;
                convolve(b, &name("post_downsample.conv"), 1, x, None)
            }
            (false, true) => {
                let wide = convolve(b, &name("post_downsample.convs.0"), 3, x, None)?;
                convolve(b, &name("post_downsample.convs.1"), 1, x, Some(wide))
            }
        }
    }

    fn up(
        &self,
        b: &mut PlanBuilder,
        i: usize,
        level: &Level,
        mut x: Tensor,
        skips: &mut Vec<Tensor>,
    ) -> Result<Tensor, GpuError> {
        let name = |part: &str| format!("ups.{i}.{part}");
        let skip_scale = self.architecture.skip_scale;
        let mut beside = |b: &mut PlanBuilder, x| match skips.pop() {
            Some(skip) => b.concat(x, skip, skip_scale),
            None => Ok(x),
        };
        x = beside(b, x)?;
        x = self.resnet(b, &name("init_block"), &level.up_init_block, x)?;
        for (block, options) in level.up_resnet_blocks.iter().enumerate() {
            x = beside(b, x)?;
            x = self.resnet(b, &name(&format!("resnet_blocks.{block}")), options, x)?;
        }
        x = self.attend(b, &name("attn_block"), level.up_attn_block.as_ref(), x)?;
        if i + 1 == self.architecture.levels.len() && !self.architecture.memory_efficient {
            return Ok(x);
        }
        let x = convolve(b, &name("upsample.conv"), 1, x, None)?;
        b.silu_shuffle(x)
    }

    fn attend(
        &self,
        b: &mut PlanBuilder,
        name: &str,
        options: Option<&Transformer>,
        x: Tensor,
    ) -> Result<Tensor, GpuError> {
        match options {
            Some(options) => self.transformer(b, name, options, x),
            None => Ok(x),
        }
    }
}

/// A convolution with its bias, plus a summand.
fn convolve(
    b: &mut PlanBuilder,
    name: &str,
    kernel: usize,
    x: Tensor,
    residual: Option<Tensor>,
) -> Result<Tensor, GpuError> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    b.conv(x, Conv { bias: Some(&bias), residual, ..Conv::new(&weight, kernel as u32) })
}
