//! What the page shows of the manifest.

use crate::cascade::{Manifest, manifest::FileEntry};
use crate::diffusion::{Sampler, Thresholding};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelCard<'a> {
    name: &'a str,
    version: &'a str,
    license: &'a str,
    examples: &'a [String],
    /// All files but the manifest, in the order in which they are needed, and their bytes together.
    files: Vec<FileCard<'a>>,
    bytes: u64,
    stages: Vec<StageCard<'a>>,
}

#[derive(Serialize)]
struct FileCard<'a> {
    file: &'a str,
    size: u64,
    sha256: &'a str,
    /// The SHA-256 of each piece; empty where only that of the whole file is known.
    pieces: &'a [String],
}

impl<'a> From<&'a FileEntry> for FileCard<'a> {
    fn from(entry: &'a FileEntry) -> Self {
        Self { file: &entry.file, size: entry.size, sha256: &entry.sha256, pieces: entry.piece_hashes() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StageCard<'a> {
    name: &'a str,
    image_size: u32,
    steps: u32,
    max_steps: usize,
    guidance: f32,
    sampler: Sampler,
    thresholding: Thresholding,
    /// Whether it enlarges a picture, instead of beginning with noise.
    enlarges: bool,
}

impl<'a> From<&'a Manifest> for ModelCard<'a> {
    fn from(manifest: &'a Manifest) -> Self {
        let stages = manifest.stages.iter().map(|stage| StageCard {
            name: &stage.name,
            image_size: stage.image_size,
            steps: stage.defaults.steps,
            max_steps: stage.schedule.train_steps,
            guidance: stage.defaults.guidance,
            sampler: stage.defaults.sampler,
            thresholding: stage.defaults.thresholding,
            enlarges: stage.conditioning.is_some(),
        });
        Self {
            name: &manifest.name,
            version: &manifest.version,
            license: &manifest.license,
            examples: &manifest.examples,
            files: manifest.files().map(FileCard::from).collect(),
            bytes: manifest.total_bytes(),
            stages: stages.collect(),
        }
    }
}
