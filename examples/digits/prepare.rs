//! The two folders that a training begins from: digits as IDX files, and a model that has a text encoder, and stages only by name.

use super::strokes;
use fastrand::Rng;
use imagen_web::cascade::Manifest;
use imagen_web::cascade::manifest::StageManifest;
use std::error::Error;
use std::fs;
use std::path::Path;

/// What the stages look like.
const STAGES: &str = include_str!("stages.json");

/// Writes `count` digits as MNIST's files are written: type, sizes and values, all big-endian.
pub fn data(folder: &Path, count: usize, seed: u64) -> Result<(), Box<dyn Error>> {
    let mut random = Rng::with_seed(seed);
    let labels: Vec<u8> = (0..count).map(|_| random.u8(0..10)).collect();
    let pixels: Vec<u8> = labels.iter().flat_map(|label| strokes::draw(*label, &mut random)).collect();
    let size = |size: usize| (size as u32).to_be_bytes();
    let [all, side] = [size(count), size(strokes::SIZE)];
    fs::create_dir_all(folder)?;
    fs::write(folder.join("train-images-idx3-ubyte"), [&[0, 0, 8, 3][..], &all, &side, &side, &pixels].concat())?;
    fs::write(folder.join("train-labels-idx1-ubyte"), [&[0, 0, 8, 1][..], &all, &labels].concat())?;
    Ok(())
}

/// Writes a model with the text encoder and the tokenizer of another one, and stages that are still to be trained.
pub fn model(other: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut manifest = Manifest::from_json(&fs::read(other.join("imagen.json"))?)?;
    let stages: Vec<StageManifest> = serde_json::from_str(STAGES)?;
    manifest.name = "digits".to_owned();
    manifest.card = None;
    manifest.examples = (0..8).map(|digit| format!("digit {digit}")).collect();
    // "digit 7" is eight pieces of storybook's tokenizer, which knows the word by its letters.
    manifest.tokenizer.max_length = 12;
    manifest.stages = stages;
    fs::create_dir_all(folder)?;
    let parts = [&manifest.tokenizer.file, &manifest.text_encoder].into_iter().flatten();
    for part in parts {
        fs::copy(other.join(&part.file), folder.join(&part.file))?;
    }
    fs::write(folder.join("imagen.json"), manifest.to_json()?)?;
    Ok(())
}
