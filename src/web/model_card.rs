//! What the page shows of the manifest.

use crate::cascade::Manifest;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelCard<'a> {
    name: &'a str,
    version: &'a str,
    license: &'a str,
    examples: &'a [String],
    /// All files but the manifest, in the order in which they are needed, and their bytes together.
    files: Vec<&'a str>,
    bytes: u64,
    stages: Vec<StageCard<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StageCard<'a> {
    name: &'a str,
    image_size: u32,
    steps: u32,
    max_steps: usize,
    guidance: f32,
}

impl<'a> From<&'a Manifest> for ModelCard<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        let stages = manifest.stages.iter().map(|stage| StageCard {
            name: &stage.name,
            image_size: stage.image_size,
            steps: stage.defaults.steps,
            max_steps: stage.schedule.train_steps,
            guidance: stage.defaults.guidance,
        });
        Self {
            name: &manifest.name,
            version: &manifest.version,
            license: &manifest.license,
            examples: &manifest.examples,
            files: manifest.files().map(|file| file.file.as_str()).collect(),
            bytes: manifest.total_bytes(),
            stages: stages.collect(),
        }
    }
}
