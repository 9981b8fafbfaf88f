//! What a run trains and what it began from: kept in its checkpoints, so that an export needs nothing else.

use super::embeddings::Embeddings;
use super::{FrozenText, LoraOptions, Networks, RunOptions, TrainError};
use crate::cascade::Manifest;
use crate::cascade::manifest::{FileEntry, StageManifest, StageUNet};
use crate::text::{T5Config, T5Encoder};
use crate::unet::UNetConfig;
use crate::weights::{FileSource, WeightIndex, Weights, load_module};
use burn::tensor::Device;
use pollster::block_on;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The subject of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// The folder of the model that it began from.
    pub model: PathBuf,
    pub stage: StageManifest,
    /// The text encoder, where it is trained too.
    pub text_encoder: Option<T5Config>,
    /// The adapters, where nothing else learns.
    #[serde(default)]
    pub lora: Option<LoraOptions>,
}

/// The options of a stage's U-Net, which must be of diffusers' kind.
pub(super) fn unet(stage: &StageManifest) -> Result<&UNetConfig, TrainError> {
    match &stage.unet {
        StageUNet::Diffusers(config) => Ok(config),
        StageUNet::ImagenPytorch(_) => {
            let reason = "only U-Nets in the way of diffusers can be trained, not those of imagen-pytorch".to_owned();
            Err(TrainError::Stage { stage: stage.name.clone(), reason })
        }
    }
}

impl About {
    /// Of the stage with this index.
    pub(super) fn new(options: &RunOptions, manifest: &Manifest, stage: usize) -> Result<Self, TrainError> {
        let model = options.model.canonicalize().map_err(|error| TrainError::read(&options.model, error))?;
        let (stage, lora) = (manifest.stages[stage].clone(), options.lora.clone());
        let mut about = Self { model, stage, text_encoder: None, lora };
        if options.text_encoder {
            about.text_encoder = Some(about.text_config(manifest)?);
        }
        Ok(about)
    }

    /// Whether a run of this subject can go on from a checkpoint of that one. What there is to say about it, if anything.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn continues(&self, before: &Self) -> Result<Option<String>, String> {
        let without_weights =
            |about: &Self| StageManifest { weights: self.stage.weights.clone(), ..about.stage.clone() };
        if without_weights(before) != self.stage {
            let size = before.stage.image_size;
            return Err(format!("it is of stage {size}×{size}, or that stage was configured otherwise"));
        }
        if before.lora != self.lora {
            return Err("it was trained with other adapters (--lora-rank, --lora-scale, --lora-layers)".to_owned());
        }
        if self.lora.is_some() && before.stage.weights.sha256 != self.stage.weights.sha256 {
            return Err("its adapters belong to other weights of this stage".to_owned());
        }
        let moved = format!("the run began from {}, it goes on with {}", before.model.display(), self.model.display());
        Ok((before.model != self.model).then_some(moved))
    }

    pub(super) fn from_json(json: &serde_json::Value) -> Result<Self, String> {
        serde_json::from_value(json.clone()).map_err(|error| error.to_string())
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        // Plain fields and string keys: there is nothing in it that JSON cannot hold.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The networks in which a checkpoint's weights take their places: random ones, or those that its adapters belong to.
    pub(super) fn around(&self, device: &Device) -> Result<Networks, TrainError> {
        match &self.lora {
            Some(_) => self.load(device),
            None => self.networks(device),
        }
    }

    /// The networks with random weights.
    pub(super) fn networks(&self, device: &Device) -> Result<Networks, TrainError> {
        let text_encoder = self.text_encoder.as_ref().map(|config| config.init(device));
        Ok(Networks { unet: unet(&self.stage)?.init(device)?, text_encoder })
    }

    /// The networks with the model's weights.
    pub(super) fn load(&self, device: &Device) -> Result<Networks, TrainError> {
        let mut weights = self.open(&self.stage.weights)?;
        weights.require_architecture("imagen-unet")?;
        let unet = block_on(load_module(unet(&self.stage)?.init(device)?, &mut weights, &str::to_owned, device))?;
        let text_encoder = match &self.text_encoder {
            Some(_) => Some(self.encoder(&self.manifest()?, device)?),
            None => None,
        };
        let networks = Networks { unet, text_encoder };
        Ok(match &self.lora {
            Some(lora) => lora.adapt(networks),
            None => networks,
        })
    }

    /// What the model's text encoder has said, kept in a file of at most so many bytes; none where that is in use.
    pub(super) fn embeddings(
        &self,
        manifest: &Manifest,
        file: &Path,
        most: u64,
    ) -> Result<Option<Embeddings>, TrainError> {
        let tokenizer = manifest.tokenizer.file.as_ref().map_or("", |entry| entry.sha256.as_str());
        let encoder = &manifest.text_encoder_file()?.sha256;
        let hash = Sha256::digest(format!("{encoder} {tokenizer}")).into();
        let values = manifest.tokenizer.max_length * self.text_config(manifest)?.d_model;
        Embeddings::open(file, hash, values, most)
    }

    /// The model's text encoder, which is loaded when it is asked what is not kept.
    pub(super) fn frozen(&self, manifest: &Manifest, kept: Option<Embeddings>) -> Result<FrozenText, TrainError> {
        // A file that is missing is an error now.
        self.text_config(manifest)?;
        let (about, manifest) = (self.clone(), manifest.clone());
        Ok(FrozenText::new(Box::new(move || about.encoder(&manifest, &Device::flex())), kept))
    }

    fn manifest(&self) -> Result<Manifest, TrainError> {
        let path = self.model.join(crate::cascade::manifest::MANIFEST_FILE);
        let bytes = std::fs::read(&path).map_err(|error| TrainError::read(&path, error))?;
        Ok(Manifest::from_json(&bytes)?)
    }

    fn encoder(&self, manifest: &Manifest, device: &Device) -> Result<T5Encoder, TrainError> {
        let mut weights = self.open(manifest.text_encoder_file()?)?;
        Ok(block_on(T5Encoder::load(&mut weights, device))?)
    }

    fn text_config(&self, manifest: &Manifest) -> Result<T5Config, TrainError> {
        let weights = self.open(manifest.text_encoder_file()?)?;
        let index = WeightIndex::from(&weights);
        Ok(T5Config::from_metadata(weights.name(), weights.metadata(), &index)?)
    }

    fn open(&self, entry: &FileEntry) -> Result<Weights, TrainError> {
        let source = FileSource::open(&self.model.join(&entry.file))?;
        let mut weights = block_on(Weights::open(Box::new(source)))?;
        weights.expect(entry.size, &entry.sha256);
        Ok(weights)
    }
}
