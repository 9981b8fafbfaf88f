//! One stage: its U-Net, and its entry in the manifest.

use super::checkpoint::Checkpoint;
use super::description::{Stage, Threshold, Upsample};
use super::network::{self, Plan};
use super::scheduler::{self, Scheduler};
use super::{ConvertError, Mixture, Progress, imagen_pytorch, output};
use crate::cascade::manifest::{Conditioning, FileEntry, StageDefaults, StageManifest, Target};
use crate::diffusion::Thresholding;
use crate::image::resample::Filter;
use crate::unet::UNetConfig;
use crate::weights::{Metadata, WantedTensor, wanted_tensors};
use burn::tensor::Device;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A stage that is to be converted.
pub(super) enum StageRecipe {
    Diffusers(Box<DiffusersStage>),
    ImagenPytorch(Box<imagen_pytorch::Unet>),
}

impl StageRecipe {
    /// The name of its network, which is the stem of its file.
    pub fn network(&self) -> &str {
        match self {
            Self::Diffusers(stage) => &stage.network,
            Self::ImagenPytorch(unet) => &unet.network,
        }
    }

    /// True where it came without a scheduler, in whose place DeepFloyd IF's is taken.
    pub fn assumed_scheduler(&self) -> bool {
        matches!(self, Self::Diffusers(stage) if stage.assumed)
    }

    /// Width and height of its pictures.
    pub fn image_size(&self) -> u32 {
        match self {
            Self::Diffusers(stage) => stage.image_size,
            Self::ImagenPytorch(unet) => unet.image_size,
        }
    }

    /// Converts the U-Net and describes the stage.
    pub fn convert(
        self,
        out: &Path,
        mixture: Mixture,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StageManifest, ConvertError> {
        match self {
            Self::Diffusers(stage) => stage.convert(out, mixture, progress),
            Self::ImagenPytorch(unet) => unet.convert(out, mixture, progress),
        }
    }
}

/// A stage whose U-Net is diffusers'.
pub(super) struct DiffusersStage {
    /// The folder of its U-Net.
    folder: PathBuf,
    unet: UNetConfig,
    scheduler: Scheduler,
    /// Its entry in `cascade.json`; without one it is a stage of DeepFloyd IF.
    description: Option<(PathBuf, Stage)>,
    name: String,
    network: String,
    /// It came without a scheduler.
    assumed: bool,
    image_size: u32,
}

impl DiffusersStage {
    /// A stage of a DeepFloyd IF pipeline: the base where its U-Net sees nothing but noise, else a super-resolution stage.
    /// `noising` is the scheduler of the conditioning augmentation.
    pub fn usual(folder: &Path, scheduler: Option<PathBuf>, noising: Option<PathBuf>) -> Result<Self, ConvertError> {
        let unet = config(folder, None)?;
        let side = unet.sample_size.as_ref().and_then(Value::as_u64).and_then(|side| u32::try_from(side).ok());
        let size = side.zip(u32::try_from(unet.patch_size).ok()).and_then(|(side, patch)| side.checked_mul(patch));
        let Some(image_size) = size else {
            return Err(ConvertError::malformed(&folder.join("config.json"), "sample_size is missing or too large"));
        };
        let super_resolution = unet.input_channels() > 3;
        let assumed = scheduler.is_none();
        let scheduler = match scheduler {
            Some(folder) => scheduler::read(&folder)?,
            None => scheduler::deepfloyd(super_resolution, unet.output_channels() == 6),
        };
        if let Some(folder) = noising.filter(|_| super_resolution) {
            scheduler::same_noise(&folder, &scheduler)?;
        }
        let (name, network) = match super_resolution {
            true => (format!("super_res_{image_size}"), format!("super_res_{image_size}")),
            false => ("base".to_owned(), "unet".to_owned()),
        };
        Ok(Self { folder: folder.to_owned(), unet, scheduler, description: None, name, network, assumed, image_size })
    }

    /// A stage as the `cascade.json` at `path` describes it.
    pub fn described(path: &Path, source: &Path, stage: Stage) -> Result<Self, ConvertError> {
        let folder = source.join(&stage.unet);
        Ok(Self {
            unet: config(&folder, Some(&stage))?,
            scheduler: scheduler::read(&source.join(&stage.scheduler))?,
            name: stage.name.clone(),
            network: stage.unet.clone(),
            assumed: false,
            image_size: stage.image_size,
            folder,
            description: Some((path.to_owned(), stage)),
        })
    }

    fn convert(
        self,
        out: &Path,
        mixture: Mixture,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<StageManifest, ConvertError> {
        let file = format!("{}.gguf", self.network);
        let weights = weights(&self.folder, &self.unet, (out, &file), mixture, progress)?;
        match self.description {
            Some((path, stage)) => described(&path, &stage, self.unet, self.scheduler, weights),
            None => Ok(usual(self, weights)),
        }
    }
}

/// `config.json` with the patch size that `cascade.json` gives.
fn config(folder: &Path, description: Option<&Stage>) -> Result<UNetConfig, ConvertError> {
    let path = folder.join("config.json");
    let bytes = output::read(&path, "the U-Net's layers are read from it")?;
    let mut json: Value = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(&path, error))?;
    let class = json.get("_class_name").and_then(Value::as_str).unwrap_or("model without _class_name");
    if class != "UNet2DConditionModel" {
        let (path, class) = (path.display().to_string(), class.to_owned());
        return Err(ConvertError::Class { path, class, supported: "diffusers' UNet2DConditionModel" });
    }
    if let (Some(stage), Some(options)) = (description, json.as_object_mut()) {
        options.insert("patch_size".to_owned(), stage.patch.into());
    }
    UNetConfig::from_json(&json.to_string())
        .map_err(|error| ConvertError::UNet { path: path.display().to_string(), error })
}

fn weights(
    folder: &Path,
    config: &UNetConfig,
    (out, file): (&Path, &str),
    mixture: Mixture,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    let path = folder.join("config.json");
    let network =
        config.init(&Device::flex()).map_err(|error| ConvertError::UNet { path: path.display().to_string(), error })?;
    let wanted = wanted_tensors(&network, &str::to_owned);
    let checkpoint = Checkpoint::open(folder, "diffusion_pytorch_model")?;
    if let Some(name) = checkpoint.names().find(|name| !wanted.contains_key(*name)) {
        return Err(checkpoint.tensor_error(name, "config.json describes a network that does not have it"));
    }
    let formats = mixture.formats(wanted.iter().map(|(name, tensor)| (name.as_str(), tensor.stored.as_slice())));
    let plan = |(name, tensor): (String, WantedTensor)| {
        let format = formats[&name];
        Plan { from: name.clone(), to: name, tensor, format }
    };
    let plans: Vec<Plan> = wanted.into_iter().map(plan).collect();
    let metadata = metadata(config).map_err(|error| ConvertError::malformed(&path, error))?;
    network::write(checkpoint, &plans, metadata, (out, file), progress)
}

/// What a U-Net's file says of itself.
pub(crate) fn metadata(config: &UNetConfig) -> serde_json::Result<Metadata> {
    let mut metadata = Metadata::new("imagen-unet");
    metadata.set("imagen.unet.config", serde_json::to_string(config)?);
    Ok(metadata)
}

/// A stage as `cascade.json` describes it.
fn described(
    path: &Path,
    stage: &Stage,
    unet: UNetConfig,
    scheduler: Scheduler,
    weights: FileEntry,
) -> Result<StageManifest, ConvertError> {
    let refuse = |option, value: &str, supported| {
        Err(ConvertError::Option { path: path.display().to_string(), option, value: value.to_owned(), supported })
    };
    let mut schedule = scheduler.schedule;
    if let Some(name) = &stage.prediction {
        let Some(prediction) = scheduler::prediction(name) else {
            return refuse("prediction", name, "epsilon, sample or v");
        };
        schedule.prediction = prediction;
    }
    let target = match (stage.target.as_str(), stage.residual_scale) {
        ("picture" | "image", _) => Target::Image,
        ("residual", Some(scale)) => Target::Residual { scale },
        ("residual", None) => return refuse("residual_scale", "(missing)", "a number"),
        (other, _) => return refuse("target", other, "picture or residual"),
    };
    let conditioning = match &stage.upsample {
        None => None,
        Some(upsample) => {
            let Some(filter) = filter(upsample) else {
                let value = format!("{upsample:?}");
                return refuse("upsample", &value, "bicubic, bilinear or nearest without antialias");
            };
            let augment = stage.augment.as_ref();
            Some(Conditioning {
                upsample: filter,
                aug_level: augment.map_or(0, |augment| augment.level),
                aug_levels: augment.and_then(|augment| augment.trained_levels),
                aug_schedule: None,
            })
        }
    };
    let thresholding = match stage.thresholding {
        None => scheduler.thresholding,
        Some(Threshold::None) => Thresholding::None,
        Some(Threshold::Dynamic { quantile, max }) => Thresholding::Dynamic { quantile, max },
        Some(Threshold::Clamp { max }) => Thresholding::Static { max },
    };
    let defaults = StageDefaults {
        sampler: scheduler.sampler,
        steps: stage.steps.unwrap_or(50),
        guidance: stage.guidance.unwrap_or(1.0),
        orthogonal_guidance: false,
        thresholding,
    };
    Ok(StageManifest {
        name: stage.name.clone(),
        image_size: stage.image_size,
        weights,
        unet: unet.into(),
        schedule,
        target,
        conditioning,
        defaults,
    })
}

/// A stage of a DeepFloyd IF pipeline, with that pipeline's defaults.
fn usual(recipe: DiffusersStage, weights: FileEntry) -> StageManifest {
    let DiffusersStage { unet, scheduler, name, image_size, .. } = recipe;
    let super_resolution = unet.input_channels() > 3;
    let conditioning = super_resolution.then_some(Conditioning {
        upsample: Filter::BilinearAlignCorners,
        aug_level: 250,
        aug_levels: None,
        aug_schedule: None,
    });
    let (steps, guidance) = if super_resolution { (50, 4.0) } else { (100, 7.0) };
    let Scheduler { schedule, thresholding, sampler } = scheduler;
    let defaults = StageDefaults { sampler, steps, guidance, orthogonal_guidance: false, thresholding };
    let (unet, target) = (unet.into(), Target::Image);
    StageManifest { name, image_size, weights, unet, schedule, target, conditioning, defaults }
}

fn filter(upsample: &Upsample) -> Option<Filter> {
    match (upsample.filter.as_str(), upsample.align_corners, upsample.antialias) {
        ("bicubic", false, false) => Some(Filter::Bicubic),
        ("bilinear", false, false) => Some(Filter::Bilinear),
        ("bilinear", true, false) => Some(Filter::BilinearAlignCorners),
        ("nearest", false, false) => Some(Filter::Nearest),
        _ => None,
    }
}
