//! The tensors of a file that `torch.save` wrote, through burn's `pytorch-reader`.
//!
//! That reader executes nothing: it knows the few calls of a pickle that build tensors and keeps the names of all others.
//! It opens a file by its index and reads a tensor's bytes when it is asked for them. What it does not do is hold the
//! memory for the index against the file's size, so that is checked here first: a file is taken only if nothing in it is
//! compressed (`torch.save` never does that) and its index is of a plausible length.

use super::{Place, Stored, pickle_size};
use crate::convert::ConvertError;
use crate::weights::BlockFormat;
use pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader, Tensor};
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// What the pickle that describes all tensors may take; the largest checkpoints need a tenth of that. Objects take up to
/// a hundred times their opcodes.
const MAX_INDEX: u64 = 16 << 20;
/// How a ZIP archive starts, which is what PyTorch writes since 1.6.
const ZIP: &[u8] = b"PK\x03\x04";
/// How a file of earlier versions starts: a pickle of protocol 2 with the magic number 0x1950a86a20f9469cfc6c.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// Where training frameworks keep the weights, beside what else they save.
const STATE_DICT: &str = "state_dict.";

/// A tensor whose values can be read, all at once.
#[derive(Debug)]
pub(super) struct PickledTensor(Tensor);

impl PickledTensor {
    /// All bytes, in row-major order.
    pub fn read(&self) -> std::io::Result<Vec<u8>> {
        self.0.read()
    }
}

/// Every tensor of floating point numbers, with its name: a path through the file's dictionaries, or through `state_dict`
/// alone where there is one. The file is the checkpoint's `number`th.
pub(super) fn tensors(path: &Path, file: &File, number: usize) -> Result<Vec<(String, Stored)>, ConvertError> {
    let malformed = |reason: String| ConvertError::malformed(path, reason);
    let length = file.metadata().map_err(|error| ConvertError::read(path, &error))?.len();
    check(path, file)?;
    let tensors = PytorchReader::new(path).map_err(|error| malformed(error.to_string()))?.into_tensors();
    // A view may repeat its storage, and would then be read as more than the file holds.
    if let Some(tensor) = tensors.values().find(|tensor| tensor.byte_len() as u64 > length) {
        return Err(malformed(format!("{} is larger than the file", tensor.name)));
    }
    let nested = tensors.keys().any(|name| name.starts_with(STATE_DICT));
    let prefix = if nested { STATE_DICT } else { "" };
    let stored = |(name, tensor): (String, Tensor)| {
        let format = match tensor.dtype() {
            DType::F32 => BlockFormat::F32,
            DType::F16 => BlockFormat::F16,
            DType::BF16 => BlockFormat::Bf16,
            _ => return None,
        };
        let (shape, place) = (tensor.shape().to_vec(), Place::Pickled(PickledTensor(tensor)));
        Some((name.strip_prefix(prefix)?.to_owned(), Stored { shape, format, file: number, place }))
    };
    Ok(tensors.into_iter().filter_map(stored).collect())
}

/// What a file's dictionary holds under the keys, apart from tensors; `None` where there is no such key.
pub(in crate::convert) fn values<const N: usize>(
    path: &Path,
    keys: [&str; N],
) -> Result<[Option<Value>; N], ConvertError> {
    let file = File::open(path).map_err(|error| ConvertError::read(path, &error))?;
    check(path, &file)?;
    let malformed = |error: PytorchError| ConvertError::malformed(path, error);
    match PytorchReader::read_pickle_data(path, None).map_err(malformed)? {
        PickleValue::Dict(mut entries) => Ok(keys.map(|key| entries.remove(key).map(json))),
        _ => Err(ConvertError::malformed(path, "it holds no dictionary")),
    }
}

/// Objects of Python are named; what JSON has no number for is null.
fn json(value: PickleValue) -> Value {
    match value {
        PickleValue::None => Value::Null,
        PickleValue::Bool(value) => value.into(),
        PickleValue::Int(value) => value.into(),
        PickleValue::Float(value) => value.into(),
        PickleValue::String(value) => value.into(),
        PickleValue::List(values) => values.into_iter().map(json).collect(),
        PickleValue::Dict(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, json(value))).collect())
        }
        PickleValue::Bytes(bytes) => bytes.into(),
        PickleValue::Unsupported(class) => class.into(),
    }
}

/// Refuses what would take more memory than the file's size justifies.
fn check(path: &Path, mut file: &File) -> Result<(), ConvertError> {
    let malformed = |reason: &str| ConvertError::malformed(path, reason);
    let failed = |error: std::io::Error| ConvertError::read(path, &error);
    let mut start = Vec::new();
    file.take(LEGACY.len() as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start == LEGACY {
        let mut index = Vec::new();
        file.take(MAX_INDEX).read_to_end(&mut index).map_err(failed)?;
        // The magic number, the protocol, the machine, the object itself, and the names of its storages.
        return match pickle_size::pickles(&index, 5) {
            Some(_) => Ok(()),
            None => Err(malformed("it ends early, is damaged, or has an index of more than 16 MiB")),
        };
    }
    if !start.starts_with(ZIP) {
        return Err(malformed("it is no file of torch.save, or one from before PyTorch 0.1.10"));
    }
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| ConvertError::malformed(path, error))?;
    let (mut total, length) = (0u64, file.metadata().map_err(failed)?.len());
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(|error| ConvertError::malformed(path, error))?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(malformed("it is compressed, which torch.save does not do; save it again"));
        }
        if entry.name().is_ok_and(|name| name.ends_with("data.pkl")) && entry.size() > MAX_INDEX {
            return Err(malformed("its index takes more than 16 MiB"));
        }
        total = total.saturating_add(entry.size());
    }
    if total > length { Err(malformed("it ends early, or its parts overlap")) } else { Ok(()) }
}
