//! The arguments of `Imagen` and of its U-Nets, and what they mean for a stage.

use super::super::ConvertError;
use super::super::checkpoint::Checkpoint;
use super::Unet;
use crate::cascade::manifest::{Conditioning, StageDefaults};
use crate::diffusion::{Prediction, Sampler, ScheduleConfig, ScheduleKind, Thresholding, Variance};
use crate::efficient_unet::EfficientUNetConfig;
use crate::image::resample::Filter;
use crate::unet::{PerBlock, UNetError};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Guidance of stages with text: the package has none of its own by default, which makes poor pictures.
const GUIDANCE: f32 = 3.0;
/// Options of `Imagen` that matter in training alone, or for videos.
const WITHOUT_EFFECT: [&str; 11] = [
    "text_encoder_name",
    "text_embed_dim",
    "loss_type",
    "random_crop_sizes",
    "per_sample_random_aug_noise_level",
    "only_train_unet_number",
    "auto_normalize_img",
    "temporal_downsample_factor",
    "resize_cond_video_frames",
    "min_snr_loss_weight",
    "min_snr_gamma",
];

/// The arguments of `Imagen`.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Options {
    unets: Vec<Map<String, Value>>,
    image_sizes: PerBlock<u32>,
    channels: usize,
    timesteps: PerBlock<u32>,
    cond_drop_prob: f32,
    noise_schedules: PerBlock<String>,
    pred_objectives: PerBlock<String>,
    lowres_noise_schedule: String,
    lowres_sample_noise_level: f32,
    condition_on_text: bool,
    dynamic_thresholding: PerBlock<bool>,
    dynamic_thresholding_percentile: f32,
    resize_mode: String,
    video: bool,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            unets: Vec::new(),
            image_sizes: PerBlock::Each(Vec::new()),
            channels: 3,
            timesteps: PerBlock::All(1000),
            cond_drop_prob: 0.1,
            noise_schedules: PerBlock::All("cosine".to_owned()),
            pred_objectives: PerBlock::All("noise".to_owned()),
            lowres_noise_schedule: "linear".to_owned(),
            lowres_sample_noise_level: 0.2,
            condition_on_text: true,
            dynamic_thresholding: PerBlock::All(true),
            dynamic_thresholding_percentile: 0.95,
            resize_mode: "nearest".to_owned(),
            video: false,
            other: BTreeMap::new(),
        }
    }
}

/// Arguments, and where they are from.
pub(super) struct Arguments<'a> {
    pub path: &'a Path,
    pub options: Options,
}

impl Arguments<'_> {
    /// The U-Nets that they describe, of the checkpoint at `path`.
    pub fn unets(&self, path: &Path, checkpoint: &Checkpoint) -> Result<Vec<Unet>, ConvertError> {
        let options = &self.options;
        self.check()?;
        let count = options.unets.len();
        let each = |error: UNetError| ConvertError::UNet { path: self.path.display().to_string(), error };
        let sizes = options.image_sizes.expand("image_sizes", count).map_err(each)?;
        let timesteps = options.timesteps.expand("timesteps", count).map_err(each)?;
        let objectives = options.pred_objectives.expand("pred_objectives", count).map_err(each)?;
        let dynamic = options.dynamic_thresholding.expand("dynamic_thresholding", count).map_err(each)?;
        let mut unets = Vec::new();
        for (index, arguments) in options.unets.iter().enumerate() {
            let prefix = super::prefix(checkpoint, index).ok_or_else(|| {
                ConvertError::malformed(path, format!("it holds no weights of the U-Net {}", index + 1))
            })?;
            let config = self.config(index, arguments, checkpoint, &prefix)?;
            let schedule = ScheduleConfig {
                kind: self.noise_schedule(index)?,
                train_steps: timesteps[index] as usize,
                beta_start: 1e-4,
                beta_end: 0.02,
                prediction: self.objective(&objectives[index])?,
                variance: Variance::default(),
                spacing: Default::default(),
                steps_offset: 0,
            };
            let thresholding = match dynamic[index] {
                // The package's scale has no maximum.
                true => Thresholding::Dynamic { quantile: options.dynamic_thresholding_percentile, max: f32::MAX },
                false => Thresholding::Static { max: 1.0 },
            };
            let guided = options.condition_on_text && options.cond_drop_prob > 0.0;
            let image_size = sizes[index];
            unets.push(Unet {
                path: path.to_owned(),
                prefix,
                config,
                network: if index == 0 { "unet".to_owned() } else { format!("super_res_{image_size}") },
                image_size,
                conditioning: if index == 0 { None } else { Some(self.conditioning(timesteps[index])?) },
                schedule,
                defaults: StageDefaults {
                    sampler: Sampler::Ddpm,
                    steps: timesteps[index],
                    guidance: if guided { GUIDANCE } else { 1.0 },
                    orthogonal_guidance: true,
                    thresholding,
                },
            });
        }
        Ok(unets)
    }

    fn check(&self) -> Result<(), ConvertError> {
        let options = &self.options;
        if options.unets.is_empty() {
            return Err(ConvertError::malformed(self.path, "unets is missing: it lists the arguments of every U-Net"));
        }
        if options.video {
            return self.refuse("video", true, "false");
        }
        if options.channels != 3 {
            return self.refuse("channels", options.channels, "3");
        }
        match options.other.iter().find(|(name, _)| !WITHOUT_EFFECT.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, value)) => {
                Err(ConvertError::malformed(self.path, format!("the option {name} = {value} is not supported")))
            }
        }
    }

    /// The options of a U-Net as `Imagen` changes them.
    fn config(
        &self,
        index: usize,
        arguments: &Map<String, Value>,
        checkpoint: &Checkpoint,
        prefix: &str,
    ) -> Result<EfficientUNetConfig, ConvertError> {
        let failed = |error| ConvertError::UNet { path: self.path.display().to_string(), error };
        if arguments.contains_key("is_null") {
            let reason = format!("the U-Net {} is a NullUnet, which gives no pictures", index + 1);
            return Err(ConvertError::malformed(self.path, reason));
        }
        let given = arguments.iter().filter(|(_, value)| !value.is_null());
        let given: Map<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut config: EfficientUNetConfig = serde_json::from_value(given.into())
            .map_err(|error| ConvertError::malformed(self.path, format!("unets[{index}]: {error}")))?;
        config.lowres_cond = index > 0;
        config.cond_on_text = self.options.condition_on_text;
        let text = checkpoint.get(&format!("{prefix}text_to_cond.weight"));
        config.text_embed_dim = text.and_then(|tensor| tensor.shape.last().copied());
        (config.channels, config.channels_out) = (3, None);
        config.validate().map_err(failed)?;
        Ok(config)
    }

    /// Where fewer are named than there are U-Nets, the first two are cosine and the others linear.
    fn noise_schedule(&self, index: usize) -> Result<ScheduleKind, ConvertError> {
        let named = match &self.options.noise_schedules {
            PerBlock::All(name) => std::slice::from_ref(name),
            PerBlock::Each(names) => names,
        };
        let name = named.get(index).map_or(if index < 2 { "cosine" } else { "linear" }, String::as_str);
        self.schedule_kind("noise_schedules", name)
    }

    fn schedule_kind(&self, option: &'static str, name: &str) -> Result<ScheduleKind, ConvertError> {
        match name {
            "cosine" => Ok(ScheduleKind::CosineLogSnr),
            "linear" => Ok(ScheduleKind::LinearLogSnr),
            other => self.refuse(option, other, "cosine or linear"),
        }
    }

    fn objective(&self, name: &str) -> Result<Prediction, ConvertError> {
        match name {
            "noise" => Ok(Prediction::Epsilon),
            "x_start" => Ok(Prediction::Sample),
            "v" => Ok(Prediction::VPrediction),
            other => self.refuse("pred_objectives", other, "noise, x_start or v"),
        }
    }

    fn conditioning(&self, timesteps: u32) -> Result<Conditioning, ConvertError> {
        let options = &self.options;
        let upsample = match options.resize_mode.as_str() {
            "nearest" => Filter::Nearest,
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            other => return self.refuse("resize_mode", other, "nearest, bilinear or bicubic"),
        };
        // Levels are whole timesteps here.
        let level = options.lowres_sample_noise_level * timesteps as f32;
        let whole = level.round().max(0.0) as u32;
        if !(level.is_finite() && (level - whole as f32).abs() <= 1e-3 && (1..timesteps).contains(&whole)) {
            let value = options.lowres_sample_noise_level;
            return self.refuse("lowres_sample_noise_level", value, "a whole number of timesteps above 0 and below 1");
        }
        let aug_schedule = Some(self.schedule_kind("lowres_noise_schedule", &options.lowres_noise_schedule)?);
        Ok(Conditioning { upsample, aug_level: whole, aug_levels: None, aug_schedule })
    }

    fn refuse<T>(
        &self,
        option: &'static str,
        value: impl ToString,
        supported: &'static str,
    ) -> Result<T, ConvertError> {
        let (path, value) = (self.path.display().to_string(), value.to_string());
        Err(ConvertError::Option { path, option, value, supported })
    }
}
