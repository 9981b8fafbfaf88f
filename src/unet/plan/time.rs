//! The embedding of the timestep, and what each residual block makes of it.

use super::names::Names;
use super::{kernel, optional_kernel};
use crate::gpu::GpuError;
use crate::gpu::kernels::{Activation, Linear};
use crate::gpu::plan::{PlanBuilder, Shape, Tensor};
use crate::unet::architecture::{Architecture, Resnet};
use std::collections::BTreeMap;

/// The time embedding as each residual block takes it, `[B, 2 · out]` or `[B, out]`, by the block's path.
pub(super) struct Times(BTreeMap<String, Tensor>);

impl Times {
    /// The block's own.
    pub fn of(&self, path: &str) -> Result<Tensor, GpuError> {
        self.0.get(path).copied().ok_or_else(|| GpuError::shape("unet", format!("{path} has no time embedding")))
    }
}

/// All blocks project the same vector: their projections are one product, where their weights go together.
pub(super) fn record(
    b: &mut PlanBuilder,
    network: &Architecture,
    batch: u32,
    others: Option<Tensor>,
) -> Result<Times, GpuError> {
    let time = embed(b, network, batch, others)?;
    let resnets = resnets(network);
    let mut by_activation: Vec<(Activation, Vec<&str>)> = Vec::new();
    for (path, resnet) in &resnets {
        let activation = input_activation(network, resnet)?;
        match by_activation.iter_mut().find(|(known, _)| *known == activation) {
            Some((_, paths)) => paths.push(path),
            None => by_activation.push((activation, vec![path])),
        }
    }
    let mut times = BTreeMap::new();
    for (input_activation, paths) in by_activation {
        let named: Vec<(String, String)> = paths
            .iter()
            .map(|path| Names::new(*path).child("time_emb_proj"))
            .map(|layer| (layer.of("weight"), layer.of("bias")))
            .collect();
        let layers: Vec<Linear<'_>> = named
            .iter()
            .map(|(weight, bias)| Linear { bias: Some(bias), input_activation, ..Linear::new(weight) })
            .collect();
        let projected = b.linears(time, &layers)?;
        times.extend(paths.iter().map(|path| (*path).to_owned()).zip(projected));
    }
    Ok(Times(times))
}

/// The sum of all embeddings, before the activation that the configuration may put behind it.
fn embed(b: &mut PlanBuilder, network: &Architecture, batch: u32, others: Option<Tensor>) -> Result<Tensor, GpuError> {
    let sinusoids = b.input("timestep_embedding", Shape::vector(batch, network.base_channels as u32))?;
    let after = optional_kernel(network.time_post_activation);
    two_layers(b, network, "time_embedding", sinusoids, after, others)
}

/// The two layers that every embedding goes through, with `others` added.
pub(super) fn two_layers(
    b: &mut PlanBuilder,
    network: &Architecture,
    module: &str,
    sinusoids: Tensor,
    activation: Activation,
    others: Option<Tensor>,
) -> Result<Tensor, GpuError> {
    let names = Names::new(module);
    let hidden = b.linear(
        sinusoids,
        Linear {
            bias: Some(&names.of("linear_1.bias")),
            activation: kernel(network.activation),
            ..Linear::new(&names.of("linear_1.weight"))
        },
    )?;
    b.linear(
        hidden,
        Linear {
            bias: Some(&names.of("linear_2.bias")),
            activation,
            residual: others,
            ..Linear::new(&names.of("linear_2.weight"))
        },
    )
}

fn input_activation(network: &Architecture, resnet: &Resnet) -> Result<Activation, GpuError> {
    match (network.embedding_activation, resnet.skip_time_act) {
        (once, true) => Ok(optional_kernel(once)),
        (None, false) => Ok(kernel(resnet.activation)),
        (Some(_), false) => {
            let what = "the U-Net option time_embedding_act_fn without resnet_skip_time_act".to_owned();
            Err(GpuError::Unsupported { what })
        }
    }
}

/// All residual blocks with their paths.
fn resnets(network: &Architecture) -> Vec<(String, &Resnet)> {
    let down =
        network.down.iter().enumerate().map(|(level, block)| (format!("down_blocks.{level}"), "downsamplers.0", block));
    let mid = network.mid.iter().map(|block| ("mid_block".to_owned(), "", block));
    let up = network.up.iter().enumerate().map(|(level, block)| (format!("up_blocks.{level}"), "upsamplers.0", block));
    let mut all = Vec::new();
    for (path, resampler, block) in down.chain(mid).chain(up) {
        for (layer, resnet) in block.resnets.iter().enumerate() {
            all.push((format!("{path}.resnets.{layer}"), resnet));
        }
        if let Some(resnet) = &block.resampler {
            all.push((format!("{path}.{resampler}"), resnet));
        }
    }
    all
}
