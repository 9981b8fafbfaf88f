//! What is to be converted: from `cascade.json`, or, without one, as the pipelines of DeepFloyd IF have it.

use super::description::{Description, Stage};
use super::{ConvertError, output};
use std::path::{Component, Path};

/// DeepFloyd IF pads every prompt to this many tokens.
const IF_TOKENS: usize = 77;
const FOLDERS: [&str; 3] = ["unet", "super_res_1", "super_res_2"];

/// A cascade that is to be converted.
pub(super) struct Recipe {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub examples: Vec<String>,
    pub max_length: usize,
    pub lowercase: bool,
    pub stages: Vec<StageRecipe>,
}

/// One stage that may be there.
pub(super) struct StageRecipe {
    /// The folder of its U-Net in the source, and the stem of its file.
    pub folder: String,
    pub name: String,
    /// Its entry in `cascade.json`.
    pub description: Option<Stage>,
}

impl Recipe {
    pub fn read(source: &Path) -> Result<Self, ConvertError> {
        if !source.is_dir() {
            return Err(ConvertError::missing(source, "name a folder in the layout of transformers and diffusers"));
        }
        let path = source.join("cascade.json");
        let described = path.is_file();
        let description: Description = if described {
            let bytes = output::read(&path, "it was there a moment ago")?;
            serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(&path, error))?
        } else {
            Description::default()
        };
        let (max_length, lowercase) = match &description.text {
            Some(text) => (text.max_length, text.lowercase),
            None => (IF_TOKENS, !described),
        };
        let named = description.stages.into_iter().map(|stage| StageRecipe {
            folder: stage.unet.clone(),
            name: stage.name.clone(),
            description: Some(stage),
        });
        let mut stages: Vec<StageRecipe> = named.collect();
        if stages.is_empty() {
            let usual = |folder: &str| {
                let name = if folder == "unet" { "base" } else { folder };
                StageRecipe { folder: folder.to_owned(), name: name.to_owned(), description: None }
            };
            stages.extend(FOLDERS.map(usual));
        }
        for stage in &stages {
            let scheduler = stage.description.as_ref().map(|description| &description.scheduler);
            for folder in [Some(&stage.folder), scheduler].into_iter().flatten() {
                if !is_plain(folder) {
                    let reason = format!("{folder:?} must be the name of a folder beside it");
                    return Err(ConvertError::malformed(&path, reason));
                }
            }
        }
        Ok(Self {
            name: description.name.unwrap_or_else(|| folder_name(source)),
            version: description.version.unwrap_or_else(|| "1.0.0".to_owned()),
            license: description.license,
            examples: description.examples,
            max_length,
            lowercase,
            stages,
        })
    }
}

/// True for a name without any way out of its folder.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// The source's own name, without the suffix that tells its layout.
fn folder_name(source: &Path) -> String {
    let path = source.canonicalize().unwrap_or_else(|_| source.to_owned());
    let name = path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
    name.strip_suffix("-hf").unwrap_or(&name).to_owned()
}
