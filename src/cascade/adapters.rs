//! Low-rank adapters (LoRA) of a cascade, and which stage's U-Net each is merged into.

use super::CascadeError;
use super::dry::header;
use super::files::ModelFiles;
use super::manifest::{FileEntry, Manifest};
use crate::weights::{Adapter, Weights, WeightsError};
use std::collections::BTreeMap;

/// Adapters by the file of the U-Net that they belong to.
#[derive(Default)]
pub(super) struct Adapters(BTreeMap<String, Vec<Adapter>>);

impl Adapters {
    /// Adds an adapter to the first stage whose U-Net has all its layers in the same shapes.
    ///
    /// # Errors
    /// Why it does not fit the first stage, where it fits none.
    pub async fn add(
        &mut self,
        files: &dyn ModelFiles,
        manifest: &Manifest,
        adapter: Adapter,
    ) -> Result<(), CascadeError> {
        let mut reason = CascadeError::Incomplete { part: "U-Net" };
        for (index, stage) in manifest.stages.iter().enumerate() {
            match adapter.fits(&header(files, &stage.weights).await?) {
                Ok(()) => {
                    self.0.entry(stage.weights.file.clone()).or_default().push(adapter);
                    return Ok(());
                }
                Err(error) if index == 0 => reason = error.into(),
                Err(_) => {}
            }
        }
        Err(reason)
    }

    /// Merges the adapters of this file into its weights.
    pub fn merge(&self, entry: &FileEntry, weights: &mut Weights) -> Result<(), WeightsError> {
        self.0.get(&entry.file).into_iter().flatten().try_for_each(|adapter| weights.merge(adapter))
    }
}
