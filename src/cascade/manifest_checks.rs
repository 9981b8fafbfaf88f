//! Checks of a manifest's values. A manifest may come from anywhere: nothing in it is trusted with a path or a size.

use super::manifest::{FORMAT, FileEntry, Manifest, PIECE_BYTES, StageManifest, Target};
use crate::diffusion::{Schedule, Thresholding};
use std::collections::BTreeSet;

/// More than any published U-Net or text encoder in f32; a size beyond it is a mistake.
const MAX_FILE_BYTES: u64 = 64 << 30;
const MAX_STAGES: usize = 8;
const MAX_IMAGE_SIZE: u32 = 4096;
const MAX_TOKENS: usize = 4096;
const MAX_STEPS: u32 = 100_000;

/// Returns the first fault, in words that name the field.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    if manifest.format != FORMAT {
        return Err(format!(
            "format is {}, this version reads {FORMAT}: convert the model again or update imagen-web",
            manifest.format
        ));
    }
    if let Some(entry) = &manifest.tokenizer.file {
        file("tokenizer", entry)?;
    }
    within("tokenizer.max_length", manifest.tokenizer.max_length, 1, MAX_TOKENS)?;
    if let Some(entry) = &manifest.text_encoder {
        file("text_encoder", entry)?;
    }
    if manifest.text_encoder.is_none() && manifest.stages.is_empty() {
        return Err("it names neither a text_encoder nor stages: there is nothing to run".to_owned());
    }
    if let Some(card) = &manifest.card {
        plain_name("card", card)?;
    }
    within("the number of stages", manifest.stages.len(), 0, MAX_STAGES)?;
    let mut names = BTreeSet::new();
    for entry in manifest.files() {
        if !names.insert(&entry.file) {
            return Err(format!("the file name {:?} is used twice", entry.file));
        }
    }
    for (index, stage) in manifest.stages.iter().enumerate() {
        check_stage(&format!("stages[{index}]"), stage)?;
        let Some(before) = index.checked_sub(1).and_then(|before| manifest.stages.get(before)) else { continue };
        if stage.conditioning.is_none() {
            return Err(format!("stages[{index}].conditioning is missing: only the first stage goes without"));
        }
        if stage.image_size <= before.image_size {
            return Err(format!(
                "stages[{index}].image_size is {}, it must be larger than that of the stage before ({})",
                stage.image_size, before.image_size
            ));
        }
    }
    Ok(())
}

fn check_stage(at: &str, stage: &StageManifest) -> Result<(), String> {
    within(&format!("{at}.image_size"), stage.image_size, 8, MAX_IMAGE_SIZE)?;
    file(&format!("{at}.weights"), &stage.weights)?;
    if let Target::Residual { scale } = stage.target {
        within(&format!("{at}.target.scale"), scale, f32::MIN_POSITIVE, 100.0)?;
        if stage.conditioning.is_none() {
            return Err(format!("{at}.target is a residual, which needs {at}.conditioning"));
        }
    }
    let wanted = if stage.conditioning.is_some() { 6 } else { 3 };
    let channels = stage.unet.input_channels();
    if channels != wanted {
        return Err(format!(
            "{at}.unet takes {channels} channels of pixels, expected {wanted}: is it another stage's?"
        ));
    }
    let multiple = stage.unet.granularity().map_err(|error| format!("{at}.unet: {error}"))?;
    if !matches!(stage.unet.output_channels(), 3 | 6) {
        let channels = stage.unet.output_channels();
        return Err(format!("{at}.unet gives {channels} channels of pixels, expected 3, or 6 with a learned variance"));
    }
    if !(stage.image_size as usize).is_multiple_of(multiple.max(1)) {
        return Err(format!("{at}.image_size is {}, its U-Net needs a multiple of {multiple}", stage.image_size));
    }
    Schedule::new(&stage.schedule).map_err(|error| format!("{at}.schedule: {error}"))?;
    check_levels(at, stage)?;
    let defaults = &stage.defaults;
    within(&format!("{at}.defaults.steps"), defaults.steps, 1, MAX_STEPS)?;
    within(&format!("{at}.defaults.guidance"), defaults.guidance, 0.0, 100.0)?;
    if defaults.orthogonal_guidance && !stage.unet.learnt_null_text() {
        return Err(format!("{at}.defaults.orthogonal_guidance is for networks of imagen-pytorch only"));
    }
    thresholding(&format!("{at}.defaults.thresholding"), defaults.thresholding)
}

/// The augmentation's levels are timesteps of the schedule, and the default is one that was trained.
fn check_levels(at: &str, stage: &StageManifest) -> Result<(), String> {
    let Some(conditioning) = stage.conditioning else { return Ok(()) };
    let last = stage.schedule.train_steps as u32 - 1;
    let [low, high] = conditioning.aug_levels.unwrap_or([0, last]);
    within(&format!("{at}.conditioning.aug_levels"), high, low, last)?;
    within(&format!("{at}.conditioning.aug_level"), conditioning.aug_level, low, high)
}

/// Checks the ranges of a thresholding setting.
pub(super) fn thresholding(at: &str, value: Thresholding) -> Result<(), String> {
    match value {
        Thresholding::None => Ok(()),
        Thresholding::Static { max } => within(&format!("{at}.max"), max, 0.01, 1000.0),
        Thresholding::Dynamic { quantile, max } => {
            within(&format!("{at}.quantile"), quantile, 0.0, 1.0)?;
            within(&format!("{at}.max"), max, 1.0, f32::MAX)
        }
    }
}

fn file(at: &str, entry: &FileEntry) -> Result<(), String> {
    plain_name(&format!("{at}.file"), &entry.file)?;
    within(&format!("{at}.size"), entry.size, 1, MAX_FILE_BYTES)?;
    hash(&format!("{at}.sha256"), &entry.sha256)?;
    pieces(at, entry)
}

/// All pieces or none are listed, and a single piece is the whole file.
fn pieces(at: &str, entry: &FileEntry) -> Result<(), String> {
    let (listed, expected) = (entry.pieces.len() as u64, entry.size.div_ceil(PIECE_BYTES));
    if listed == 0 {
        return Ok(());
    }
    if listed != expected {
        let size = entry.size;
        return Err(format!("{at}.pieces lists {listed} pieces, a file of {size} bytes has {expected} of 16 MiB"));
    }
    for (index, piece) in entry.pieces.iter().enumerate() {
        hash(&format!("{at}.pieces[{index}]"), piece)?;
    }
    if expected == 1 && entry.pieces[0] != entry.sha256 {
        return Err(format!("{at}.pieces[0] is the whole file, yet differs from {at}.sha256"));
    }
    Ok(())
}

fn hash(at: &str, digits: &str) -> Result<(), String> {
    let hexadecimal = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if digits.len() != 64 || !digits.bytes().all(hexadecimal) {
        return Err(format!("{at} must be 64 lower-case hexadecimal digits, got {digits:?}"));
    }
    Ok(())
}

/// A name without any way out of the model's folder, on every system and in a URL.
fn plain_name(at: &str, name: &str) -> Result<(), String> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(allowed) {
        return Err(format!("{at} is {name:?}; it must be a plain file name of letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

fn within<T: PartialOrd + std::fmt::Display>(what: &str, value: T, low: T, high: T) -> Result<(), String> {
    // Written so that NaN is refused.
    if value >= low && value <= high {
        Ok(())
    } else {
        Err(format!("{what} must be between {low} and {high}, got {value}"))
    }
}
