//! The settings of `imagen train`: flags, and the same names in a TOML file. A flag wins over the file, the file over the default.

use super::setting::{at_least, below_one, decay, focus, hardware, positive, precision, setting, share};
use super::{model, tuning};
use crate::cascade::Manifest;
use crate::cascade::manifest::MANIFEST_FILE;
use crate::train::{
    Decay, Focus, Hardware, Layers, OptimizerOptions, Precision, Rate, RunOptions, TrainError, Weighting,
};
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Prompts of a sheet where nobody names any: the model's first examples.
const PROMPTS: usize = 8;

/// What can be set. `None` is the default.
#[derive(Clone, Debug, Default, Deserialize, Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// A TOML file with these settings, under the same names.
    #[arg(long, value_name = "FILE.toml")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Folder of the model to begin from [default: as in `imagen generate`].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// The stage to train, by the size of its pictures [default: the model's first].
    #[arg(long, value_name = "SIZE")]
    stage: Option<u32>,
    /// Begin with random weights: only the model's architecture is taken.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    fresh: Option<bool>,
    /// Train the text encoder together with the stage.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    train_text: Option<bool>,
    /// A folder of pictures with NAME.txt or metadata.jsonl, WebDataset shards (.tar), or IDX files as MNIST's.
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// The run's folder: checkpoint, log.csv, TensorBoard's events, sheets.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Seed of all choices [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Updates of the whole run [default: 1000].
    #[arg(long, value_name = "N")]
    pub(super) steps: Option<u64>,
    /// Examples of an update [default: 16]; of crops smaller than the largest there are more.
    #[arg(long, value_name = "N")]
    pub(super) batch: Option<usize>,
    /// Examples in memory at a time: a larger batch is split, with the same result [default: the batch].
    #[arg(long, value_name = "N")]
    max_batch_size: Option<usize>,
    /// Sizes of super-resolution's crops in pixels, one of them per update [default: whole pictures].
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    crops: Option<Vec<usize>>,
    /// Threads that decode pictures [default: 1].
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// CPU threads [default: all].
    #[arg(long, value_name = "N")]
    threads: Option<u16>,
    /// Where to train: cpu, gpu (Vulkan, Metal, DirectX 12) or cuda [default: cpu].
    #[arg(long, value_name = "NAME", value_parser = hardware)]
    device: Option<Hardware>,
    /// The type that the U-Net computes in, where the device has it: f32, bf16 or f16. Weights are kept in f32 [default: f32].
    #[arg(long, value_name = "TYPE", value_parser = precision)]
    precision: Option<Precision>,
    /// Learning rate after the warm-up [default: 1e-4].
    #[arg(long, value_name = "RATE")]
    pub(super) rate: Option<f64>,
    /// Learning rate at the end of a cosine [default: a twentieth of the rate].
    #[arg(long, value_name = "RATE")]
    last_rate: Option<f64>,
    /// Updates until the full rate [default: a tenth of the run, at most 500].
    #[arg(long, value_name = "N")]
    warm_up: Option<u64>,
    /// How the rate goes on: cosine or constant [default: cosine].
    #[arg(long, value_name = "NAME", value_parser = decay)]
    decay: Option<Decay>,
    /// AdamW's decay of the mean gradient [default: 0.9].
    #[arg(long, value_name = "SHARE")]
    beta_1: Option<f32>,
    /// AdamW's decay of the mean squared gradient [default: 0.999].
    #[arg(long, value_name = "SHARE")]
    beta_2: Option<f32>,
    /// AdamW's weight decay [default: 0.01].
    #[arg(long, value_name = "RATE")]
    pub(super) weight_decay: Option<f32>,
    /// Norm to which gradients are clipped [default: 1].
    #[arg(long, value_name = "NORM")]
    clip: Option<f32>,
    /// Decay of the weights' moving average, which is what is exported [default: 0.999].
    #[arg(long, value_name = "SHARE")]
    ema: Option<f64>,
    /// Weight noise levels by min-SNR-γ with this γ; 5 is usual [default: all the same].
    #[arg(long, value_name = "GAMMA")]
    min_snr: Option<f32>,
    /// Factor of the variational bound where the variance is learned [default: 0.001].
    #[arg(long, value_name = "FACTOR")]
    vlb: Option<f32>,
    /// Part of the examples that lose their caption, for guidance [default: 0.1].
    #[arg(long, value_name = "SHARE")]
    drop_caption: Option<f32>,
    /// Part of super-resolution's examples whose small picture stays without noise [default: 0.1].
    #[arg(long, value_name = "SHARE")]
    unaugmented: Option<f32>,
    /// Mirror half of the pictures, but for those whose caption says left or right [default: true].
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    flip: Option<bool>,
    /// Draw this part of the timesteps around one of them, as in 0.5:600:180 (share, mean, deviation); the rest is uniform
    /// [default: all uniform].
    #[arg(long, value_name = "SHARE:MEAN:DEVIATION")]
    focus: Option<String>,
    /// Updates between checkpoints; 0 writes the last one only [default: 500].
    #[arg(long, value_name = "N")]
    pub(super) checkpoint_every: Option<u64>,
    /// Updates between sheets of samples; 0 writes none [default: 0].
    #[arg(long, value_name = "N")]
    pub(super) sheet_every: Option<u64>,
    /// Prompts of the sheets of a first stage [default: the model's examples]. May be given several times.
    #[arg(long = "prompt", value_name = "TEXT")]
    #[serde(default)]
    pub(super) prompts: Vec<String>,
    /// Train low-rank adapters of this rank and leave the weights as they are; 0 trains the weights.
    #[arg(long, value_name = "RANK")]
    pub(super) lora_rank: Option<usize>,
    /// What the adapters' products are multiplied by [default: 1].
    #[arg(long, value_name = "SCALE")]
    lora_scale: Option<f64>,
    /// Layers with adapters: attention, linear, convolution [default: attention,linear].
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = tuning::layers)]
    lora_layers: Option<Vec<Layers>>,
    /// Part of the examples that are the model's own samples, so that it keeps what it knew.
    #[arg(long, value_name = "SHARE")]
    pub(super) prior_share: Option<f32>,
    /// How many samples of its own the model makes at the start [default: 64].
    #[arg(long, value_name = "N")]
    prior_pictures: Option<usize>,
    /// A file with the prompts of these samples, one a line [default: the model's examples].
    #[arg(long, value_name = "FILE")]
    prior_prompts: Option<PathBuf>,
    /// Disk that embeddings of captions may take, which a text encoder that is not trained makes once; 0 keeps none
    /// [default: 2GiB].
    #[arg(long, value_name = "SIZE")]
    text_cache: Option<String>,
}

impl Settings {
    /// The settings of the file, with those of the flags over them.
    fn merged(&self) -> Result<Self, TrainError> {
        let Some(path) = &self.config else { return Ok(self.clone()) };
        let unusable = |reason: String| TrainError::Settings { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let file: Self = toml::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        Ok(self.over(file))
    }

    /// These settings, and others where these say nothing.
    fn over(&self, file: Self) -> Self {
        macro_rules! over {
            ($($field:ident),*) => {
                Self {
                    config: None,
                    prompts: if self.prompts.is_empty() { file.prompts } else { self.prompts.clone() },
                    $($field: self.$field.clone().or(file.$field)),*
                }
            };
        }
        over!(
            model,
            stage,
            fresh,
            train_text,
            data,
            output,
            seed,
            steps,
            batch,
            max_batch_size,
            crops,
            workers,
            threads,
            device,
            precision,
            rate,
            last_rate,
            warm_up,
            decay,
            beta_1,
            beta_2,
            weight_decay,
            clip,
            ema,
            min_snr,
            vlb,
            drop_caption,
            unaugmented,
            flip,
            focus,
            checkpoint_every,
            sheet_every,
            lora_rank,
            lora_scale,
            lora_layers,
            prior_share,
            prior_pictures,
            prior_prompts,
            text_cache
        )
    }

    /// A run's settings, all checked, and the number of threads. `preset` is what holds where nothing is said, as a function of
    /// what was and of the model.
    pub(super) fn resolve(
        &self,
        preset: impl FnOnce(&Self, &Manifest) -> Result<Self, TrainError>,
    ) -> Result<(RunOptions, Option<u16>), super::Failure> {
        let all = self.merged()?;
        let model = model::find(all.model.as_deref())?;
        let manifest = read_manifest(&model)?;
        let all = all.over(preset(&all, &manifest)?);
        let needed = |name: &'static str| setting(name, "it is missing; give it as a flag or in the --config file");
        let stage = all.stage.or_else(|| manifest.stages.first().map(|stage| stage.image_size));
        let updates = at_least("steps", all.steps.unwrap_or(1000), 1)?;
        let batch = at_least("batch", all.batch.unwrap_or(16), 1)?;
        let peak = positive("rate", all.rate.unwrap_or(1e-4))?;
        let usual = OptimizerOptions::default();
        let optimizer = OptimizerOptions {
            beta_1: below_one("beta-1", all.beta_1.unwrap_or(usual.beta_1))?,
            beta_2: below_one("beta-2", all.beta_2.unwrap_or(usual.beta_2))?,
            weight_decay: share("weight-decay", all.weight_decay.unwrap_or(usual.weight_decay))?,
            clip: positive("clip", all.clip.unwrap_or(usual.clip).into())? as f32,
            ema: share("ema", all.ema.unwrap_or(usual.ema))?,
            ..usual
        };
        let rate = Rate {
            peak,
            last: at_least("last-rate", all.last_rate.unwrap_or(peak / 20.0), 0.0)?,
            warm_up: all.warm_up.unwrap_or((updates / 10).min(500)),
            decay: all.decay.unwrap_or_default(),
            updates,
        };
        let prompts = match all.prompts.is_empty() {
            true => manifest.examples.iter().take(PROMPTS).cloned().collect(),
            false => all.prompts,
        };
        let (fresh, text_encoder) = (all.fresh.unwrap_or(false), all.train_text.unwrap_or(false));
        let options = RunOptions {
            model,
            stage: stage.ok_or_else(|| needed("stage"))?,
            fresh,
            text_encoder,
            lora: tuning::lora(all.lora_rank, all.lora_scale, all.lora_layers, (fresh, text_encoder))?,
            prior: tuning::prior(
                all.prior_share,
                all.prior_pictures,
                all.prior_prompts.as_deref(),
                &manifest.examples,
            )?,
            text_cache: tuning::text_cache(all.text_cache.as_deref())?,
            data: all.data.ok_or_else(|| needed("data"))?,
            device: all.device.unwrap_or_default(),
            precision: all.precision.unwrap_or_default(),
            out: all.output.ok_or_else(|| needed("output"))?,
            seed: all.seed.unwrap_or(0),
            updates,
            batch,
            at_once: at_least("max-batch-size", all.max_batch_size.unwrap_or(usize::MAX), 1)?,
            crops: all.crops.unwrap_or_default(),
            workers: at_least("workers", all.workers.unwrap_or(1), 1)?,
            rate,
            optimizer,
            weighting: all.min_snr.map_or(Weighting::Plain, |gamma| Weighting::MinSnr { gamma }),
            bound: all.vlb.unwrap_or(0.001),
            drop_caption: share("drop-caption", all.drop_caption.unwrap_or(0.1))?,
            unaugmented: share("unaugmented", all.unaugmented.unwrap_or(0.1))?,
            flip: all.flip.unwrap_or(true),
            focus: all.focus.as_deref().map_or(Ok(Focus::default()), focus)?,
            checkpoint_every: all.checkpoint_every.unwrap_or(500),
            sheet_every: all.sheet_every.unwrap_or(0),
            prompts,
        };
        Ok((options, all.threads))
    }
}

fn read_manifest(model: &Path) -> Result<Manifest, super::Failure> {
    let bytes = std::fs::read(model.join(MANIFEST_FILE)).map_err(super::Failure::new)?;
    Ok(Manifest::from_json(&bytes)?)
}
