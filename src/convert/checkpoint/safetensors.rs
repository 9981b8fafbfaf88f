//! Where the tensors of a safetensors file are.

use super::{Place, Stored};
use crate::convert::ConvertError;
use crate::weights::BlockFormat;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// The values of a tensor: they start at this byte of the file.
#[derive(Debug)]
pub(super) struct Slice(u64);

impl Slice {
    /// Some of the tensor's bytes.
    pub fn read(&self, mut file: &File, range: Range<usize>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; range.len()];
        file.seek(SeekFrom::Start(self.0 + range.start as u64))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Every tensor of floating point numbers, with its name. The file is the checkpoint's `number`th.
pub(super) fn tensors(path: &Path, mut file: &File, number: usize) -> Result<Vec<(String, Stored)>, ConvertError> {
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
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| ConvertError::malformed(path, error))?;
    let (actual, expected) = (length, 8 + header + metadata.data_len() as u64);
    if actual != expected {
        let reason = format!("it has {actual} bytes, its header says {expected}; download it again");
        return Err(ConvertError::malformed(path, reason));
    }
    let stored = |(name, info): (String, &TensorInfo)| {
        let format = match info.dtype {
            Dtype::F32 => BlockFormat::F32,
            Dtype::F16 => BlockFormat::F16,
            Dtype::BF16 => BlockFormat::Bf16,
            _ => return None,
        };
        let place = Place::Slice(Slice(8 + header + info.data_offsets.0 as u64));
        Some((name, Stored { shape: info.shape.clone(), format, file: number, place }))
    };
    Ok(metadata.tensors().into_iter().filter_map(stored).collect())
}
