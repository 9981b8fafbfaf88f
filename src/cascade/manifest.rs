//! `imagen.json`, the manifest of a cascade: which files it consists of and how each stage samples.
//!
//! The JSON schema is `docs/imagen.schema.json`. Unknown fields are ignored so that newer models open in older
//! programs; a missing required field is an error that names it. Checks of the values are in `manifest_checks.rs`.

pub use super::unet::StageUNet;
use super::{CascadeError, manifest_checks};
use crate::diffusion::{Sampler, ScheduleConfig, ScheduleKind, Thresholding};
use crate::image::resample::Filter;
use serde::{Deserialize, Serialize};

/// The manifest's file name in a model's folder.
pub const MANIFEST_FILE: &str = "imagen.json";

/// The format number that this version reads and writes.
pub const FORMAT: u32 = 1;

/// Bytes of a piece of a file; the last one is shorter. Part of the format: a download is checked piece by piece.
pub const PIECE_BYTES: u64 = 16 << 20;

/// A cascade: tokenizer, text encoder, and the stages in the order in which they run.
///
/// Parts may be missing: a model is often converted part by part. What a run needs and the cascade lacks is an error of
/// that run ([`CascadeError::Incomplete`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: u32,
    pub name: String,
    pub version: String,
    /// SPDX identifier of the weights' licence.
    pub license: String,
    /// File name of the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Prompts that show what the model can do.
    #[serde(default)]
    pub examples: Vec<String>,
    pub tokenizer: TokenizerFile,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_encoder: Option<FileEntry>,
    #[serde(default)]
    pub stages: Vec<StageManifest>,
}

/// A file with what it must be: every byte is checked against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// A plain name in the model's folder.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of each piece of [`PIECE_BYTES`], in order, so that a download can be checked and resumed by pieces.
    /// Empty where there is but one piece, and in manifests that were written without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<String>,
}

impl FileEntry {
    /// The SHA-256 of each piece; empty where only that of the whole file is known.
    pub fn piece_hashes(&self) -> &[String] {
        if self.size <= PIECE_BYTES { std::slice::from_ref(&self.sha256) } else { &self.pieces }
    }
}

/// The tokenizer and how prompts are brought to it. The latter is known before the tokenizer is there: the U-Nets were
/// trained on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TokenizerFields")]
pub struct TokenizerFile {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileEntry>,
    /// Tokens to which every prompt is padded or cut.
    pub max_length: usize,
    /// Strip and lower-case the prompt before it is tokenised, as DeepFloyd IF does.
    pub lowercase: bool,
}

/// [`TokenizerFile`] as it is written: the fields of its file stand beside the others, all or none of them.
#[derive(Deserialize)]
struct TokenizerFields {
    max_length: usize,
    #[serde(default)]
    lowercase: bool,
    #[serde(flatten)]
    file: serde_json::Map<String, serde_json::Value>,
}

impl TryFrom<TokenizerFields> for TokenizerFile {
    type Error = String;

    fn try_from(fields: TokenizerFields) -> Result<Self, String> {
        let TokenizerFields { max_length, lowercase, file } = fields;
        let file = match file.contains_key("file") {
            true => Some(serde_json::from_value(file.into()).map_err(|error| format!("tokenizer: {error}"))?),
            false if file.contains_key("size") || file.contains_key("sha256") => {
                return Err("tokenizer: missing field `file`".to_owned());
            }
            false => None,
        };
        Ok(Self { file, max_length, lowercase })
    }
}

/// One stage: a U-Net, its schedule, what it diffuses and what it is conditioned on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageManifest {
    pub name: String,
    /// Width and height of its pictures, in pixels.
    pub image_size: u32,
    pub weights: FileEntry,
    /// The options of its U-Net, by architecture.
    pub unet: StageUNet,
    pub schedule: ScheduleConfig,
    pub target: Target,
    /// Null for a stage that starts from noise and text alone.
    #[serde(default)]
    pub conditioning: Option<Conditioning>,
    pub defaults: StageDefaults,
}

/// What a stage diffuses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// The picture itself, in [-1, 1].
    Image,
    /// r with picture = clamp(upsampled + scale · r, -1, 1).
    Residual { scale: f32 },
}

/// How a super-resolution stage sees the picture of the stage before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditioning {
    /// The filter that brings the low-resolution picture to this stage's size.
    pub upsample: Filter,
    /// Default noise level of the conditioning augmentation, a timestep of the schedule; 0 is no noise.
    #[serde(default)]
    pub aug_level: u32,
    /// Lowest and highest level that the network was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aug_levels: Option<[u32; 2]>,
    /// The kind of the augmentation's schedule, where it is not the stage's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aug_schedule: Option<ScheduleKind>,
}

/// Recommended settings of a stage; a request's own win over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageDefaults {
    pub sampler: Sampler,
    pub steps: u32,
    /// Classifier-free guidance scale; 1 is none.
    pub guidance: f32,
    /// Guide along that part of the difference alone that is orthogonal to the conditional prediction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub orthogonal_guidance: bool,
    pub thresholding: Thresholding,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`CascadeError::Manifest`] for anything that is not JSON, lacks a required field (named), or holds a value
    /// out of range.
    pub fn from_json(bytes: &[u8]) -> Result<Self, CascadeError> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| CascadeError::Manifest { reason: error.to_string() })?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// The manifest as indented JSON that ends in a newline.
    pub fn to_json(&self) -> Result<String, CascadeError> {
        let json = serde_json::to_string_pretty(self);
        json.map(|text| text + "\n").map_err(|error| CascadeError::Manifest { reason: error.to_string() })
    }

    /// Checks every value that serde cannot: names, sizes, ranges, the order of the stages.
    pub fn validate(&self) -> Result<(), CascadeError> {
        manifest_checks::check(self).map_err(|reason| CascadeError::Manifest { reason })
    }

    /// The text encoder's file.
    ///
    /// # Errors
    /// [`CascadeError::Incomplete`] where the model has none.
    pub fn text_encoder_file(&self) -> Result<&FileEntry, CascadeError> {
        self.text_encoder.as_ref().ok_or(CascadeError::Incomplete { part: "text encoder" })
    }

    /// Every file of the model but the manifest and the card, in the order in which they are needed.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let text = [&self.tokenizer.file, &self.text_encoder].into_iter().flatten();
        text.chain(self.stages.iter().map(|stage| &stage.weights))
    }

    /// Bytes of all files together.
    pub fn total_bytes(&self) -> u64 {
        self.files().map(|file| file.size).sum()
    }
}
