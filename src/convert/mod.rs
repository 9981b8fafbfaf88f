//! Importers: Hugging Face folders to a cascade directory of GGUF files (native only).
//!
//! In: a cascade's folder that holds any of `tokenizer/`, `text_encoder/` (transformers' `T5EncoderModel`), `unet/`,
//! `super_res_1/`, `super_res_2/` (diffusers' `UNet2DConditionModel`), the folders of their schedulers, and `cascade.json`
//! with what those configurations cannot say; pipelines of DeepFloyd IF, which are such folders, one per stage; or a lone
//! text encoder (a folder, or GGUF) or U-Net; or a checkpoint of imagen-pytorch. Weights are safetensors or pickles of `torch.save`. Out: `imagen.json`,
//! `tokenizer.json`, one GGUF file per network, and the model card.
//!
//! Tensors are converted one after the other, a piece at a time: memory does not grow with the model.

mod assembly;
mod card;
mod checkpoint;
mod description;
mod error;
mod gguf;
mod imagen_pytorch;
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
#[cfg(feature = "train")]
pub(crate) use network::write_tensors;
#[cfg(feature = "train")]
pub(crate) use output::{Staging, write};
pub use quantization::{Mixture, Quantization};
#[cfg(feature = "train")]
pub(crate) use stage::metadata as unet_metadata;
#[cfg(feature = "train")]
pub(crate) use text::{CONTEXT, TEXT_ENCODER_FILE, metadata as text_metadata};

use crate::cascade::manifest::{Manifest, StageManifest};
use assembly::Converted;
use recipe::{Recipe, TextEncoderSource, TokenizerSource};
use std::collections::BTreeSet;
use std::path::Path;

/// The text encoder's name among the networks.
const TEXT_ENCODER: &str = "text_encoder";

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

/// Converts the parts that the `sources` hold into the cascade directory `out`, beside the parts that it holds already.
///
/// Where several sources hold a tokenizer or a text encoder, as the pipelines of DeepFloyd IF's stages do, the first one
/// is taken. `quantize` says how the large weight matrices of each network are stored; norms, biases and position tables
/// stay F32.
///
/// # Errors
/// [`ConvertError`] names the file, option or tensor; `out` is then as it was before.
pub fn convert(
    sources: &[impl AsRef<Path>],
    out: &Path,
    quantize: &Quantization,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ConvertError> {
    convert_with(sources, None, out, quantize, progress)
}

/// [`convert`] with a JSON file of the arguments with which a checkpoint of imagen-pytorch was made: needed where the
/// checkpoint does not hold them.
///
/// # Errors
/// As [`convert`].
pub fn convert_with(
    sources: &[impl AsRef<Path>],
    config: Option<&Path>,
    out: &Path,
    quantize: &Quantization,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ConvertError> {
    let mut recipes = Vec::new();
    for source in sources {
        recipes.push(Recipe::read(source.as_ref(), config)?);
    }
    check_stages(out, &recipes)?;
    check_networks(&recipes, quantize)?;
    if out.exists() && sources.iter().any(|source| out.canonicalize().ok() == source.as_ref().canonicalize().ok()) {
        return Err(ConvertError::Folder { path: out.display().to_string(), reason: "it is the source too".into() });
    }
    let existing = assembly::existing(out)?;
    check_files(out, &recipes, existing.as_ref())?;
    let staging = output::Staging::create(out)?;
    let folder = staging.path();
    let mut converted = Converted::default();
    if let Some(tokenizer) = recipes.iter().find_map(|recipe| recipe.tokenizer.as_ref()) {
        converted.tokenizer = match tokenizer {
            TokenizerSource::Folder(source) => Some(text::tokenizer(source, folder, progress)?),
            TokenizerSource::Gguf(file) => gguf::tokenizer(file, folder, progress)?,
        };
    }
    if let Some(encoder) = recipes.iter().find_map(|recipe| recipe.text_encoder.as_ref()) {
        converted.text_encoder = Some(match encoder {
            TextEncoderSource::Folder(source) => text::encoder(source, folder, quantize.of(TEXT_ENCODER), progress)?,
            TextEncoderSource::Gguf(file) => {
                if *quantize != Quantization::default() {
                    progress(Progress::Note("a text encoder in GGUF keeps the formats that it has"));
                }
                gguf::text_encoder(file, folder, progress)?
            }
        });
    }
    for stage in recipes.iter_mut().flat_map(|recipe| std::mem::take(&mut recipe.stages)) {
        let network = stage.network();
        let mixture = quantize.of(network);
        if stage.assumed_scheduler() {
            progress(Progress::Note(&format!("{network} came without a scheduler; DeepFloyd IF's is taken")));
        }
        converted.stages.push(stage.convert(folder, mixture, progress)?);
    }
    assembly::write((folder, out), &recipes, converted, existing, progress)?;
    staging.publish()
}

/// No two stages may have the same size: they would be one stage of the cascade.
fn check_stages(out: &Path, recipes: &[Recipe]) -> Result<(), ConvertError> {
    let mut sizes = BTreeSet::new();
    match recipes.iter().flat_map(|recipe| &recipe.stages).find(|stage| !sizes.insert(stage.image_size())) {
        None => Ok(()),
        Some(stage) => {
            let reason = format!("two of the sources hold a stage of {0}×{0} pixels", stage.image_size());
            Err(ConvertError::Folder { path: out.display().to_string(), reason })
        }
    }
}

/// No file may be written that another part of the cascade uses.
fn check_files(out: &Path, recipes: &[Recipe], existing: Option<&Manifest>) -> Result<(), ConvertError> {
    let stages: Vec<_> = recipes.iter().flat_map(|recipe| &recipe.stages).collect();
    let stays = |stage: &&StageManifest| stages.iter().all(|new| new.image_size() != stage.image_size);
    let kept = existing.into_iter().flat_map(|manifest| &manifest.stages).filter(stays);
    let mut taken: BTreeSet<String> = kept.map(|stage| stage.weights.file.clone()).collect();
    taken.insert(format!("{TEXT_ENCODER}.gguf"));
    match stages.iter().map(|stage| format!("{}.gguf", stage.network())).find(|file| !taken.insert(file.clone())) {
        None => Ok(()),
        Some(file) => {
            let reason = format!("two parts of the model would be called {file}; convert one into another folder");
            Err(ConvertError::Folder { path: out.display().to_string(), reason })
        }
    }
}

/// Every network that is to be quantised in a way of its own has to be there.
fn check_networks(recipes: &[Recipe], quantize: &Quantization) -> Result<(), ConvertError> {
    let mut networks = Vec::new();
    if recipes.iter().any(|recipe| recipe.text_encoder.is_some()) {
        networks.push(TEXT_ENCODER);
    }
    networks.extend(recipes.iter().flat_map(|recipe| &recipe.stages).map(|stage| stage.network()));
    match quantize.networks().find(|network| !networks.contains(network)) {
        None => Ok(()),
        Some(network) => Err(ConvertError::Quantize { network: network.to_owned(), networks: networks.join(", ") }),
    }
}
