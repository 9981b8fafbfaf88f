//! The manifest of the output: what lay there before, and what has been converted now.
//!
//! A cascade may be converted part by part into one directory. A new part takes the place of the old one of its kind; of
//! the stages, that of the same image size.

use super::recipe::{Prompts, Recipe, folder_name};
use super::{ConvertError, Progress, card, output};
use crate::cascade::manifest::{FORMAT, FileEntry, MANIFEST_FILE, Manifest, StageManifest, TokenizerFile};
use std::collections::BTreeSet;
use std::path::Path;

/// Prompts of a text encoder of which no U-Net has said anything yet: as many tokens as published cascades take.
const USUAL_PROMPTS: Prompts = Prompts { max_length: 77, lowercase: false };

/// The licence of a model of which nobody has named one.
const UNKNOWN: &str = "unknown";

/// What was converted.
#[derive(Default)]
pub(super) struct Converted {
    pub tokenizer: Option<FileEntry>,
    pub text_encoder: Option<FileEntry>,
    pub stages: Vec<StageManifest>,
}

/// The manifest that is in the directory, where there is one.
pub(super) fn existing(out: &Path) -> Result<Option<Manifest>, ConvertError> {
    let path = out.join(MANIFEST_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Some(Manifest::from_json(&output::read(&path, "it was there a moment ago")?)?))
}

/// Writes the manifest, and the model card of the first source that has one, into `folder`; `out` is where they go then.
pub(super) fn write(
    (folder, out): (&Path, &Path),
    recipes: &[Recipe],
    converted: Converted,
    existing: Option<Manifest>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), ConvertError> {
    let mut card = existing.as_ref().and_then(|manifest| manifest.card.clone());
    for source in recipes.iter().filter_map(|recipe| recipe.card.as_deref()) {
        if card.is_none() {
            card = card::copy(source, folder)?;
        }
    }
    let licenses = licenses(recipes);
    let first = |field: fn(&Recipe) -> Option<&String>| recipes.iter().find_map(field).cloned();
    // One source is the model; of several, the directory's name says what they are together.
    let name = match recipes {
        [recipe] => recipe.name.clone(),
        _ => None,
    };
    let mut manifest = existing.unwrap_or_else(|| Manifest {
        format: FORMAT,
        name: name.unwrap_or_else(|| folder_name(out)),
        version: first(|recipe| recipe.version.as_ref()).unwrap_or_else(|| "1.0.0".to_owned()),
        license: UNKNOWN.to_owned(),
        card: None,
        examples: Vec::new(),
        tokenizer: TokenizerFile {
            file: None,
            max_length: USUAL_PROMPTS.max_length,
            lowercase: USUAL_PROMPTS.lowercase,
        },
        text_encoder: None,
        stages: Vec::new(),
    });
    let before: BTreeSet<String> = manifest.files().map(|file| file.file.clone()).collect();
    manifest.license = together(&manifest.license, licenses);
    manifest.card = card;
    if let Some(recipe) = recipes.iter().find(|recipe| !recipe.examples.is_empty()) {
        manifest.examples.clone_from(&recipe.examples);
    }
    set_prompts(&mut manifest, recipes, progress);
    manifest.tokenizer.file = converted.tokenizer.or(manifest.tokenizer.file);
    manifest.text_encoder = converted.text_encoder.or(manifest.text_encoder);
    for stage in converted.stages {
        manifest.stages.retain(|old| old.image_size != stage.image_size);
        manifest.stages.push(stage);
    }
    manifest.stages.sort_by_key(|stage| stage.image_size);
    manifest.validate()?;
    output::write(folder, MANIFEST_FILE, manifest.to_json()?.as_bytes())?;
    let now: BTreeSet<String> = manifest.files().map(|file| file.file.clone()).collect();
    for file in before.difference(&now) {
        progress(Progress::Note(&format!("{file} is no longer a part of the model")));
    }
    for (part, missing) in [
        ("tokenizer", manifest.tokenizer.file.is_none()),
        ("text encoder", manifest.text_encoder.is_none()),
        ("U-Net", manifest.stages.is_empty()),
    ] {
        if missing {
            progress(Progress::Note(&format!("the model has no {part} yet; convert one into the same folder")));
        }
    }
    Ok(())
}

/// Prompts are brought to the tokenizer as the U-Nets were trained: those that were there first decide.
fn set_prompts(manifest: &mut Manifest, recipes: &[Recipe], progress: &mut dyn FnMut(Progress<'_>)) {
    let mut told = recipes.iter().filter_map(|recipe| recipe.prompts);
    let kept = Prompts { max_length: manifest.tokenizer.max_length, lowercase: manifest.tokenizer.lowercase };
    let prompts = if manifest.stages.is_empty() { told.next().unwrap_or(kept) } else { kept };
    if told.any(|other| other != prompts) {
        let case = if prompts.lowercase { ", in lower case" } else { "" };
        progress(Progress::Note(&format!(
            "the stages were trained on prompts of different lengths or cases; the model's are {} tokens{case}",
            prompts.max_length
        )));
    }
    (manifest.tokenizer.max_length, manifest.tokenizer.lowercase) = (prompts.max_length, prompts.lowercase);
}

/// The licences of all sources.
fn licenses(recipes: &[Recipe]) -> BTreeSet<String> {
    let of = |recipe: &Recipe| recipe.license.clone().or_else(|| card::license(recipe.card.as_deref()?));
    recipes.iter().filter_map(of).collect()
}

/// One SPDX expression for what is there and what comes in addition.
fn together(before: &str, mut licenses: BTreeSet<String>) -> String {
    licenses.extend(before.split(" AND ").filter(|license| *license != UNKNOWN).map(str::to_owned));
    if licenses.is_empty() { UNKNOWN.to_owned() } else { licenses.into_iter().collect::<Vec<_>>().join(" AND ") }
}
