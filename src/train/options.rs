//! The settings of a run, all checked.

use super::{Focus, Hardware, LoraOptions, OptimizerOptions, Precision, PriorOptions, Rate, Weighting};
use std::path::PathBuf;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The model to begin from, or whose architecture is taken.
    pub model: PathBuf,
    /// The stage, by the size of its pictures.
    pub stage: u32,
    /// Begin with random weights.
    pub fresh: bool,
    /// Train the text encoder too.
    pub text_encoder: bool,
    /// Train adapters, and no weights.
    pub lora: Option<LoraOptions>,
    /// Mix in the model's own samples.
    pub prior: Option<PriorOptions>,
    /// Bytes on disk for embeddings of captions, of a text encoder that is not trained; 0 keeps none.
    pub text_cache: u64,
    pub data: PathBuf,
    pub device: Hardware,
    pub precision: Precision,
    /// The run's folder.
    pub out: PathBuf,
    pub seed: u64,
    /// Updates of the whole run.
    pub updates: u64,
    /// Examples of an update; see [`Loading::batch`](super::data::Loading::batch).
    pub batch: usize,
    /// Examples in memory at a time.
    pub at_once: usize,
    /// Pixels per side of crops; none for whole pictures.
    pub crops: Vec<usize>,
    pub workers: usize,
    pub rate: Rate,
    pub optimizer: OptimizerOptions,
    pub weighting: Weighting,
    /// Factor of the variational bound, for a learned variance.
    pub bound: f32,
    pub drop_caption: f32,
    pub unaugmented: f32,
    pub flip: bool,
    pub focus: Focus,
    /// Updates between checkpoints, and between sheets of samples; 0 is none of them but the last.
    pub checkpoint_every: u64,
    pub sheet_every: u64,
    /// Prompts of the sheets.
    pub prompts: Vec<String>,
}
