//! A residual block: two norms, two convolutions, the time projection, and what changes the size or the channels.

use super::names::Names;
use super::{Network, kernel};
use crate::gpu::GpuError;
use crate::gpu::kernels::{Conv, GroupNorm, Norm, Resample};
use crate::gpu::plan::{PlanBuilder, Tensor};
use crate::unet::architecture::{self, Resnet};

impl Network {
    pub(super) fn resnet(
        &self,
        b: &mut PlanBuilder,
        names: &Names,
        options: &Resnet,
        x: Tensor,
        skip: Option<Tensor>,
    ) -> Result<Tensor, GpuError> {
        let time = self.times.of(names.path())?;
        let norm = norm(b, &names.child("norm1"), options, (x, skip), None)?;
        let conv1 = names.child("conv1");
        // Without scale and shift the time embedding is a summand per channel.
        let summand = (!options.scale_shift).then_some(time);
        let (weight, bias) = (conv1.of("weight"), conv1.of("bias"));
        let conv = Conv { bias: Some(&bias), residual: summand, ..Conv::new(&weight, 3) };
        let (hidden, x) = match options.resample {
            architecture::Resample::None => (b.conv(x, Conv { norm: Some(norm), second: skip, ..conv })?, x),
            architecture::Resample::Up => {
                // The nearest neighbour commutes with the norm and its activation.
                let hidden = b.conv(x, Conv { norm: Some(norm), upsample: true, ..conv })?;
                (hidden, b.resample(x, Resample::Nearest2, None)?)
            }
            architecture::Resample::Down => {
                let pooled = b.resample(x, Resample::AvgPool2, Some(norm))?;
                (b.conv(pooled, conv)?, b.resample(x, Resample::AvgPool2, None)?)
            }
        };
        let norm = self::norm(b, &names.child("norm2"), options, (hidden, None), options.scale_shift.then_some(time))?;
        let residual = self.shortcut(b, names, options, x, skip)?;
        let conv2 = names.child("conv2");
        b.conv(
            hidden,
            Conv {
                bias: Some(&conv2.of("bias")),
                norm: Some(norm),
                residual: Some(residual),
                scale: (1.0 / options.scale_factor) as f32,
                ..Conv::new(&conv2.of("weight"), 3)
            },
        )
    }

    /// The input with the output's channels.
    fn shortcut(
        &self,
        b: &mut PlanBuilder,
        names: &Names,
        options: &Resnet,
        x: Tensor,
        skip: Option<Tensor>,
    ) -> Result<Tensor, GpuError> {
        if options.in_channels + options.skip_channels == options.out_channels {
            return Ok(x);
        }
        let names = names.child("conv_shortcut");
        b.conv(x, Conv { bias: Some(&names.of("bias")), second: skip, ..Conv::new(&names.of("weight"), 1) })
    }
}

/// A norm with the block's activation behind it.
fn norm(
    b: &mut PlanBuilder,
    names: &Names,
    options: &Resnet,
    (x, second): (Tensor, Option<Tensor>),
    scale_shift: Option<Tensor>,
) -> Result<Norm, GpuError> {
    let affine = b.group_norm(
        x,
        second,
        GroupNorm {
            groups: options.groups as u32,
            eps: options.eps as f32,
            weight: &names.of("weight"),
            bias: &names.of("bias"),
            scale_shift,
        },
    )?;
    Ok(Norm { affine, activation: kernel(options.activation) })
}
