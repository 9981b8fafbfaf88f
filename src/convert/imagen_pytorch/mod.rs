//! Checkpoints of imagen-pytorch: of `Imagen`, and of `ImagenTrainer`, whose averaged weights are preferred.
//!
//! The arguments of `Imagen` and of its U-Nets are in the checkpoint where it was built from an `ImagenConfig`
//! (`imagen_params`), else in a JSON file of the same form: `{"unets": [{"dim": 128, …}, …], "image_sizes": [64, 256], …}`.
//! What is missing there has the defaults of the package's classes.

mod options;

use super::checkpoint::{self, Checkpoint};
use super::network::{self, Plan};
use super::{ConvertError, Mixture, Progress, output};
use crate::cascade::manifest::{Conditioning, FileEntry, StageDefaults, StageManifest, StageUNet, Target};
use crate::diffusion::ScheduleConfig;
use crate::efficient_unet::EfficientUNetConfig;
use crate::efficient_unet::names::{checkpoint_name, stored_name};
use crate::weights::{Metadata, WantedTensor, wanted_tensors};
use burn::tensor::Device;
use options::Options;
use std::path::{Path, PathBuf};

/// A U-Net that is to be converted.
pub(super) struct Unet {
    path: PathBuf,
    /// What its tensors' names begin with.
    prefix: String,
    config: EfficientUNetConfig,
    pub network: String,
    pub image_size: u32,
    schedule: ScheduleConfig,
    conditioning: Option<Conditioning>,
    defaults: StageDefaults,
}

/// The U-Nets of a checkpoint. `config` names the JSON file with the arguments; the checkpoint's own win over it.
pub(super) fn read(path: &Path, config: Option<&Path>) -> Result<Vec<Unet>, ConvertError> {
    let [kind, own] = checkpoint::values(path, ["imagen_type", "imagen_params"])?;
    if let Some(class) = kind.filter(|kind| kind != "original") {
        let (path, class) = (path.display().to_string(), format!("{class} Imagen"));
        return Err(ConvertError::Class { path, class, supported: "Imagen (imagen_type \"original\")" });
    }
    let (named, arguments) = match (own, config) {
        (Some(own), _) => (path, own),
        (None, Some(file)) => {
            let bytes = output::read(file, "--config names it")?;
            let json = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(file, error))?;
            (file, json)
        }
        (None, None) => {
            let reason = "it holds no imagen_params: name a JSON file with the arguments of Imagen (--config)";
            return Err(ConvertError::malformed(path, reason));
        }
    };
    let options: Options = serde_json::from_value(arguments).map_err(|error| ConvertError::malformed(named, error))?;
    let checkpoint = Checkpoint::open_file(path)?;
    options::Arguments { path: named, options }.unets(path, &checkpoint)
}

/// What the names of a U-Net's tensors begin with: averaged weights come first.
fn prefix(checkpoint: &Checkpoint, index: usize) -> Option<String> {
    let prefixes = [format!("ema.{index}.ema_model."), format!("model.unets.{index}."), format!("unets.{index}.")];
    prefixes.into_iter().find(|prefix| checkpoint.names().any(|name| name.starts_with(prefix)))
}

impl Unet {
    /// Converts the U-Net and describes its stage.
    pub fn convert(
        self,
        out: &Path,
        mixture: Mixture,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StageManifest, ConvertError> {
        let weights = self.weights(out, mixture, progress)?;
        let base = self.conditioning.is_none();
        Ok(StageManifest {
            name: if base { "base".to_owned() } else { self.network },
            image_size: self.image_size,
            weights,
            unet: self.config.into(),
            schedule: self.schedule,
            target: Target::Image,
            conditioning: self.conditioning,
            defaults: self.defaults,
        })
    }

    fn weights(
        &self,
        out: &Path,
        mixture: Mixture,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<FileEntry, ConvertError> {
        let failed = |error| ConvertError::UNet { path: self.path.display().to_string(), error };
        let wanted = wanted_tensors(&self.config.init(&Device::flex()).map_err(failed)?, &stored_name);
        let checkpoint = Checkpoint::open_file(&self.path)?;
        let formats = mixture.formats(wanted.iter().map(|(name, tensor)| (name.as_str(), tensor.stored.as_slice())));
        let plan = |(name, tensor): (String, WantedTensor)| {
            let format = formats[&name];
            Plan { from: format!("{}{}", self.prefix, checkpoint_name(&name)), to: name, tensor, format }
        };
        let plans: Vec<Plan> = wanted.into_iter().map(plan).collect();
        let known = |name: &str| {
            let Some(own) = name.strip_prefix(&self.prefix) else { return true };
            // A network without text keeps the layers that would read one.
            let unused =
                !self.config.cond_on_text && ["attn_pool.", "null_text_"].iter().any(|part| own.starts_with(part));
            unused || plans.iter().any(|plan| plan.from == name)
        };
        if let Some(name) = checkpoint.names().find(|name| !known(name)) {
            return Err(checkpoint.tensor_error(name, "the configuration describes a network that does not have it"));
        }
        let mut metadata = Metadata::new(StageUNet::from(self.config.clone()).file_architecture());
        let json = serde_json::to_string(&self.config).map_err(|error| ConvertError::malformed(&self.path, error))?;
        metadata.set("imagen.unet.config", json);
        network::write(checkpoint, &plans, metadata, (out, &format!("{}.gguf", self.network)), progress)
    }
}
