//! The tensors of one network: one file or several with an index, safetensors or PyTorch's pickles, read piece by piece.

mod pickle_size;
mod pytorch;
mod safetensors;

pub(super) use self::pytorch::value;

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
    /// Safetensors are preferred to pickles, and among those full precision to half. transformers calls its pickles
    /// `pytorch_model` where its safetensors are called `model`.
    pub fn open(folder: &Path, stem: &str) -> Result<Self, ConvertError> {
        let pickles = if stem == "model" { "pytorch_model" } else { stem };
        let mut checkpoint = Self::empty(folder);
        for (stem, end) in [(stem, "safetensors"), (pickles, "bin"), (pickles, "pt"), (pickles, "ckpt")] {
            for variant in ["", "fp16."] {
                let file = folder.join(format!("{stem}.{variant}{end}"));
                let index = folder.join(format!("{stem}.{end}.index.{variant}json"));
                if file.is_file() {
                    checkpoint.add(&file)?;
                    return Ok(checkpoint);
                }
                if index.is_file() {
                    for name in shards(&index)? {
                        checkpoint.add(&folder.join(name))?;
                    }
                    return Ok(checkpoint);
                }
            }
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

/// The files that an index names.
fn shards(index: &Path) -> Result<BTreeSet<String>, ConvertError> {
    let bytes = output::read(index, "it was there a moment ago")?;
    let parsed: Index = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(index, error))?;
    match parsed.weight_map.values().find(|name| !is_plain(name)) {
        Some(name) => Err(ConvertError::malformed(index, format!("{name:?} must be the name of a file beside it"))),
        None => Ok(parsed.weight_map.into_values().collect()),
    }
}
