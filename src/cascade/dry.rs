//! What a network would cost, told without loading it.

use super::CascadeError;
use super::adapters::Adapters;
use super::files::ModelFiles;
use super::manifest::{FileEntry, Manifest, StageManifest};
use super::networks::{StageShape, Wanted};
use super::residency::Needs;
use super::stage;
use crate::gpu::Backend;
use crate::gpu::plan::{PlanBuilder, PlanDescription};
use crate::text::t5::{self, T5Config};
use crate::weights::{TensorInfo, WeightIndex, Weights};

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
    Ok(t5::plan::describe(PlanBuilder::new(&index, limits), &config, prompts, tokens as u32)?)
}

/// What the parts of a run will take: on a GPU what their plans ask for, on the CPU their weights in f32.
pub(super) async fn needs(
    backend: &Backend,
    files: &dyn ModelFiles,
    manifest: &Manifest,
    adapters: &Adapters,
    wanted: &Wanted,
) -> Result<Needs, CascadeError> {
    let mut needs = Needs::default();
    if wanted.prompts > 0 {
        let weights = header(files, manifest.text_encoder_file()?).await?;
        let index = WeightIndex::from(&weights);
        let config = T5Config::from_metadata(weights.name(), weights.metadata(), &index)?;
        (needs.text, needs.streamed_text) = match backend {
            Backend::Cpu => (4 * config.parameters(), 4 * config.block_parameters()),
            Backend::Gpu(device) => {
                let builder = PlanBuilder::for_device(&index, device);
                let plan = t5::plan::describe(builder, &config, wanted.prompts as u32, wanted.tokens as u32)?;
                (plan.peak_bytes(), plan.streamed_peak_bytes())
            }
        };
    }
    for &(index, shape) in &wanted.stages {
        let Some(stage) = manifest.stages.get(index) else { continue };
        let mut weights = header(files, &stage.weights).await?;
        adapters.merge(&stage.weights, &mut weights)?;
        needs.stages.push(match backend {
            Backend::Cpu => weights.tensors().iter().map(f32_bytes).sum(),
            Backend::Gpu(device) => {
                let builder = PlanBuilder::for_device(&WeightIndex::from(&weights), device);
                let (prediction, size) = (stage.schedule.prediction, stage.image_size);
                stage::describe(&stage.unet, prediction, size, shape, builder)?.peak_bytes()
            }
        });
    }
    Ok(needs)
}

/// A file of which nothing but the header is used, and that for its sizes alone: it is not checked.
pub(super) async fn header(files: &dyn ModelFiles, entry: &FileEntry) -> Result<Weights, CascadeError> {
    Ok(Weights::open(files.open(&entry.file).await?).await?)
}

fn f32_bytes(tensor: &TensorInfo) -> u64 {
    4 * tensor.rows() as u64 * tensor.columns() as u64
}
