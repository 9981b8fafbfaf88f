//! The tokenizer and the text encoder.

use super::checkpoint::Checkpoint;
use super::network::{self, Plan};
use super::vocabulary::Vocabulary;
use super::{ConvertError, Mixture, Progress, output};
use crate::cascade::manifest::FileEntry;
use crate::text::t5::{T5Config, llama_cpp_name};
use crate::weights::{Metadata, wanted_tensors};
use burn::tensor::Device;
use serde::Deserialize;
use std::path::Path;

pub(crate) const TEXT_ENCODER_FILE: &str = "text_encoder.gguf";
pub(super) const TOKENIZER: &str = "tokenizer.json";
const SENTENCEPIECE: &str = "spiece.model";
/// The maximum distance is not stored in GGUF: every program takes this one.
const MAX_DISTANCE: usize = 128;
/// T5 was trained on this many tokens; nothing depends on it.
pub(crate) const CONTEXT: u32 = 512;

/// Copies `tokenizer.json` of a folder, or makes it from a SentencePiece model.
pub(super) fn tokenizer(
    folder: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    let (json, model) = (folder.join(TOKENIZER), folder.join(SENTENCEPIECE));
    let (path, bytes) = if !json.is_file() && model.is_file() {
        let bytes = output::read(&model, "it was there a moment ago")?;
        let unusable = |reason: String| ConvertError::malformed(&model, reason);
        let vocabulary = Vocabulary::from_sentencepiece(&bytes).map_err(unusable)?;
        let bytes = vocabulary.to_json().map_err(|error| unusable(error.to_string()))?.into_bytes();
        (model, bytes)
    } else {
        let bytes = output::read(&json, "the folder needs it, or spiece.model")?;
        (json, bytes)
    };
    if let Err(error) = crate::text::Tokenizer::from_bytes(&bytes, CONTEXT as usize, false) {
        return Err(ConvertError::Text { path: path.display().to_string(), error });
    }
    let entry = output::write(out, TOKENIZER, &bytes)?;
    progress(Progress::File { file: TOKENIZER, size: entry.size });
    Ok(entry)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Class {
    architectures: Option<Vec<String>>,
    n_positions: Option<u32>,
}

/// Converts the text encoder of a folder. A checkpoint of the whole T5 will do: its decoder is left out.
pub(super) fn encoder(
    folder: &Path,
    out: &Path,
    mixture: Mixture,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    let path = folder.join("config.json");
    let json = output::read(&path, "the encoder's sizes are read from it")?;
    let class: Class = serde_json::from_slice(&json).map_err(|error| ConvertError::malformed(&path, error))?;
    let known = ["T5EncoderModel", "T5ForConditionalGeneration", "T5Model", "T5WithLMHeadModel"];
    if let Some(class) = class.architectures.iter().flatten().find(|class| !known.contains(&class.as_str())) {
        let (path, class) = (path.display().to_string(), class.clone());
        return Err(ConvertError::Class { path, class, supported: "transformers' T5EncoderModel" });
    }
    let config =
        T5Config::from_json(&json).map_err(|error| ConvertError::Text { path: path.display().to_string(), error })?;
    if config.relative_attention_max_distance != MAX_DISTANCE {
        return Err(ConvertError::Option {
            path: path.display().to_string(),
            option: "relative_attention_max_distance",
            value: config.relative_attention_max_distance.to_string(),
            supported: "128",
        });
    }
    let checkpoint = Checkpoint::open(folder, "model")?;
    let mut plans = Vec::new();
    let wanted = wanted_tensors(&config.init(&Device::flex()), &str::to_owned);
    let formats = mixture.formats(wanted.iter().map(|(name, tensor)| (name.as_str(), tensor.stored.as_slice())));
    for (name, tensor) in wanted {
        let format = formats[&name];
        let to = llama_cpp_name(&name);
        let tied = name == "shared.weight" && checkpoint.get(&name).is_none();
        let from = if tied { "encoder.embed_tokens.weight".to_owned() } else { name };
        plans.push(Plan { from, to, tensor, format });
    }
    generation(&checkpoint, &plans)?;
    let known = |name: &str| {
        let outside = ["decoder.", "lm_head.", "encoder.embed_tokens."];
        outside.iter().any(|prefix| name.starts_with(prefix)) || plans.iter().any(|plan| plan.from == name)
    };
    if let Some(name) = checkpoint.names().find(|name| !known(name)) {
        return Err(checkpoint.tensor_error(name, "config.json describes a network that does not have it"));
    }
    let metadata = metadata(&config, class.n_positions.unwrap_or(CONTEXT));
    network::write(checkpoint, &plans, metadata, (out, TEXT_ENCODER_FILE), progress)
}

/// T5 v1.0 has one way into its feed-forward, v1.1 two: a checkpoint of one with the configuration of the other is told apart
/// from one that lacks a tensor.
fn generation(checkpoint: &Checkpoint, plans: &[Plan]) -> Result<(), ConvertError> {
    let missing = plans.iter().find(|plan| checkpoint.get(&plan.from).is_none());
    let Some(name) = missing.map(|plan| plan.from.as_str()) else { return Ok(()) };
    let reason = match name.split_once("DenseReluDense.wi") {
        Some((layer, rest)) => {
            let (other, version) = if rest == ".weight" { ("_0.weight", "1.1") } else { (".weight", "1.0") };
            let other = format!("{layer}DenseReluDense.wi{other}");
            checkpoint
                .get(&other)
                .map(|_| format!("it is missing, but there is {other}: is this a T5 v{version} checkpoint?"))
        }
        None => None,
    };
    match reason {
        Some(reason) => Err(checkpoint.tensor_error(name, &reason)),
        None => Ok(()),
    }
}

/// The keys that llama.cpp's converter writes.
pub(crate) fn metadata(config: &T5Config, context: u32) -> Metadata {
    let mut metadata = Metadata::new("t5encoder");
    // Sizes were checked to be far below 2³².
    let mut size = |key: &str, value: usize| metadata.set(&format!("t5encoder.{key}"), value as u32);
    size("context_length", context as usize);
    size("embedding_length", config.d_model);
    size("feed_forward_length", config.d_ff);
    size("block_count", config.num_layers);
    size("attention.head_count", config.num_heads);
    size("attention.key_length", config.d_kv);
    size("attention.value_length", config.d_kv);
    size("attention.relative_buckets_count", config.relative_attention_num_buckets);
    metadata.set("t5encoder.attention.layer_norm_rms_epsilon", config.layer_norm_epsilon as f32);
    metadata
}
