//! diffusers' `scheduler_config.json`: the schedule and the thresholding.

use super::{ConvertError, output};
use crate::diffusion::{Prediction, Sampler, Schedule, ScheduleConfig, ScheduleKind, Spacing, Thresholding, Variance};
use serde::Deserialize;
use std::path::Path;

/// What a scheduler's configuration says.
pub(super) struct Scheduler {
    pub schedule: ScheduleConfig,
    pub thresholding: Thresholding,
    pub sampler: Sampler,
}

/// The options of diffusers' schedulers that matter here, with diffusers' defaults.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    num_train_timesteps: usize,
    beta_start: f64,
    beta_end: f64,
    beta_schedule: String,
    trained_betas: Option<Vec<f64>>,
    rescale_betas_zero_snr: bool,
    prediction_type: String,
    variance_type: Option<String>,
    timestep_spacing: String,
    steps_offset: u32,
    clip_sample: bool,
    clip_sample_range: f32,
    thresholding: bool,
    dynamic_thresholding_ratio: f32,
    sample_max_value: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 1e-4,
            beta_end: 0.02,
            beta_schedule: "linear".to_owned(),
            trained_betas: None,
            rescale_betas_zero_snr: false,
            prediction_type: "epsilon".to_owned(),
            variance_type: None,
            timestep_spacing: "leading".to_owned(),
            steps_offset: 0,
            clip_sample: true,
            clip_sample_range: 1.0,
            thresholding: false,
            dynamic_thresholding_ratio: 0.995,
            sample_max_value: 1.0,
        }
    }
}

/// Reads `folder/scheduler_config.json`.
pub(super) fn read(folder: &Path) -> Result<Scheduler, ConvertError> {
    let path = folder.join("scheduler_config.json");
    let bytes = output::read(&path, "the stage's noise schedule is read from it")?;
    let options: Options = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(&path, error))?;
    let unsupported = |option, value: &str, supported| {
        Err(ConvertError::Option { path: path.display().to_string(), option, value: value.to_owned(), supported })
    };
    if options.trained_betas.is_some() {
        return unsupported("trained_betas", "a list", "a named beta_schedule");
    }
    if options.rescale_betas_zero_snr {
        return unsupported("rescale_betas_zero_snr", "true", "false");
    }
    let kind = match options.beta_schedule.as_str() {
        "linear" => ScheduleKind::Linear,
        "scaled_linear" => ScheduleKind::ScaledLinear,
        "squaredcos_cap_v2" => ScheduleKind::SquaredCosCapV2,
        other => return unsupported("beta_schedule", other, "linear, scaled_linear or squaredcos_cap_v2"),
    };
    let Some(prediction) = prediction(&options.prediction_type) else {
        return unsupported("prediction_type", &options.prediction_type, "epsilon, sample or v_prediction");
    };
    let variance = match options.variance_type.as_deref() {
        None | Some("fixed_small" | "fixed_small_log") => Variance::FixedSmall,
        Some("fixed_large" | "fixed_large_log") => Variance::FixedLarge,
        Some("learned_range") => Variance::LearnedRange,
        Some(other) => return unsupported("variance_type", other, "fixed_small, fixed_large or learned_range"),
    };
    let spacing = match options.timestep_spacing.as_str() {
        "trailing" => Spacing::Trailing,
        "leading" => Spacing::Leading,
        "linspace" => Spacing::Linspace,
        other => return unsupported("timestep_spacing", other, "trailing, leading or linspace"),
    };
    let schedule = ScheduleConfig {
        kind,
        train_steps: options.num_train_timesteps,
        beta_start: options.beta_start,
        beta_end: options.beta_end,
        prediction,
        variance,
        spacing,
        steps_offset: options.steps_offset,
    };
    Schedule::new(&schedule).map_err(|error| ConvertError::malformed(&path, error))?;
    let thresholding = if options.thresholding {
        Thresholding::Dynamic { quantile: options.dynamic_thresholding_ratio, max: options.sample_max_value }
    } else if options.clip_sample {
        Thresholding::Static { max: options.clip_sample_range }
    } else {
        Thresholding::None
    };
    // A learned variance is of use to DDPM alone.
    let sampler = if variance == Variance::LearnedRange { Sampler::Ddpm } else { Sampler::Ddim { eta: 0.0 } };
    Ok(Scheduler { schedule, thresholding, sampler })
}

/// DeepFloyd IF's scheduler, for a U-Net that comes without its own.
pub(super) fn deepfloyd(super_resolution: bool, learned_variance: bool) -> Scheduler {
    let variance = if learned_variance { Variance::LearnedRange } else { Variance::FixedSmall };
    let schedule = ScheduleConfig {
        kind: ScheduleKind::SquaredCosCapV2,
        train_steps: 1000,
        beta_start: 1e-4,
        beta_end: 0.02,
        prediction: Prediction::Epsilon,
        variance,
        spacing: Spacing::Leading,
        steps_offset: 0,
    };
    let max = if super_resolution { 1.0 } else { 1.5 };
    Scheduler { schedule, thresholding: Thresholding::Dynamic { quantile: 0.95, max }, sampler: Sampler::Ddpm }
}

/// Checks that the conditioning augmentation adds noise as the stage itself does: a cascade has one schedule per stage.
pub(super) fn same_noise(folder: &Path, stage: &Scheduler) -> Result<(), ConvertError> {
    let noising = read(folder)?.schedule;
    let noise = |schedule: &ScheduleConfig| Schedule::new(schedule).map(|schedule| schedule.alphas_cumprod().to_vec());
    if noise(&noising).ok() == noise(&stage.schedule).ok() {
        return Ok(());
    }
    Err(ConvertError::Option {
        path: folder.join("scheduler_config.json").display().to_string(),
        option: "beta_schedule",
        value: format!("{:?}", noising.kind),
        supported: "the schedule of the stage itself",
    })
}

/// What the network predicts, by diffusers' names or by short ones.
pub(super) fn prediction(name: &str) -> Option<Prediction> {
    match name {
        "epsilon" => Some(Prediction::Epsilon),
        "sample" => Some(Prediction::Sample),
        "v" | "v_prediction" => Some(Prediction::VPrediction),
        _ => None,
    }
}
