//! The settings of fine-tuning, from what was given to what a run takes.

use super::setting::{at_least, positive, setting, share};
use crate::train::{Layers, LoraOptions, PriorOptions, TrainError};
use bytesize::ByteSize;
use serde_json::Value;
use std::path::Path;

/// Disk that embeddings of captions may take.
const TEXT_CACHE: ByteSize = ByteSize::gib(2);
/// Samples of the model itself.
const PRIOR_PICTURES: usize = 64;

/// Adapters, where a rank is given that is not 0.
pub(super) fn lora(
    rank: Option<usize>,
    scale: Option<f64>,
    layers: Option<Vec<Layers>>,
    (fresh, text): (bool, bool),
) -> Result<Option<LoraOptions>, TrainError> {
    let Some(rank) = rank.filter(|&rank| rank > 0) else { return Ok(None) };
    if fresh || text {
        let other = if fresh { "fresh" } else { "train-text" };
        return Err(setting(
            "lora-rank",
            format!("adapters belong to weights that stay; leave out {other}, or the rank"),
        ));
    }
    let layers = layers.unwrap_or_else(|| vec![Layers::Attention, Layers::Linear]);
    let scale = positive("lora-scale", scale.unwrap_or(1.0))?;
    Ok(Some(LoraOptions { rank: at_least("lora-rank", rank, 1)?, scale, layers }))
}

/// Samples of the model itself, where they have a share.
pub(super) fn prior(
    share_of: Option<f32>,
    pictures: Option<usize>,
    prompts: Option<&Path>,
    examples: &[String],
) -> Result<Option<PriorOptions>, TrainError> {
    let Some(share_of) = share_of.filter(|&share| share != 0.0) else { return Ok(None) };
    if share("prior-share", share_of)? >= 1.0 {
        return Err(setting("prior-share", "with 1 none of the pictures would be learnt"));
    }
    let prompts = match prompts {
        None => examples.to_vec(),
        Some(path) => {
            let unreadable = |error| setting("prior-prompts", format!("cannot read {}: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        }
    };
    if prompts.is_empty() {
        return Err(setting("prior-prompts", "there are none, in the model neither; give a file with one a line"));
    }
    let pictures = at_least("prior-pictures", pictures.unwrap_or(PRIOR_PICTURES), 1)?;
    Ok(Some(PriorOptions { share: share_of, pictures, prompts }))
}

/// Bytes for embeddings of captions.
pub(super) fn text_cache(size: Option<&str>) -> Result<u64, TrainError> {
    let size = size.map_or(Ok(TEXT_CACHE), str::parse::<ByteSize>);
    Ok(size.map_err(|error| setting("text-cache", error))?.as_u64())
}

/// A name of [`Layers`].
pub(super) fn layers(name: &str) -> Result<Layers, String> {
    serde_json::from_value(Value::from(name)).map_err(|_| "choose of attention, linear, convolution".to_owned())
}
