//! A lone text encoder that is GGUF already: taken as it is, with the tokenizer that it carries.

use super::output::Output;
use super::text::{FOLDER, TOKENIZER};
use super::vocabulary::Vocabulary;
use super::{ConvertError, Progress, output};
use crate::text::T5Config;
use crate::weights::{FileSource, WeightIndex, Weights};
use std::fs::File;
use std::path::Path;

/// Copies the file, after a look at what it is, and writes its tokenizer beside it.
pub(super) fn text_encoder(
    source: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ConvertError> {
    let unusable = |reason: String| ConvertError::malformed(source, reason);
    let weights = pollster::block_on(Weights::open(Box::new(FileSource::open(source)?)))?;
    let architecture = weights.metadata().architecture();
    if !["t5", "t5encoder"].contains(&architecture) {
        return Err(unusable(format!("it holds the architecture {architecture:?}; a text encoder is t5 or t5encoder")));
    }
    T5Config::from_metadata(weights.name(), weights.metadata(), &WeightIndex::from(&weights))
        .map_err(|error| ConvertError::Text { path: source.display().to_string(), error })?;
    if weights.metadata().string("tokenizer.ggml.model").is_some() {
        let vocabulary = Vocabulary::from_gguf(weights.metadata()).map_err(unusable)?;
        let json = vocabulary.to_json().map_err(|error| unusable(error.to_string()))?;
        let entry = output::write(out, TOKENIZER, json.as_bytes())?;
        progress(Progress::File { file: TOKENIZER, size: entry.size });
    } else {
        progress(Progress::Note("the file carries no tokenizer: put T5's tokenizer.json beside it"));
    }
    let mut file = File::open(source).map_err(|error| ConvertError::read(source, &error))?;
    let name = format!("{FOLDER}.gguf");
    let mut copy = Output::create(out, &name)?;
    std::io::copy(&mut file, &mut copy).map_err(|error| ConvertError::write(&out.join(&name), &error))?;
    let entry = copy.finish()?;
    progress(Progress::File { file: &name, size: entry.size });
    Ok(())
}
