//! What a network would cost on a GPU, told without one.

use super::CascadeError;
use super::manifest::StageManifest;
use super::networks::StageShape;
use super::stage;
use crate::gpu::plan::{PlanBuilder, PlanDescription};
use crate::text::t5::{self, T5Config};
use crate::weights::{WeightIndex, Weights};

/// The GPU program of one stage for text of `tokens` positions, with or without guidance, on a device with `limits`:
/// its dispatches, bytes and operations are known before anything is allocated.
///
/// # Errors
/// Weights that do not fit the network, or an activation that exceeds the limits.
pub fn plan_stage(
    stage: &StageManifest,
    weights: &WeightIndex,
    tokens: usize,
    guided: bool,
    limits: &wgpu::Limits,
) -> Result<PlanDescription, CascadeError> {
    let shape = StageShape { rows: 1 + usize::from(guided), tokens };
    let builder = PlanBuilder::new(weights, limits);
    Ok(stage::describe(&stage.unet, stage.schedule.prediction, stage.image_size, shape, builder)?)
}

/// The GPU program of a T5 encoder for `prompts` prompts of `tokens` tokens.
///
/// # Errors
/// A file that holds no T5 encoder, or an activation that exceeds the limits.
pub fn plan_text(
    weights: &Weights,
    prompts: u32,
    tokens: usize,
    limits: &wgpu::Limits,
) -> Result<PlanDescription, CascadeError> {
    let index = WeightIndex::from(weights);
    let config = T5Config::from_metadata(weights.name(), weights.metadata(), &index)?;
    let mut builder = PlanBuilder::new(&index, limits);
    t5::plan::build(&mut builder, &config, prompts, tokens as u32)?;
    Ok(builder.finish()?)
}
