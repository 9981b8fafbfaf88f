//! `imagen finetune`: `imagen train` with the settings that suit a handful of pictures.

use super::exit::Failure;
use super::train;
use super::train_settings::Settings;
use crate::cascade::Manifest;
use crate::train::{TrainError, data};
use clap::Args;
use std::path::PathBuf;

/// Teaches a model something new from 10 to 200 pictures with captions.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  imagen finetune --pictures windmills -o run
  imagen generate --lora run/adapter.safetensors -p \"a red windmill in a meadow\" -o windmill.png
  imagen train export run -o models/mine

Trains low-rank adapters of the first stage, with samples of the model itself among the pictures. All settings of `imagen
train` hold, with other defaults: docs/training.md.")]
pub struct Finetune {
    /// A folder of pictures, each with its caption beside it: cat.png, cat.txt.
    #[arg(long, value_name = "DIR", conflicts_with = "data")]
    pictures: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// Updates for each picture, and how many at least and at most.
const UPDATES: u64 = 30;
const LEAST: u64 = 400;
const MOST: u64 = 2000;
/// Sheets of a run.
const SHEETS: u64 = 8;
/// The user's captions on a sheet; as many of the model's prompts follow.
const CAPTIONS: usize = 2;

pub(super) fn run(options: &Finetune, json: bool) -> Result<(), Failure> {
    let mut settings = options.settings.clone();
    settings.data = options.pictures.clone().or(settings.data);
    train::begin(&settings, preset, json)
}

/// What holds for a few pictures where nothing else is said.
fn preset(given: &Settings, manifest: &Manifest) -> Result<Settings, TrainError> {
    let mut preset = Settings::default();
    (preset.batch, preset.rate, preset.weight_decay) = (Some(4), Some(1e-3), Some(0.0));
    (preset.lora_rank, preset.prior_share, preset.checkpoint_every) = (Some(16), Some(0.5), Some(100));
    // Where there is no data, the run's own check says so.
    let Some(path) = &given.data else { return Ok(preset) };
    let pictures = data::open(path)?;
    let updates = given.steps.unwrap_or((UPDATES * pictures.len() as u64).clamp(LEAST, MOST));
    (preset.steps, preset.sheet_every) = (Some(updates), Some(updates.div_ceil(SHEETS)));
    let captions = (0..pictures.len()).filter_map(|index| pictures.read(index).ok()).map(|record| record.caption);
    preset.prompts = captions.take(CAPTIONS).chain(manifest.examples.iter().take(CAPTIONS).cloned()).collect();
    Ok(preset)
}
