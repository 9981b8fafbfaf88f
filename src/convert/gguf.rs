//! A text encoder that is GGUF already, with the tokenizer that it carries (llama.cpp's `convert_hf_to_gguf.py`).
//!
//! A file with nothing but the encoder is copied as it is. Of a whole T5 the decoder is left out, and the files of a split
//! one become one; blocks are never taken apart, so the formats stay.

use super::output::Output;
use super::text::{TEXT_ENCODER_FILE, TOKENIZER};
use super::vocabulary::Vocabulary;
use super::{ConvertError, Progress, output};
use crate::cascade::manifest::FileEntry;
use crate::text::T5Config;
use crate::weights::{FileSource, GgufWriter, Metadata, Piece, WeightIndex, Weights};
use pollster::block_on;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Parts of a split file at most: a larger number is damage.
const MAX_PARTS: u32 = 999;

/// Writes the tokenizer that the file carries; nothing where it carries none.
pub(super) fn tokenizer(
    source: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Option<FileEntry>, ConvertError> {
    let unusable = |reason: String| ConvertError::malformed(source, reason);
    let weights = parts(source)?.swap_remove(0);
    if weights.metadata().string("tokenizer.ggml.model").is_none() {
        progress(Progress::Note("the text encoder's file carries no tokenizer: convert T5's tokenizer.json too"));
        return Ok(None);
    }
    let vocabulary = Vocabulary::from_gguf(weights.metadata()).map_err(unusable)?;
    let json = vocabulary.to_json().map_err(|error| unusable(error.to_string()))?;
    let entry = output::write(out, TOKENIZER, json.as_bytes())?;
    progress(Progress::File { file: TOKENIZER, size: entry.size });
    Ok(Some(entry))
}

/// Writes the text encoder, after a look at what it is. `source` may be any part of a split file.
pub(super) fn text_encoder(
    source: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    let mut parts = parts(source)?;
    let metadata = parts[0].metadata().clone();
    let architecture = metadata.architecture();
    if !["t5", "t5encoder"].contains(&architecture) {
        let reason = format!("it holds the architecture {architecture:?}; a text encoder is t5 or t5encoder");
        return Err(ConvertError::malformed(source, reason));
    }
    let mut tensors = WeightIndex::new();
    for tensor in parts.iter().flat_map(Weights::tensors) {
        tensors.insert(tensor.name.as_str(), tensor.shape.as_slice(), tensor.format);
    }
    T5Config::from_metadata(parts[0].name(), &metadata, &tensors)
        .map_err(|error| ConvertError::Text { path: source.display().to_string(), error })?;
    let whole = parts.len() == 1 && parts[0].tensors().iter().all(|tensor| of_encoder(&tensor.name));
    let entry = if whole { copy(source, out)? } else { join(&mut parts, encoder_metadata(&metadata), out, progress)? };
    progress(Progress::File { file: TEXT_ENCODER_FILE, size: entry.size });
    Ok(entry)
}

fn open(path: &Path) -> Result<Weights, ConvertError> {
    Ok(block_on(Weights::open(Box::new(FileSource::open(path)?)))?)
}

/// The file, or all files of a split one in order: `NAME-00001-of-00003.gguf`, as llama.cpp's `gguf-split` names them.
fn parts(source: &Path) -> Result<Vec<Weights>, ConvertError> {
    let first = open(source)?;
    let count = first.metadata().u32("split.count").unwrap_or(1);
    if count <= 1 {
        return Ok(vec![first]);
    }
    let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.rsplit_once("-of-").and_then(|(start, _)| start.rsplit_once('-')).map(|(stem, _)| stem);
    let (Some(stem), true) = (stem, count <= MAX_PARTS) else {
        let reason = format!("it is one of {count} parts, which are named NAME-00001-of-{count:05}.gguf and so on");
        return Err(ConvertError::malformed(source, reason));
    };
    let part = |number: u32| {
        let path: PathBuf = source.with_file_name(format!("{stem}-{number:05}-of-{count:05}.gguf"));
        if !path.is_file() {
            return Err(ConvertError::missing(&path, "it is a part of the text encoder; download it too"));
        }
        open(&path)
    };
    (1..=count).map(part).collect()
}

/// Whether a tensor belongs to the encoder, by llama.cpp's or by Hugging Face's names.
fn of_encoder(name: &str) -> bool {
    ["token_embd.", "enc.", "shared.", "encoder."].iter().any(|start| name.starts_with(start))
}

fn copy(source: &Path, out: &Path) -> Result<FileEntry, ConvertError> {
    let mut file = File::open(source).map_err(|error| ConvertError::read(source, &error))?;
    let mut copy = Output::create(out, TEXT_ENCODER_FILE)?;
    std::io::copy(&mut file, &mut copy).map_err(|error| ConvertError::write(&out.join(TEXT_ENCODER_FILE), &error))?;
    copy.finish()
}

/// What is known of the encoder, under the keys of a file that holds nothing else. The vocabulary is written beside it.
fn encoder_metadata(metadata: &Metadata) -> Metadata {
    let mut kept = Metadata::new("t5encoder");
    for (key, value) in metadata.iter() {
        let elsewhere = ["general.architecture", "split.", "tokenizer."];
        if !elsewhere.iter().any(|start| key.starts_with(start)) && !key.contains("decoder") {
            let key = key.strip_prefix("t5.").map_or_else(|| key.to_owned(), |rest| format!("t5encoder.{rest}"));
            kept.set(&key, value.clone());
        }
    }
    kept
}

/// Writes the encoder's tensors of all parts into one file.
fn join(
    parts: &mut [Weights],
    metadata: Metadata,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FileEntry, ConvertError> {
    let mut writer = GgufWriter::new(out.join(TEXT_ENCODER_FILE).display().to_string(), metadata);
    for tensor in parts.iter().flat_map(Weights::tensors).filter(|tensor| of_encoder(&tensor.name)) {
        writer.declare(&tensor.name, &tensor.shape, tensor.format)?;
    }
    let total = writer.bytes();
    let mut body = writer.begin(Output::create(out, TEXT_ENCODER_FILE)?)?;
    let mut done = 0;
    for part in parts {
        let mut write = |piece: Piece<'_>| {
            done += piece.bytes.len() as u64;
            progress(Progress::Tensor { file: TEXT_ENCODER_FILE, tensor: &piece.tensor.name, done, total });
            body.bytes(piece.bytes)
        };
        block_on(part.stream_where(&of_encoder, &mut write))?;
    }
    body.finish()?.finish()
}
