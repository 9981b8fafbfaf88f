//! What a source holds, before anything is converted: a cascade as `cascade.json` describes it, a pipeline of DeepFloyd IF,
//! a checkpoint of imagen-pytorch, or a lone text encoder or U-Net.

use super::description::Description;
use super::stage::{DiffusersStage, StageRecipe};
use super::{ConvertError, imagen_pytorch, output};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// DeepFloyd IF strips and lower-cases every prompt, and pads it to 77 tokens.
const IF_PROMPTS: Prompts = Prompts { max_length: 77, lowercase: true };
/// imagen-pytorch cuts them after 256 tokens.
const IMAGEN_PYTORCH_PROMPTS: Prompts = Prompts { max_length: 256, lowercase: false };
/// What checkpoints of imagen-pytorch end in.
const CHECKPOINTS: [&str; 3] = ["pt", "pth", "ckpt"];
const TEXT_ENCODER: &str = "text_encoder";
const TOKENIZER: &str = "tokenizer";
const UNETS: [&str; 3] = ["unet", "super_res_1", "super_res_2"];
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "spiece.model"];

/// What is to be converted of one source.
#[derive(Default)]
pub(super) struct Recipe {
    /// A cascade's own name; a lone part has none.
    pub name: Option<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    pub examples: Vec<String>,
    /// The folder of the model card.
    pub card: Option<PathBuf>,
    /// What the U-Nets were trained on; unknown of a lone text encoder.
    pub prompts: Option<Prompts>,
    pub tokenizer: Option<TokenizerSource>,
    pub text_encoder: Option<TextEncoderSource>,
    pub stages: Vec<StageRecipe>,
}

/// How prompts are brought to the tokenizer.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Prompts {
    /// Tokens to which they are padded or cut.
    pub max_length: usize,
    pub lowercase: bool,
}

/// Where the tokenizer is.
pub(super) enum TokenizerSource {
    /// A folder with `tokenizer.json` or `spiece.model`.
    Folder(PathBuf),
    /// The metadata of a text encoder's GGUF file, if it is there.
    Gguf(PathBuf),
}

/// Where the text encoder is.
pub(super) enum TextEncoderSource {
    /// A folder of transformers.
    Folder(PathBuf),
    /// A GGUF file, or the first of several.
    Gguf(PathBuf),
}

impl Recipe {
    /// Looks at a folder or a file. `config` holds the arguments of a checkpoint of imagen-pytorch that does not.
    pub fn read(source: &Path, config: Option<&Path>) -> Result<Self, ConvertError> {
        if source.is_file() && source.extension().is_some_and(|end| CHECKPOINTS.iter().any(|known| end == *known)) {
            return Self::imagen_pytorch(source, config);
        }
        if source.is_file() && source.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf")) {
            return Ok(Self::gguf(source));
        }
        if !source.is_dir() {
            let hint = "name a folder in the layout of transformers and diffusers, a text encoder's GGUF file, or a checkpoint (.pt)";
            return Err(ConvertError::missing(source, hint));
        }
        let path = source.join("cascade.json");
        if path.is_file() {
            return Self::described(source, &path);
        }
        let pipeline = UNETS.iter().chain([&TEXT_ENCODER, &TOKENIZER]).any(|folder| source.join(folder).is_dir());
        let config = source.join("config.json");
        if pipeline || !config.is_file() {
            return Self::pipeline(source);
        }
        let json: Value = serde_json::from_slice(&output::read(&config, "it was there a moment ago")?)
            .map_err(|error| ConvertError::malformed(&config, error))?;
        if json.get("_class_name").is_some() { Self::unet(source) } else { Ok(Self::text_encoder(source)) }
    }

    fn imagen_pytorch(source: &Path, config: Option<&Path>) -> Result<Self, ConvertError> {
        let unets = imagen_pytorch::read(source, config)?;
        let stages = unets.into_iter().map(|unet| StageRecipe::ImagenPytorch(Box::new(unet))).collect();
        let name = source.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, stages, prompts: Some(IMAGEN_PYTORCH_PROMPTS), ..Self::default() })
    }

    fn gguf(source: &Path) -> Self {
        let folder = source.parent().filter(|folder| holds_tokenizer(folder));
        let tokenizer = match folder {
            Some(folder) => TokenizerSource::Folder(folder.to_owned()),
            None => TokenizerSource::Gguf(source.to_owned()),
        };
        let text_encoder = Some(TextEncoderSource::Gguf(source.to_owned()));
        Self { tokenizer: Some(tokenizer), text_encoder, ..Self::default() }
    }

    /// A folder of transformers by itself: its tokenizer lies in it, or beside it as in a pipeline.
    fn text_encoder(source: &Path) -> Self {
        let beside = beside(source, TOKENIZER);
        let folders = [Some(source.to_owned()), beside].into_iter().flatten();
        let tokenizer = folders.into_iter().find(|folder| holds_tokenizer(folder)).map(TokenizerSource::Folder);
        let text_encoder = Some(TextEncoderSource::Folder(source.to_owned()));
        Self { tokenizer, text_encoder, card: Some(source.to_owned()), ..Self::default() }
    }

    /// A folder of diffusers by itself: its scheduler lies beside it, as in a pipeline.
    fn unet(source: &Path) -> Result<Self, ConvertError> {
        let stage = DiffusersStage::usual(source, beside(source, "scheduler"), None)?;
        Ok(Self { stages: vec![StageRecipe::Diffusers(Box::new(stage))], prompts: Some(IF_PROMPTS), ..Self::default() })
    }

    fn pipeline(source: &Path) -> Result<Self, ConvertError> {
        let mut recipe = Self { name: Some(folder_name(source)), prompts: Some(IF_PROMPTS), ..Self::parts(source) };
        for folder in UNETS {
            let unet = source.join(folder);
            if !unet.is_dir() {
                continue;
            }
            let own = source.join(format!("scheduler_{folder}"));
            let scheduler = if own.is_dir() { own } else { source.join("scheduler") };
            let noising = Some(source.join("image_noising_scheduler")).filter(|folder| folder.is_dir());
            let stage = DiffusersStage::usual(&unet, Some(scheduler), noising)?;
            recipe.stages.push(StageRecipe::Diffusers(Box::new(stage)));
        }
        if recipe.tokenizer.is_none() && recipe.text_encoder.is_none() && recipe.stages.is_empty() {
            let reason = "it holds none of tokenizer/, text_encoder/, unet/, super_res_1/, super_res_2/".into();
            return Err(ConvertError::Folder { path: source.display().to_string(), reason });
        }
        Ok(recipe)
    }

    fn described(source: &Path, path: &Path) -> Result<Self, ConvertError> {
        let bytes = output::read(path, "it was there a moment ago")?;
        let description: Description =
            serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(path, error))?;
        if description.stages.is_empty() {
            return Err(ConvertError::malformed(path, "it describes no stages"));
        }
        let prompts = description.text.map_or(Prompts { lowercase: false, ..IF_PROMPTS }, |text| Prompts {
            max_length: text.max_length,
            lowercase: text.lowercase,
        });
        let mut stages = Vec::new();
        for stage in description.stages {
            if let Some(folder) = [&stage.unet, &stage.scheduler].into_iter().find(|folder| !is_plain(folder)) {
                let reason = format!("{folder:?} must be the name of a folder beside it");
                return Err(ConvertError::malformed(path, reason));
            }
            if source.join(&stage.unet).is_dir() {
                let stage = DiffusersStage::described(path, source, stage)?;
                stages.push(StageRecipe::Diffusers(Box::new(stage)));
            }
        }
        Ok(Self {
            name: description.name.or_else(|| Some(folder_name(source))),
            version: description.version,
            license: description.license,
            examples: description.examples,
            prompts: Some(prompts),
            stages,
            ..Self::parts(source)
        })
    }

    /// What a cascade's folder holds beside its U-Nets.
    fn parts(source: &Path) -> Self {
        let folder = |name: &str| Some(source.join(name)).filter(|folder| folder.is_dir());
        Self {
            card: Some(source.to_owned()),
            tokenizer: folder(TOKENIZER).map(TokenizerSource::Folder),
            text_encoder: folder(TEXT_ENCODER).map(TextEncoderSource::Folder),
            ..Self::default()
        }
    }
}

/// True for a name without any way out of its folder.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

/// The folder's own name, without the suffix that tells its layout.
pub(super) fn folder_name(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = path.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
    name.strip_suffix("-hf").unwrap_or(&name).to_owned()
}

/// A folder beside this one.
fn beside(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = folder.canonicalize().ok()?.parent()?.join(name);
    path.is_dir().then_some(path)
}

fn holds_tokenizer(folder: &Path) -> bool {
    TOKENIZER_FILES.iter().any(|file| folder.join(file).is_file())
}
