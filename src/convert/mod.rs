//! Importers: Hugging Face folders to a cascade directory of GGUF files (native only).
//!
//! In: a folder that holds any of `tokenizer/`, `text_encoder/` (transformers' `T5EncoderModel`), `unet/`, `super_res_1/`,
//! `super_res_2/` (diffusers' `UNet2DConditionModel`), the folders of their schedulers, and `cascade.json` with what those
//! configurations cannot say. A published DeepFloyd IF pipeline is such a folder. Weights are safetensors or pickles of
//! `torch.save`. Out: `imagen.json`, `tokenizer.json`, one GGUF file per network, and the model card. A text encoder that is
//! GGUF already may come by itself.
//!
//! Tensors are converted one after the other, a piece at a time: memory does not grow with the model.

mod card;
mod checkpoint;
mod description;
mod error;
mod gguf;
mod network;
mod output;
mod quantization;
mod recipe;
mod scheduler;
mod stage;
#[cfg(test)]
mod tests;
mod text;
mod vocabulary;

pub use error::ConvertError;
pub use quantization::{Mixture, Quantization};

use crate::cascade::manifest::{FORMAT, MANIFEST_FILE, Manifest, TokenizerFile};
use crate::weights::BlockFormat;
use recipe::Recipe;
use std::path::Path;

/// What a conversion reports while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A tensor of `file` was converted: `done` of `total` bytes of its values are written.
    Tensor { file: &'a str, tensor: &'a str, done: u64, total: u64 },
    /// A file is complete.
    File { file: &'a str, size: u64 },
    /// Something that the user should know.
    Note(&'a str),
}

/// Converts the folder, or the text encoder's GGUF file, `source` into the cascade directory `out`.
///
/// `quantize` says how the large weight matrices of each network are stored; norms, biases and position tables stay F32.
///
/// `imagen.json` is written where the folder holds a tokenizer, a text encoder and at least one U-Net; else only the GGUF
/// files are, and a note says so.
///
/// # Errors
/// [`ConvertError`] names the file, option or tensor. Files that were finished before the error stay; the one that was
/// being written does not.
pub fn convert(
    source: &Path,
    out: &Path,
    quantize: &Quantization,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ConvertError> {
    if source.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf")) {
        std::fs::create_dir_all(out).map_err(|error| ConvertError::write(out, &error))?;
        if *quantize != BlockFormat::F16.into() {
            progress(Progress::Note("a GGUF file keeps the formats that it has"));
        }
        return gguf::text_encoder(source, out, progress);
    }
    let recipe = Recipe::read(source)?;
    let networks = std::iter::once(text::FOLDER).chain(recipe.stages.iter().map(|stage| stage.folder.as_str()));
    let networks: Vec<&str> = networks.filter(|folder| source.join(folder).is_dir()).collect();
    if let Some(folder) = quantize.folders().find(|folder| !networks.contains(folder)) {
        return Err(ConvertError::Quantize { network: folder.to_owned(), networks: networks.join(", ") });
    }
    std::fs::create_dir_all(out).map_err(|error| ConvertError::write(out, &error))?;
    if out.canonicalize().ok() == source.canonicalize().ok() {
        return Err(ConvertError::Folder { path: out.display().to_string(), reason: "it is the source too".into() });
    }
    let tokenizer = text::tokenizer(source, out, progress)?;
    let text_encoder = text::encoder(source, out, quantize.of(text::FOLDER), progress)?;
    let mut stages = Vec::new();
    for stage in &recipe.stages {
        if source.join(&stage.folder).is_dir() {
            stages.push(stage::convert(source, out, stage, quantize.of(&stage.folder), progress)?);
        }
    }
    let (Some(tokenizer), Some(text_encoder), false) = (&tokenizer, &text_encoder, stages.is_empty()) else {
        if tokenizer.is_none() && text_encoder.is_none() && stages.is_empty() {
            let reason = "it holds none of tokenizer/, text_encoder/, unet/, super_res_1/, super_res_2/".into();
            return Err(ConvertError::Folder { path: source.display().to_string(), reason });
        }
        progress(Progress::Note(
            "imagen.json was not written: it needs a tokenizer, a text encoder and at least one U-Net",
        ));
        return Ok(());
    };
    let card = card::copy(source, out)?;
    let manifest = Manifest {
        format: FORMAT,
        name: recipe.name,
        version: recipe.version,
        license: recipe.license.or_else(|| card::license(source)).unwrap_or_else(|| "unknown".to_owned()),
        card,
        examples: recipe.examples,
        tokenizer: TokenizerFile {
            file: tokenizer.clone(),
            max_length: recipe.max_length,
            lowercase: recipe.lowercase,
        },
        text_encoder: text_encoder.clone(),
        stages,
    };
    manifest.validate()?;
    output::write(out, MANIFEST_FILE, manifest.to_json()?.as_bytes())?;
    Ok(())
}
