//! From a checkpoint to a cascade that every program opens: the averaged weights in GGUF, beside the other parts of the model that
//! the run began from.

use super::about::unet;
use super::checkpoint::Checkpoint;
use super::{About, Networks, TrainError, parameters};
use crate::cascade::manifest::{FileEntry, MANIFEST_FILE, Manifest};
use crate::convert::{self, Mixture};
use crate::text::t5::llama_cpp_name;
use crate::weights::stored_tensors;
use burn::module::Module;
use burn::tensor::Device;
use std::fs;
use std::path::Path;

/// Writes the cascade of a checkpoint into `out`, its trained networks in the formats of `mixture`.
///
/// # Errors
/// [`TrainError::Checkpoint`] for a checkpoint that is not usable, [`TrainError::Read`] where a part of the model that it began from is
/// gone, [`TrainError::Export`] for what cannot be written.
pub fn export(checkpoint: &Path, out: &Path, mixture: Mixture) -> Result<Manifest, TrainError> {
    let device = Device::flex();
    let mut read = Checkpoint::read(checkpoint, &device)?;
    let about = About::from_json(&read.about).map_err(|reason| TrainError::checkpoint(checkpoint, reason))?;
    let networks = about.around(&device)?;
    read.check(&networks.learning()).map_err(|reason| TrainError::checkpoint(checkpoint, reason))?;
    let networks = parameters::place(networks, &read.average());
    write(&networks.materialize(), &about, out, mixture)
}

/// Writes a cascade with these networks, which have no adapters any more, in place of those of the model that they began from.
pub(super) fn write(networks: &Networks, about: &About, out: &Path, mixture: Mixture) -> Result<Manifest, TrainError> {
    let source = &about.model;
    let read = |path: &Path| fs::read(path).map_err(|error| TrainError::read(path, error));
    let mut manifest = Manifest::from_json(&read(&source.join(MANIFEST_FILE))?)?;
    if out.exists() && source.canonicalize().ok() == out.canonicalize().ok() {
        return Err(TrainError::setting(
            "output",
            "it is the model that the training began from; choose another folder",
        ));
    }
    let staging = convert::Staging::create(out)?;
    let folder = staging.path();
    let trained = |manifest: &Manifest, file: &str| {
        let stage = manifest.stages.iter().any(|s| s.image_size == about.stage.image_size && s.weights.file == file);
        let text = about.text_encoder.is_some() && manifest.text_encoder.as_ref().is_some_and(|e| e.file == file);
        stage || text
    };
    let others: Vec<FileEntry> = manifest.files().filter(|entry| !trained(&manifest, &entry.file)).cloned().collect();
    for file in others.iter().map(|entry| &entry.file).chain(&manifest.card) {
        // A part that the model lacks, it lacks here too.
        if source.join(file).is_file() {
            let copy = folder.join(file);
            // A second name for the same bytes, where the file system has such; else a copy. Neither passes through memory.
            let linked = fs::hard_link(source.join(file), &copy);
            let there = linked.or_else(|_| fs::copy(source.join(file), &copy).map(|_| ()));
            there.map_err(|error| TrainError::write(&copy, error))?;
        }
    }
    if let (Some(config), Some(encoder)) = (&about.text_encoder, &networks.text_encoder) {
        let file =
            manifest.text_encoder.as_ref().map_or(convert::TEXT_ENCODER_FILE, |entry| entry.file.as_str()).to_owned();
        let metadata = convert::text_metadata(config, convert::CONTEXT);
        let tensors = stored_tensors(encoder);
        manifest.text_encoder =
            Some(convert::write_tensors(&tensors, llama_cpp_name, metadata, (folder, &file), mixture)?);
    }
    let stage = manifest.stages.iter_mut().find(|stage| stage.image_size == about.stage.image_size);
    let Some(stage) = stage else {
        let reason = "its stage is gone from the model that it began from".to_owned();
        return Err(TrainError::Stage { stage: about.stage.name.clone(), reason });
    };
    let file = stage.weights.file.clone();
    let tensors = stored_tensors(&networks.unet);
    let metadata = convert::unet_metadata(unet(&about.stage)?).map_err(|error| TrainError::write(out, error))?;
    *stage = about.stage.clone();
    stage.weights = convert::write_tensors(&tensors, str::to_owned, metadata, (folder, &file), mixture)?;
    manifest.validate()?;
    convert::write(folder, MANIFEST_FILE, manifest.to_json()?.as_bytes())?;
    staging.publish()?;
    Ok(manifest)
}
