//! Pictures of the grammar's captions, made by a cascade into a folder. A folder that was begun is gone on with: what lies there is
//! not made again.

use super::EvaluateError;
use crate::cascade::{Cascade, CascadeError, Manifest, Observer, Request, picture_settings};
use crate::dataset::{Kind, Pairs, Scene};
use crate::image::png;
use crate::train::checkpoint::replace;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a folder's pictures are made with.
const ABOUT: &str = "evaluation.json";
/// Their captions.
const LIST: &str = "metadata.jsonl";

/// Which captions are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Composition {
    /// Of pairs of kind and colour that data for training show.
    Ordinary,
    /// One of the held-out pairs in each.
    HeldOut,
    /// This kind in each, such as one of [`Kind::NOVEL`].
    Of(Kind),
}

impl Composition {
    /// The caption of this seed and index.
    pub fn caption(self, seed: u64, index: u64) -> String {
        let pairs = match self {
            Self::Ordinary => Pairs::Usual,
            Self::HeldOut => Pairs::HeldOut,
            Self::Of(kind) => Pairs::Of(kind),
        };
        Scene::new(seed, index, pairs).caption
    }
}

/// A folder of samples.
#[derive(Clone, Debug)]
pub struct Samples {
    folder: PathBuf,
    /// Everything but prompt and seed.
    request: Request,
    composition: Composition,
    seed: u64,
    count: u64,
}

impl Samples {
    /// Makes the folder, or goes on with one of the same pictures: `model` says which weights make them, `request` with which
    /// settings and up to which stage. Picture `i` shows the `i`th caption of the seed, with noise of the seed `seed + i`.
    ///
    /// # Errors
    /// [`EvaluateError::Other`] where the folder holds pictures of something else, [`EvaluateError::Write`] where it cannot be
    /// written.
    pub fn open(
        folder: &Path,
        model: Value,
        request: Request,
        (composition, seed, count): (Composition, u64, u64),
    ) -> Result<Self, EvaluateError> {
        let path = folder.join(ABOUT);
        let failed = |reason: String| EvaluateError::write(&path, reason);
        let settings = serde_json::to_value(&request).map_err(|error| failed(error.to_string()))?;
        let about = json!({"model": model, "settings": settings, "captions": composition, "seed": seed});
        match fs::read(&path) {
            Ok(bytes) => {
                let before: Value =
                    serde_json::from_slice(&bytes).map_err(|error| EvaluateError::read(&path, error))?;
                let mut parts = ["model", "settings", "captions", "seed"].into_iter();
                if let Some(part) = parts.find(|part| before[*part] != about[*part]) {
                    let differs = format!("{part}: {} there, {} here", before[part], about[part]);
                    return Err(EvaluateError::Other { path: folder.display().to_string(), differs });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(folder).map_err(|error| EvaluateError::write(folder, error))?;
                replace(&path, format!("{about:#}\n").as_bytes()).map_err(|error| failed(error.to_string()))?;
            }
            Err(error) => return Err(EvaluateError::read(&path, error)),
        }
        Ok(Self { folder: folder.to_owned(), request, composition, seed, count })
    }

    fn path(&self, index: u64) -> PathBuf {
        self.folder.join(format!("{index:06}.png"))
    }

    /// Makes the pictures that are missing; `told` hears after each how many there are.
    ///
    /// # Errors
    /// Those of the cascade, with [`CascadeError::Cancelled`] where the observer stops it. What is finished stays.
    pub async fn draw(
        &self,
        cascade: &mut Cascade,
        observer: &mut dyn Observer,
        mut told: impl FnMut(u64),
    ) -> Result<(), EvaluateError> {
        let manifest = cascade.manifest().clone();
        let made = self.draw_all(cascade, &manifest, observer, &mut told).await;
        // Whatever happened, what lies there has its captions.
        let listed = self.list();
        made.and(listed)
    }

    async fn draw_all(
        &self,
        cascade: &mut Cascade,
        manifest: &Manifest,
        observer: &mut dyn Observer,
        told: &mut dyn FnMut(u64),
    ) -> Result<(), EvaluateError> {
        let stage = self.request.stop_at_stage.unwrap_or(manifest.stages.len()).saturating_sub(1);
        for index in 0..self.count {
            let path = self.path(index);
            if !path.is_file() {
                if observer.cancelled() {
                    return Err(CascadeError::Cancelled.into());
                }
                let prompt = self.composition.caption(self.seed, index);
                let request = Request { prompt, seed: self.seed.wrapping_add(index), ..self.request.clone() };
                let output = cascade.generate(&request, observer).await?;
                if let Some(picture) = output.pictures().first() {
                    let bytes = png::write(picture, &picture_settings(&request, manifest, stage)?)?;
                    replace(&path, &bytes).map_err(|error| EvaluateError::write(&path, error))?;
                }
            }
            told(index + 1);
        }
        Ok(())
    }

    /// Writes the captions of the pictures that there are.
    fn list(&self) -> Result<(), EvaluateError> {
        let path = self.folder.join(LIST);
        let there = (0..self.count).filter(|index| self.path(*index).is_file());
        let line = |index: u64| {
            let text = self.composition.caption(self.seed, index);
            format!("{}\n", json!({"file_name": format!("{index:06}.png"), "text": text}))
        };
        let lines: String = there.map(line).collect();
        replace(&path, lines.as_bytes()).map_err(|error| EvaluateError::write(&path, error))
    }
}
