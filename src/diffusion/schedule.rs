//! Noise schedules: how much signal is left at each training timestep.
//!
//! The betas are those of DDPM (2006.11239, linear), latent diffusion (scaled_linear) and Improved DDPM (2102.09672,
//! squaredcos_cap_v2), computed in the precision that PyTorch computes them in, so that ᾱ is the one that a
//! checkpoint was trained with: the same bits for the cosine, the last bits aside for the linear kinds (where torch's
//! own depend on the processor).

use std::f64::consts::FRAC_PI_2;

use serde::{Deserialize, Serialize};

use super::{DiffusionError, Prediction, Spacing, continuous};

/// The shape of the betas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Equally spaced from beta_start to beta_end.
    Linear,
    /// Squares of equally spaced roots.
    ScaledLinear,
    /// ᾱ follows a squared cosine, betas at most 0.999. beta_start and beta_end are not used.
    #[serde(rename = "squaredcos_cap_v2")]
    SquaredCosCapV2,
    /// imagen-pytorch's cosine in continuous time, of which the timesteps are equal parts. No betas.
    CosineLogSnr,
    /// imagen-pytorch's linear schedule in continuous time. No betas.
    LinearLogSnr,
}

/// The variance of DDPM's reverse step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variance {
    /// The posterior's variance β̃.
    #[default]
    FixedSmall,
    /// β itself.
    FixedLarge,
    /// The network's second half of the channels chooses between the logarithms of both.
    LearnedRange,
}

/// A schedule as a manifest or a diffusers scheduler config describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// The shape of the betas.
    pub kind: ScheduleKind,
    /// Number of training timesteps, at least 1.
    #[serde(default = "default_train_steps")]
    pub train_steps: usize,
    /// First beta, in (0, 1).
    #[serde(default = "default_beta_start")]
    pub beta_start: f64,
    /// Last beta, in (0, 1).
    #[serde(default = "default_beta_end")]
    pub beta_end: f64,
    /// What the network predicts.
    pub prediction: Prediction,
    /// Variance of DDPM's reverse step.
    #[serde(default)]
    pub variance: Variance,
    /// How fewer steps are spread over the training timesteps.
    #[serde(default)]
    pub spacing: Spacing,
    /// Added to every timestep of the leading spacing.
    #[serde(default)]
    pub steps_offset: u32,
}

fn default_train_steps() -> usize {
    1000
}

fn default_beta_start() -> f64 {
    1e-4
}

fn default_beta_end() -> f64 {
    0.02
}

/// Longest schedule that is accepted; a manifest is not trusted with memory.
const MAX_TRAIN_STEPS: usize = 100_000;

/// A schedule with its cumulative products.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: ScheduleConfig,
    alphas_cumprod: Vec<f32>,
}

impl Schedule {
    /// Computes ᾱ for every training timestep.
    ///
    /// # Errors
    /// [`DiffusionError::Schedule`] where the number of timesteps or the betas are out of range.
    pub fn new(config: &ScheduleConfig) -> Result<Self, DiffusionError> {
        let unusable = |reason: String| Err(DiffusionError::Schedule { reason });
        if !(1..=MAX_TRAIN_STEPS).contains(&config.train_steps) {
            return unusable(format!("train_steps is {}, expected 1 to {MAX_TRAIN_STEPS}", config.train_steps));
        }
        for (name, beta) in [("beta_start", config.beta_start), ("beta_end", config.beta_end)] {
            if !(beta > 0.0 && beta < 1.0) {
                return unusable(format!("{name} is {beta}, expected a value between 0 and 1"));
            }
        }
        let alphas_cumprod = match config.kind {
            ScheduleKind::CosineLogSnr | ScheduleKind::LinearLogSnr => continuous_alphas(config),
            _ => cumulative_product(&betas(config)),
        };
        // Samplers divide by ᾱ, by 1 − ᾱ and by differences of their logarithms.
        let levels = || std::iter::once(1.0).chain(alphas_cumprod.iter().copied()).chain([0.0]);
        if levels().zip(levels().skip(1)).any(|(before, after)| after >= before) {
            return unusable("its betas are too small or too large for this many timesteps".to_owned());
        }
        Ok(Self { config: config.clone(), alphas_cumprod })
    }

    /// The description it was made from.
    pub fn config(&self) -> &ScheduleConfig {
        &self.config
    }

    /// ᾱ of every training timestep, `[train_steps]`, falling from almost 1 to almost 0.
    pub fn alphas_cumprod(&self) -> &[f32] {
        &self.alphas_cumprod
    }

    /// What a network is told of noise at this timestep: the timestep, or in continuous time the logarithm of the
    /// signal-to-noise ratio.
    pub fn told(&self, timestep: u32) -> f32 {
        let time = timestep as f32 / self.config.train_steps as f32;
        continuous::log_snr(self.config.kind, time).unwrap_or(timestep as f32)
    }

    /// ᾱ at a timestep of a checked grid; after the last one comes the clean picture, ᾱ = 1.
    pub(super) fn alpha_bar(&self, timestep: Option<u32>) -> f32 {
        timestep.and_then(|t| self.alphas_cumprod.get(t as usize).copied()).unwrap_or(1.0)
    }
}

fn betas(config: &ScheduleConfig) -> Vec<f32> {
    let steps = config.train_steps;
    match config.kind {
        ScheduleKind::Linear => linspace(config.beta_start as f32, config.beta_end as f32, steps),
        ScheduleKind::ScaledLinear => {
            let (start, end) = (libm::sqrt(config.beta_start), libm::sqrt(config.beta_end));
            linspace(start as f32, end as f32, steps).into_iter().map(|root| root * root).collect()
        }
        ScheduleKind::SquaredCosCapV2 => {
            let alpha_bar = |step: usize| {
                let cos = libm::cos((step as f64 / steps as f64 + 0.008) / 1.008 * FRAC_PI_2);
                cos * cos
            };
            (0..steps).map(|i| (1.0 - alpha_bar(i + 1) / alpha_bar(i)).min(0.999) as f32).collect()
        }
        ScheduleKind::CosineLogSnr | ScheduleKind::LinearLogSnr => Vec::new(),
    }
}

/// ᾱ of the times that the timesteps stand for, from time 0 on.
fn continuous_alphas(config: &ScheduleConfig) -> Vec<f32> {
    let time = |i: usize| i as f32 / config.train_steps as f32;
    let ratios = (0..config.train_steps).filter_map(|i| continuous::log_snr(config.kind, time(i)));
    ratios.map(continuous::sigmoid).collect()
}

/// As torch.linspace in f32: from both ends towards the middle.
pub(super) fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    if count == 1 {
        return vec![start];
    }
    let step = (end - start) / (count - 1) as f32;
    let value = |i: usize| if i < count / 2 { start + step * i as f32 } else { end - step * (count - 1 - i) as f32 };
    (0..count).map(value).collect()
}

/// As torch.cumprod on the CPU: factors in f32, accumulated in f64, every product rounded to f32.
fn cumulative_product(betas: &[f32]) -> Vec<f32> {
    betas
        .iter()
        .scan(1.0f64, |product, &beta| {
            *product *= f64::from(1.0 - beta);
            Some(*product as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<ScheduleConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn manifests_are_read_with_defaults() {
        let full = r#"{"kind":"squaredcos_cap_v2","train_steps":1000,"beta_start":0.0001,"beta_end":0.02,
            "prediction":"v_prediction","variance":"fixed_small","spacing":"leading","steps_offset":0,"new":1}"#;
        let short = r#"{"kind":"squaredcos_cap_v2","prediction":"v_prediction"}"#;
        assert_eq!(config(full).unwrap(), config(short).unwrap());
        let error = config(r#"{"kind":"linear"}"#).unwrap_err().to_string();
        assert!(error.contains("prediction"), "{error}");
        assert!(config(r#"{"kind":"sigmoid","prediction":"epsilon"}"#).is_err());
    }

    #[test]
    fn impossible_schedules_are_errors() {
        let linear = config(r#"{"kind":"linear","prediction":"epsilon"}"#).unwrap();
        let schedule = |config: ScheduleConfig| Schedule::new(&config).map(drop);
        assert_eq!(schedule(linear.clone()), Ok(()));
        for train_steps in [0, usize::MAX] {
            assert!(schedule(ScheduleConfig { train_steps, ..linear.clone() }).is_err());
        }
        for beta in [0.0, 1.0, -1.0, f64::NAN, 1e-9] {
            assert!(schedule(ScheduleConfig { beta_start: beta, ..linear.clone() }).is_err(), "{beta}");
        }
        // The product falls below the smallest f32.
        assert!(schedule(ScheduleConfig { beta_start: 0.5, beta_end: 0.9, ..linear.clone() }).is_err());
        assert_eq!(schedule(ScheduleConfig { train_steps: 1, ..linear }), Ok(()));
    }
}
