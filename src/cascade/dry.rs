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
    Ok(stage::describe(stage, shape, builder)?)
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
                stage::describe(stage, shape, builder)?.peak_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cascade::{Directory, Residency};
    use crate::gpu::testing::device;
    use crate::weights::FileSource;
    use pollster::block_on;
    use std::path::{Path, PathBuf};

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("models/storybook")
    }

    fn open(entry: &FileEntry) -> Weights {
        block_on(Weights::open(Box::new(FileSource::open(&folder().join(&entry.file)).unwrap()))).unwrap()
    }

    #[test]
    fn needs_are_those_of_the_parts() {
        let manifest = Manifest::from_json(&std::fs::read(folder().join("imagen.json")).unwrap()).unwrap();
        let shape = |rows| StageShape { rows, tokens: 40 };
        let wanted = Wanted { prompts: 2, tokens: 40, stages: vec![(0, shape(2)), (1, shape(1))] };
        let needs = |backend: &Backend, wanted: &Wanted| {
            block_on(needs(backend, &Directory::new(folder()), &manifest, &Adapters::default(), wanted)).unwrap()
        };
        let (device, encoder) = (device(), manifest.text_encoder_file().unwrap());
        let on_gpu = needs(&Backend::Gpu(device.clone()), &wanted);
        let text = plan_text(&open(encoder), 2, 40, device.limits()).unwrap();
        assert_eq!((on_gpu.text, on_gpu.streamed_text), (text.peak_bytes(), text.streamed_peak_bytes()));
        let stage = |index: usize, guided| {
            let stage = &manifest.stages[index];
            plan_stage(stage, &WeightIndex::from(&open(&stage.weights)), 40, guided, device.limits()).unwrap()
        };
        for (bytes, plan) in on_gpu.stages.iter().zip([stage(0, true), stage(1, false)]) {
            // The device's own variants of a kernel may be a dispatch more or less.
            assert!(bytes.abs_diff(plan.peak_bytes()) <= 4096, "{bytes} {}", plan.peak_bytes());
        }
        // On the CPU, weights in f32: about four times what their files have in Q8_0.
        let on_cpu = needs(&Backend::Cpu, &wanted);
        let ratio = on_cpu.text as f64 / encoder.size as f64;
        assert!((3.0..4.0).contains(&ratio), "{ratio}");
        assert!(on_cpu.streamed_text * 3 <= on_cpu.text, "one of three blocks");
        let ratio = on_cpu.stages[0] as f64 / manifest.stages[0].weights.size as f64;
        assert!((3.0..4.0).contains(&ratio), "{ratio}");
        // A run without prompts or later stages needs nothing for them.
        let wanted = Wanted { prompts: 0, stages: vec![(1, shape(1))], ..wanted };
        let less = needs(&Backend::Gpu(device), &wanted);
        assert_eq!(less.peak(Residency::KeepAll), on_gpu.stages[1]);
    }
}
