//! `cascade.json`: what the standard configurations of a Hugging Face folder cannot say.
//!
//! Its values win over those of the schedulers. Only what a conversion needs is read.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Description {
    pub name: Option<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    #[serde(default)]
    pub examples: Vec<String>,
    pub text: Option<Text>,
    #[serde(default)]
    pub stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Text {
    pub max_length: usize,
    /// Strip and lower-case prompts before the tokenizer.
    #[serde(default)]
    pub lowercase: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stage {
    pub name: String,
    /// The folder of its U-Net.
    pub unet: String,
    /// The folder of its scheduler.
    pub scheduler: String,
    pub image_size: u32,
    #[serde(default = "one")]
    pub patch: usize,
    pub prediction: Option<String>,
    /// `picture` or `residual`.
    pub target: String,
    pub residual_scale: Option<f32>,
    pub upsample: Option<Upsample>,
    pub augment: Option<Augment>,
    pub steps: Option<u32>,
    pub guidance: Option<f32>,
    pub thresholding: Option<Threshold>,
}

fn one() -> usize {
    1
}

#[derive(Debug, Deserialize)]
pub(super) struct Upsample {
    pub filter: String,
    #[serde(default)]
    pub align_corners: bool,
    #[serde(default)]
    pub antialias: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Augment {
    #[serde(default)]
    pub level: u32,
    pub trained_levels: Option<[u32; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Threshold {
    None,
    Dynamic {
        quantile: f32,
        max: f32,
    },
    #[serde(alias = "static")]
    Clamp {
        max: f32,
    },
}
