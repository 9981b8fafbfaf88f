//! What a stage would cost on a GPU, told without one.

use super::CascadeError;
use super::manifest::StageManifest;
use super::networks::StageShape;
use super::stage;
use crate::gpu::plan::PlanDescription;
use crate::weights::WeightIndex;

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
    Ok(stage::describe(&stage.unet, stage.schedule.prediction, stage.image_size, shape, weights, limits)?)
}
