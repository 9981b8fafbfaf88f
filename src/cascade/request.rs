//! What a user asks of a cascade, and the ranges in which it may lie.
//!
//! Settings that differ between stages are maps from image size to value, as in `64=20,256=4`; what is missing comes
//! from the manifest. [`Request::check`] finds every fault before anything is loaded.

use super::manifest::{Manifest, StageManifest, Target};
use super::{CascadeError, GivenNoise, manifest_checks};
use crate::diffusion::{Sampler, Steps, Thresholding};
use crate::image::Picture;
use crate::text::Embedding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pictures per request at most.
pub const MAX_COUNT: u32 = 64;
/// Characters of a prompt at most; tokens beyond the model's length are cut with a notice long before.
pub const MAX_PROMPT: usize = 10_000;
/// The largest guidance scale.
pub const MAX_GUIDANCE: f32 = 100.0;

/// A request. Serialises to JSON without its pictures, noise and embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// What the picture should show. Empty only together with `unconditional` or `embedding`.
    pub prompt: String,
    /// What the picture should not show; guidance steers away from it.
    pub negative_prompt: String,
    /// Generate without any text: the empty prompt, and no guidance.
    pub unconditional: bool,
    /// All noise that is not given comes from it.
    pub seed: u64,
    /// Pictures of this prompt, 1 to [`MAX_COUNT`]. Picture i of a seed does not depend on the count.
    pub count: u32,
    /// Steps by image size: how many, or a released time grid.
    pub steps: BTreeMap<u32, Steps>,
    /// Guidance scale by image size, 0 to [`MAX_GUIDANCE`]; 1 is none.
    pub guidance: BTreeMap<u32, f32>,
    /// Sampler by image size.
    pub sampler: BTreeMap<u32, Sampler>,
    /// Thresholding by image size. A residual stage thresholds the residual, not the picture.
    pub thresholding: BTreeMap<u32, Thresholding>,
    /// Noise level of the conditioning augmentation by image size.
    pub aug_level: BTreeMap<u32, u32>,
    /// The first stage that runs, counted from 1.
    pub start_at_stage: usize,
    /// The last stage that runs, counted from 1; all where `None`.
    pub stop_at_stage: Option<usize>,
    /// Ask for a preview after every so many steps; none where `None`.
    pub preview_every: Option<u32>,
    /// What was merged into the model with [`Cascade::adapt`](super::Cascade::adapt), as `FILE:SCALE`: for the settings in the
    /// picture, it merges nothing itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adapters: Vec<String>,
    /// Time every GPU kernel and tell what each took. Changes no picture, so a picture's settings leave it out.
    #[serde(skip_serializing)]
    pub profile: bool,
    /// For a later `start_at_stage`: pictures of the size of the stage before it, one for all or one each.
    #[serde(skip)]
    pub start_pictures: Vec<Picture>,
    /// Noise to use instead of drawing it from the seed.
    #[serde(skip)]
    pub noise: GivenNoise,
    /// Use this embedding instead of encoding `prompt`.
    #[serde(skip)]
    pub embedding: Option<Embedding>,
    /// Use this embedding instead of encoding `negative_prompt`.
    #[serde(skip)]
    pub negative_embedding: Option<Embedding>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative_prompt: String::new(),
            unconditional: false,
            seed: 0,
            count: 1,
            steps: BTreeMap::new(),
            guidance: BTreeMap::new(),
            sampler: BTreeMap::new(),
            thresholding: BTreeMap::new(),
            aug_level: BTreeMap::new(),
            start_at_stage: 1,
            stop_at_stage: None,
            preview_every: None,
            adapters: Vec::new(),
            profile: false,
            start_pictures: Vec::new(),
            noise: GivenNoise::default(),
            embedding: None,
            negative_embedding: None,
        }
    }
}

impl Request {
    /// A request for one picture with the model's own settings.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Sets the guidance of every stage that the model runs with guidance; the others stay without.
    pub fn set_guidance(&mut self, manifest: &Manifest, scale: f32) {
        let guided = manifest.stages.iter().filter(|stage| stage.defaults.guidance != 1.0);
        self.guidance.extend(guided.map(|stage| (stage.image_size, scale)));
    }

    /// Sets the sampler of every stage.
    pub fn set_sampler(&mut self, manifest: &Manifest, sampler: Sampler) {
        self.sampler.extend(manifest.stages.iter().map(|stage| (stage.image_size, sampler)));
    }

    /// Sets the thresholding of every stage that diffuses the picture itself. Residual stages keep theirs: what they
    /// threshold has another range.
    pub fn set_thresholding(&mut self, manifest: &Manifest, thresholding: Thresholding) {
        let whole = manifest.stages.iter().filter(|stage| stage.target == Target::Image);
        self.thresholding.extend(whole.map(|stage| (stage.image_size, thresholding)));
    }

    /// Sets the steps of the first stage that runs, which is where they matter most.
    pub fn set_steps(&mut self, manifest: &Manifest, steps: impl Into<Steps>) {
        let steps = steps.into();
        let first = manifest.stages.get(self.start_at_stage.saturating_sub(1));
        self.steps.extend(first.map(|stage| (stage.image_size, steps)));
    }

    /// Checks everything that can be checked without loading the model.
    ///
    /// # Errors
    /// [`CascadeError::Request`] that names the setting and its range.
    pub fn check(&self, manifest: &Manifest) -> Result<(), CascadeError> {
        self.check_prompt()?;
        between("count", self.count, 1, MAX_COUNT)?;
        let stages = manifest.stages.len();
        if stages == 0 {
            return Err(CascadeError::Incomplete { part: "U-Net" });
        }
        between("start_at_stage", self.start_at_stage, 1, stages)?;
        if let Some(stop) = self.stop_at_stage {
            between("stop_at_stage", stop, self.start_at_stage, stages)?;
        }
        if let Some(every) = self.preview_every {
            between("preview_every", every, 1, u32::MAX)?;
        }
        let learnt = manifest.stages.iter().any(|stage| stage.unet.learnt_null_text());
        if learnt && (!self.negative_prompt.trim().is_empty() || self.negative_embedding.is_some()) {
            return Err(CascadeError::NegativePrompt);
        }
        for (&size, &steps) in &self.steps {
            let train_steps = stage_of("steps", manifest, size)?.schedule.train_steps;
            match steps {
                Steps::Count(count) => between("steps", count as usize, 1, train_steps)?,
                Steps::Grid(grid) => drop(grid.timesteps(train_steps)?),
            }
        }
        for (&size, &scale) in &self.guidance {
            stage_of("guidance", manifest, size)?;
            between("guidance", scale, 0.0, MAX_GUIDANCE)?;
        }
        for &size in self.sampler.keys() {
            stage_of("sampler", manifest, size)?;
        }
        for (&size, &value) in &self.thresholding {
            stage_of("thresholding", manifest, size)?;
            manifest_checks::thresholding(kind(value), value)
                .map_err(|reason| CascadeError::request("thresholding", reason))?;
        }
        for (&size, &level) in &self.aug_level {
            check_aug_level(stage_of("aug_level", manifest, size)?, level)?;
        }
        self.check_start(manifest)?;
        self.noise.check(manifest, self.count)
    }

    fn check_prompt(&self) -> Result<(), CascadeError> {
        for (setting, text) in [("prompt", &self.prompt), ("negative prompt", &self.negative_prompt)] {
            let length = text.chars().count();
            if length > MAX_PROMPT {
                return Err(CascadeError::PromptTooLong { setting, length, max: MAX_PROMPT });
            }
        }
        let empty = self.prompt.trim().is_empty();
        if empty && !self.unconditional && self.embedding.is_none() {
            let reason = "it is empty; say what the picture should show, or ask for an unconditional picture";
            return Err(CascadeError::request("prompt", reason));
        }
        if self.unconditional && (!empty || self.embedding.is_some()) {
            let reason = "an unconditional picture has no prompt; leave one of the two out";
            return Err(CascadeError::request("unconditional", reason));
        }
        Ok(())
    }

    fn check_start(&self, manifest: &Manifest) -> Result<(), CascadeError> {
        let first = self.start_at_stage - 1;
        let needed = manifest.stages.get(first).is_some_and(|stage| stage.conditioning.is_some());
        let given = self.start_pictures.len();
        match (needed, given) {
            (false, 0) => return Ok(()),
            (false, _) => {
                let reason = "the first stage starts from noise; set start_at_stage to 2 or more to enlarge a picture";
                return Err(CascadeError::request("start picture", reason));
            }
            (true, 0) => {
                let reason =
                    format!("stage {} enlarges a picture; give the picture to start from", self.start_at_stage);
                return Err(CascadeError::request("start picture", reason));
            }
            (true, 1) => {}
            (true, _) if given == self.count as usize => {}
            (true, _) => {
                let reason =
                    format!("{given} pictures were given for a count of {}; give one, or one each", self.count);
                return Err(CascadeError::request("start picture", reason));
            }
        }
        // A cascade that begins with an enlarging stage does not tell its input's size: any square serves.
        let size = first.checked_sub(1).and_then(|before| manifest.stages.get(before)).map(|before| before.image_size);
        for picture in &self.start_pictures {
            let expected = size.unwrap_or(picture.width);
            if (picture.width, picture.height) != (expected, expected) || expected == 0 {
                let reason = format!(
                    "it is {}×{} pixels, stage {} starts from {expected}×{expected}; resize it first",
                    picture.width, picture.height, self.start_at_stage
                );
                return Err(CascadeError::request("start picture", reason));
            }
        }
        Ok(())
    }
}

fn kind(thresholding: Thresholding) -> &'static str {
    match thresholding {
        Thresholding::None => "none",
        Thresholding::Static { .. } => "static",
        Thresholding::Dynamic { .. } => "dynamic",
    }
}

fn check_aug_level(stage: &StageManifest, level: u32) -> Result<(), CascadeError> {
    let Some(conditioning) = stage.conditioning else {
        let reason = format!("the {0}×{0} stage sees no other picture, so it has no such level", stage.image_size);
        return Err(CascadeError::request("aug_level", reason));
    };
    let [low, high] = conditioning.aug_levels.unwrap_or([0, stage.schedule.train_steps as u32 - 1]);
    between("aug_level", level, low, high)
}

/// The stage of an image size, or an error that lists the sizes there are.
pub(super) fn stage_of<'a>(
    setting: &str,
    manifest: &'a Manifest,
    size: u32,
) -> Result<&'a StageManifest, CascadeError> {
    manifest.stages.iter().find(|stage| stage.image_size == size).ok_or_else(|| {
        let sizes: Vec<String> = manifest.stages.iter().map(|stage| stage.image_size.to_string()).collect();
        CascadeError::request(setting, format!("no stage has the size {size}; this model has {}", sizes.join(", ")))
    })
}

fn between<T: PartialOrd + std::fmt::Display>(setting: &str, value: T, low: T, high: T) -> Result<(), CascadeError> {
    // Written so that NaN is refused.
    if value >= low && value <= high {
        return Ok(());
    }
    Err(CascadeError::request(setting, format!("must be between {low} and {high}, got {value}")))
}
