//! What a run trains and what it began from: kept in its checkpoints, so that an export needs nothing else.

use super::{Networks, TrainError};
use crate::cascade::Manifest;
use crate::cascade::manifest::{FileEntry, StageManifest, StageUNet};
use crate::text::{T5Config, T5Encoder};
use crate::unet::UNetConfig;
use crate::weights::{FileSource, WeightIndex, Weights, load_module};
use burn::tensor::Device;
use pollster::block_on;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The subject of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// The folder of the model that it began from.
    pub model: PathBuf,
    pub stage: StageManifest,
    /// The text encoder, where it is trained too.
    pub text_encoder: Option<T5Config>,
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
    pub(super) fn new(model: &Path, manifest: &Manifest, size: u32, text_encoder: bool) -> Result<Self, TrainError> {
        let model = model.canonicalize().map_err(|error| TrainError::read(model, error))?;
        let stage = manifest.stages.iter().find(|stage| stage.image_size == size).cloned();
        let stage =
            stage.ok_or_else(|| TrainError::setting("stage", format!("the model has none of {size}×{size}")))?;
        let mut about = Self { model, stage, text_encoder: None };
        if text_encoder {
            about.text_encoder = Some(about.text_config(manifest)?);
        }
        Ok(about)
    }

    pub(super) fn from_json(json: &serde_json::Value) -> Result<Self, String> {
        serde_json::from_value(json.clone()).map_err(|error| error.to_string())
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        // Plain fields and string keys: there is nothing in it that JSON cannot hold.
        serde_json::to_value(self).unwrap_or_default()
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
        Ok(Networks { unet, text_encoder })
    }

    /// The model's text encoder, on a device outside of automatic differentiation.
    pub(super) fn frozen(&self, manifest: &Manifest, device: &Device) -> Result<T5Encoder, TrainError> {
        self.encoder(manifest, device)
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
