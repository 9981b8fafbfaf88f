//! The tensors of one network: one file or several with an index, safetensors or PyTorch's pickles, read piece by piece.

mod pickle_size;
mod pytorch;
mod safetensors;

pub(super) use self::pytorch::values;

use self::pytorch::PickledTensor;
use self::safetensors::Slice;
use super::recipe::is_plain;
use super::{ConvertError, output};
use crate::weights::BlockFormat;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A tensor and where its values are.
#[derive(Debug)]
pub(super) struct Stored {
    pub shape: Vec<usize>,
    format: BlockFormat,
    /// Which of the files it is in.
    file: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Slice(Slice),
    Pickled(PickledTensor),
}

/// All tensors of one network.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// For messages: the folder, or the file.
    source: PathBuf,
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Stored>,
    /// The pickled tensor that was read last: those come whole.
    last: Option<(String, Vec<u8>)>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens `folder`, whose files start with `stem` (`model` or `diffusion_pytorch_model`).
    ///
    /// Safetensors are preferred to pickles; among those full precision (no variant in the name), then half (`fp16`), then
    /// the only other variant that there is. transformers calls its pickles `pytorch_model` where its safetensors are called
    /// `model`.
    pub fn open(folder: &Path, stem: &str) -> Result<Self, ConvertError> {
        let pickles = if stem == "model" { "pytorch_model" } else { stem };
        let mut checkpoint = Self::empty(folder);
        for (stem, end) in [(stem, "safetensors"), (pickles, "bin"), (pickles, "pt"), (pickles, "ckpt")] {
            let variants = variants(folder, stem, end);
            let known = ["", "fp16."].into_iter().find(|known| variants.contains(*known));
            let variant = match (known, variants.len()) {
                (Some(known), _) => known,
                (None, 0) => continue,
                (None, 1) => variants.first().map_or("", String::as_str),
                (None, _) => {
                    let names: Vec<_> = variants.iter().map(|name| name.trim_end_matches('.')).collect();
                    let reason = format!("it holds several variants of {stem}: {}; keep one", names.join(", "));
                    return Err(ConvertError::Folder { path: folder.display().to_string(), reason });
                }
            };
            let file = folder.join(format!("{stem}.{variant}{end}"));
            if file.is_file() {
                checkpoint.add(&file)?;
                return Ok(checkpoint);
            }
            for name in shards(&folder.join(format!("{stem}.{end}.index.{variant}json")))? {
                checkpoint.add(&folder.join(name))?;
            }
            return Ok(checkpoint);
        }
        let hint = format!("or {pickles}.bin, or the index of either: the weights are read from them");
        Err(ConvertError::missing(&folder.join(format!("{stem}.safetensors")), &hint))
    }

    /// Opens one file.
    pub fn open_file(path: &Path) -> Result<Self, ConvertError> {
        let mut checkpoint = Self::empty(path);
        checkpoint.add(path)?;
        Ok(checkpoint)
    }

    fn empty(source: &Path) -> Self {
        Self { source: source.to_owned(), files: Vec::new(), tensors: BTreeMap::new(), last: None }
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// `count` values of a tensor from the value `first` on.
    pub fn read(&mut self, name: &str, first: usize, count: usize) -> Result<Vec<f32>, ConvertError> {
        let Some(stored) = self.tensors.get(name) else {
            return Err(self.tensor_error(name, "it is missing"));
        };
        let (path, file) = &self.files[stored.file];
        let size = stored.format.block_bytes();
        let range = first * size..(first + count) * size;
        let mut values = Vec::new();
        match &stored.place {
            Place::Slice(slice) => {
                let bytes = slice.read(file, range).map_err(|error| ConvertError::read(path, &error))?;
                stored.format.dequantise(&bytes, &mut values)
            }
            Place::Pickled(tensor) => {
                if self.last.as_ref().is_none_or(|(last, _)| last != name) {
                    self.last = None;
                    let bytes = tensor.read().map_err(|error| ConvertError::malformed(path, error))?;
                    self.last = Some((name.to_owned(), bytes));
                }
                let bytes = self.last.as_ref().and_then(|(_, bytes)| bytes.get(range)).unwrap_or_default();
                stored.format.dequantise(bytes, &mut values)
            }
        }
        .map_err(|error| error.of(name))?;
        Ok(values)
    }

    /// An error about one tensor.
    pub fn tensor_error(&self, tensor: &str, reason: &str) -> ConvertError {
        let path = self.source.display().to_string();
        ConvertError::Tensor { path, tensor: tensor.to_owned(), reason: reason.to_owned() }
    }

    /// Adds the tensors of a file. Those of other types than f32, f16 and bf16 are left out: buffers such as position ids,
    /// an error only where a network wants one.
    fn add(&mut self, path: &Path) -> Result<(), ConvertError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConvertError::missing(path, "the index lists it; download it too"));
            }
            Err(error) => return Err(ConvertError::read(path, &error)),
        };
        let number = self.files.len();
        let safetensors = path.extension().is_some_and(|end| end == "safetensors");
        let read = if safetensors { safetensors::tensors } else { pytorch::tensors };
        self.tensors.extend(read(path, &file, number)?);
        self.files.push((path.to_owned(), file));
        Ok(())
    }
}

/// What stands between the parts of the names of whole files and of indices, with its point: empty, or the name of a variant
/// such as `fp16.`.
fn variants(folder: &Path, stem: &str, end: &str) -> BTreeSet<String> {
    // A folder that cannot be listed is told of when its file is looked for.
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_file()).filter_map(|entry| entry.file_name().into_string().ok());
    let variant = |name: &str| {
        let whole = name.strip_prefix(stem)?.strip_prefix('.')?;
        let rest = match whole.strip_prefix(end).and_then(|rest| rest.strip_prefix(".index.")) {
            Some(index) => index.strip_suffix("json")?,
            None => whole.strip_suffix(end)?,
        };
        let plain = rest.strip_suffix('.').is_none_or(|name| !name.contains(['.', '-']));
        ((rest.is_empty() || rest.ends_with('.')) && plain).then(|| rest.to_owned())
    };
    names.filter_map(|name| variant(&name)).collect()
}

/// The files that an index names.
fn shards(index: &Path) -> Result<BTreeSet<String>, ConvertError> {
    let bytes = output::read(index, "it was there a moment ago")?;
    let parsed: Index = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(index, error))?;
    match parsed.weight_map.values().find(|name| !is_plain(name)) {
        Some(name) => Err(ConvertError::malformed(index, format!("{name:?} must be the name of a file beside it"))),
        None => Ok(parsed.weight_map.into_values().collect()),
    }
}
