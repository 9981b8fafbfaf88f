//! The safetensors of one network: one file or several with an index, read a range at a time.

use super::recipe::is_plain;
use super::{ConvertError, output};
use crate::weights::BlockFormat;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// A tensor and where its values are.
#[derive(Debug)]
pub(super) struct Stored {
    pub shape: Vec<usize>,
    format: BlockFormat,
    shard: usize,
    offset: u64,
}

/// All tensors of one network.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// For messages: the folder.
    folder: PathBuf,
    shards: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Stored>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens `folder`, whose files start with `stem` (`model` or `diffusion_pytorch_model`).
    pub fn open(folder: &Path, stem: &str) -> Result<Self, ConvertError> {
        let mut checkpoint = Self { folder: folder.to_owned(), shards: Vec::new(), tensors: BTreeMap::new() };
        let single = [format!("{stem}.safetensors"), format!("{stem}.fp16.safetensors")].map(|name| folder.join(name));
        let indices = ["json", "fp16.json"].map(|end| folder.join(format!("{stem}.safetensors.index.{end}")));
        // Full precision is preferred to half.
        for (file, index) in single.iter().zip(&indices) {
            if file.is_file() {
                checkpoint.add(file)?;
                return Ok(checkpoint);
            }
            if index.is_file() {
                for name in shards(index)? {
                    checkpoint.add(&folder.join(name))?;
                }
                return Ok(checkpoint);
            }
        }
        let hint = "weights are read from safetensors; save the model with safe_serialization=True";
        Err(ConvertError::missing(&single[0], hint))
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
        let size = stored.format.block_bytes();
        let (path, file) = &mut self.shards[stored.shard];
        let mut bytes = vec![0; count * size];
        let read =
            file.seek(SeekFrom::Start(stored.offset + (first * size) as u64)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| ConvertError::read(path, &error))?;
        let mut values = Vec::new();
        stored.format.dequantise(&bytes, &mut values).map_err(|error| error.of(name))?;
        Ok(values)
    }

    /// An error about one tensor.
    pub fn tensor_error(&self, tensor: &str, reason: &str) -> ConvertError {
        let path = self.folder.display().to_string();
        ConvertError::Tensor { path, tensor: tensor.to_owned(), reason: reason.to_owned() }
    }

    fn add(&mut self, path: &Path) -> Result<(), ConvertError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConvertError::missing(path, "the index lists it; download it too"));
            }
            Err(error) => return Err(ConvertError::read(path, &error)),
        };
        let length = file.metadata().map_err(|error| ConvertError::read(path, &error))?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| ConvertError::malformed(path, "it is no safetensors file"))?;
        let header = u64::from_le_bytes(size);
        if header > MAX_HEADER.min(length.saturating_sub(8)) {
            return Err(ConvertError::malformed(path, "it is no safetensors file, or it ends early"));
        }
        let mut bytes = vec![0; header as usize];
        file.read_exact(&mut bytes).map_err(|error| ConvertError::read(path, &error))?;
        // Parsing checks that the tensors lie side by side and have the sizes that their shapes say.
        let metadata: Metadata =
            serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(path, error))?;
        let (actual, expected) = (length, 8 + header + metadata.data_len() as u64);
        if actual != expected {
            let reason = format!("it has {actual} bytes, its header says {expected}; download it again");
            return Err(ConvertError::malformed(path, reason));
        }
        let shard = self.shards.len();
        for (name, info) in metadata.tensors() {
            let format = match info.dtype {
                Dtype::F32 => BlockFormat::F32,
                Dtype::F16 => BlockFormat::F16,
                Dtype::BF16 => BlockFormat::Bf16,
                // Buffers such as position ids; an error only where a network wants one.
                _ => continue,
            };
            let offset = 8 + header + info.data_offsets.0 as u64;
            self.tensors.insert(name, Stored { shape: info.shape.clone(), format, shard, offset });
        }
        self.shards.push((path.to_owned(), file));
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
