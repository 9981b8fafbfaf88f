//! The header of a GGUF file, version 2 or 3, little-endian: metadata and the list of tensors.
//!
//! Follows ggml's `docs/gguf.md`. The bytes are untrusted: every count and length is held against the file's size before
//! anything is allocated for it, so that no input panics or takes more memory than a small multiple of its own size.

use super::metadata::{Array, Metadata, Value};
use super::{BlockFormat, TensorInfo, WeightsError};
use std::collections::HashSet;

/// Longest header that is read: a vocabulary of a million words stays well below.
pub(super) const MAX_HEADER: u64 = 64 << 20;
/// Largest piece in which tensors travel, and so the longest row.
pub(super) const MAX_PIECE: usize = 16 << 20;
/// Where the file does not say otherwise.
pub(super) const DEFAULT_ALIGNMENT: u64 = 32;
/// Arrays of arrays occur in no file that we know of; this stops a stack overflow.
const MAX_DEPTH: usize = 4;
const MAX_DIMENSIONS: u32 = 4;

/// What a file says about itself.
#[derive(Debug)]
pub(super) struct Header {
    pub metadata: Metadata,
    /// In the order of their data.
    pub tensors: Vec<TensorInfo>,
}

/// Why the bytes so far do not make a header.
#[derive(Debug)]
pub(super) enum ParseError {
    /// The header goes on beyond `bytes`: at least so many are needed, and the file has them.
    More(u64),
    Failed(WeightsError),
}

impl From<WeightsError> for ParseError {
    fn from(error: WeightsError) -> Self {
        Self::Failed(error)
    }
}

/// Parses the header from the first `bytes` of a file of `file_length` bytes; `name` is for messages.
pub(super) fn parse(name: &str, bytes: &[u8], file_length: u64) -> Result<Header, ParseError> {
    Parser { name, bytes, at: 0, file_length }.header()
}

struct Parser<'a> {
    name: &'a str,
    bytes: &'a [u8],
    at: usize,
    file_length: u64,
}

macro_rules! numbers {
    ($parser:expr, $count:expr, $type:ty) => {{
        const SIZE: usize = size_of::<$type>();
        let bytes = $parser.take($count.checked_mul(SIZE as u64).unwrap_or(u64::MAX))?;
        bytes.as_chunks::<SIZE>().0.iter().map(|&b| <$type>::from_le_bytes(b)).collect::<Vec<_>>()
    }};
}

impl<'a> Parser<'a> {
    fn header(&mut self) -> Result<Header, ParseError> {
        let magic = self.fixed::<4>()?;
        if magic != *b"GGUF" {
            return Err(self.malformed(format!("it starts with {:02x?}, not with \"GGUF\"", magic)));
        }
        let version = self.u32()?;
        match version {
            2 | 3 => {}
            _ if matches!(version.swap_bytes(), 1..=3) => {
                return Err(self.malformed("it is big-endian; only little-endian files are read"));
            }
            _ => return Err(self.malformed(format!("its version is {version}; versions 2 and 3 are read"))),
        }
        let tensors = self.u64()?;
        let keys = self.u64()?;
        let metadata = self.metadata(keys)?;
        let alignment = self.alignment(&metadata)?;
        let tensors = self.tensors(tensors)?;
        let data = (self.at as u64).next_multiple_of(alignment);
        let tensors = self.place(tensors, data, alignment)?;
        Ok(Header { metadata, tensors })
    }

    fn metadata(&mut self, count: u64) -> Result<Metadata, ParseError> {
        // An entry is at least a key's length, a type and one byte.
        self.plausible(count, 8 + 4 + 1, "metadata entries")?;
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        for _ in 0..count {
            let key = self.string()?;
            let kind = self.u32()?;
            let value = self.value(kind)?;
            if !seen.insert(key.clone()) {
                return Err(self.malformed(format!("key {key:?} occurs twice")));
            }
            entries.push((key, value));
        }
        Ok(Metadata::from_entries(entries))
    }

    fn value(&mut self, kind: u32) -> Result<Value, ParseError> {
        Ok(match kind {
            0 => Value::U8(u8::from_le_bytes(self.fixed()?)),
            1 => Value::I8(i8::from_le_bytes(self.fixed()?)),
            2 => Value::U16(u16::from_le_bytes(self.fixed()?)),
            3 => Value::I16(i16::from_le_bytes(self.fixed()?)),
            4 => Value::U32(u32::from_le_bytes(self.fixed()?)),
            5 => Value::I32(i32::from_le_bytes(self.fixed()?)),
            6 => Value::F32(f32::from_le_bytes(self.fixed()?)),
            7 => Value::Bool(u8::from_le_bytes(self.fixed()?) != 0),
            8 => Value::String(self.string()?),
            9 => Value::Array(self.array(MAX_DEPTH)?),
            10 => Value::U64(u64::from_le_bytes(self.fixed()?)),
            11 => Value::I64(i64::from_le_bytes(self.fixed()?)),
            12 => Value::F64(f64::from_le_bytes(self.fixed()?)),
            _ => return Err(self.malformed(format!("metadata type {kind} is not known"))),
        })
    }

    fn array(&mut self, depth: usize) -> Result<Array, ParseError> {
        let kind = self.u32()?;
        let count = self.u64()?;
        Ok(match kind {
            0 => Array::U8(numbers!(self, count, u8)),
            1 => Array::I8(numbers!(self, count, i8)),
            2 => Array::U16(numbers!(self, count, u16)),
            3 => Array::I16(numbers!(self, count, i16)),
            4 => Array::U32(numbers!(self, count, u32)),
            5 => Array::I32(numbers!(self, count, i32)),
            6 => Array::F32(numbers!(self, count, f32)),
            7 => Array::Bool(self.take(count)?.iter().map(|&b| b != 0).collect()),
            8 => {
                self.plausible(count, 8, "texts in an array")?;
                Array::String((0..count).map(|_| self.string()).collect::<Result<_, _>>()?)
            }
            9 if depth > 1 => {
                self.plausible(count, 12, "arrays in an array")?;
                Array::Array((0..count).map(|_| self.array(depth - 1)).collect::<Result<_, _>>()?)
            }
            9 => return Err(self.malformed("its arrays are nested too deeply")),
            10 => Array::U64(numbers!(self, count, u64)),
            11 => Array::I64(numbers!(self, count, i64)),
            12 => Array::F64(numbers!(self, count, f64)),
            _ => return Err(self.malformed(format!("metadata type {kind} is not known"))),
        })
    }

    fn alignment(&self, metadata: &Metadata) -> Result<u64, ParseError> {
        if metadata.get("general.alignment").is_none() {
            return Ok(DEFAULT_ALIGNMENT);
        }
        match metadata.u32("general.alignment").map(u64::from) {
            Some(alignment @ 1..=0x10_0000) if alignment.is_power_of_two() => Ok(alignment),
            _ => Err(self.malformed("general.alignment is not a power of two up to 1 MiB")),
        }
    }

    /// The list of tensors, their offsets still relative to the data.
    fn tensors(&mut self, count: u64) -> Result<Vec<TensorInfo>, ParseError> {
        // An entry is at least a name's length, the number of dimensions, a type and an offset.
        self.plausible(count, 8 + 4 + 4 + 8, "tensors")?;
        let mut seen = HashSet::new();
        let mut tensors = Vec::new();
        for _ in 0..count {
            let name = self.string()?;
            let dimensions = self.u32()?;
            if dimensions > MAX_DIMENSIONS {
                return Err(self.malformed(format!("tensor {name} has {dimensions} dimensions, at most 4 are allowed")));
            }
            // The file lists the innermost dimension first.
            let mut shape = vec![0; dimensions as usize];
            for dimension in shape.iter_mut().rev() {
                let value = self.u64()?;
                *dimension = usize::try_from(value)
                    .map_err(|_| self.malformed(format!("tensor {name} has a dimension of {value}")))?;
            }
            let format = BlockFormat::from_ggml(self.u32()?).map_err(|error| error.of(&name))?;
            let offset = self.u64()?;
            self.size(&name, &shape, format)?;
            if !seen.insert(name.clone()) {
                return Err(self.malformed(format!("tensor {name} occurs twice")));
            }
            tensors.push(TensorInfo { name, shape, format, offset });
        }
        Ok(tensors)
    }

    /// Checks that the tensor is not empty, that its rows are whole blocks and its size a number.
    fn size(&self, name: &str, shape: &[usize], format: BlockFormat) -> Result<(), ParseError> {
        if shape.contains(&0) {
            return Err(self.malformed(format!("tensor {name} has a dimension of 0")));
        }
        let columns = shape.last().copied().unwrap_or(1);
        let Some(row) = format.row_bytes(columns) else {
            return Err(
                self.malformed(format!("rows of {columns} values of tensor {name} are not whole {format} blocks"))
            );
        };
        if row > MAX_PIECE {
            return Err(
                self.malformed(format!("tensor {name} has rows of {row} bytes, at most {MAX_PIECE} are allowed"))
            );
        }
        let size = shape.iter().rev().skip(1).try_fold(row as u64, |size, &d| size.checked_mul(d as u64));
        match size {
            Some(size) if usize::try_from(size / row as u64).is_ok() => Ok(()),
            _ => Err(self.malformed(format!("tensor {name} is larger than can be addressed"))),
        }
    }

    /// Makes offsets absolute and checks that the tensors lie in the file, aligned and apart from each other.
    fn place(&self, mut tensors: Vec<TensorInfo>, data: u64, alignment: u64) -> Result<Vec<TensorInfo>, ParseError> {
        for tensor in &mut tensors {
            if !tensor.offset.is_multiple_of(alignment) {
                return Err(self.malformed(format!("the offset of tensor {} is not aligned", tensor.name)));
            }
            let end = data.checked_add(tensor.offset).and_then(|start| start.checked_add(tensor.bytes()));
            let Some(end) = end else {
                return Err(self.malformed(format!("the offset of tensor {} is beyond any file", tensor.name)));
            };
            if end > self.file_length {
                return Err(self.truncated(end));
            }
            tensor.offset += data;
        }
        tensors.sort_by_key(|tensor| tensor.offset);
        for pair in tensors.windows(2) {
            if pair[0].offset + pair[0].bytes() > pair[1].offset {
                return Err(self.malformed(format!("tensors {} and {} overlap", pair[0].name, pair[1].name)));
            }
        }
        Ok(tensors)
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let length = self.u64()?;
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.malformed("a text in its header is not UTF-8")),
        }
    }

    fn u32(&mut self) -> Result<u32, ParseError> {
        self.fixed().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, ParseError> {
        self.fixed().map(u64::from_le_bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let bytes = self.take(N as u64)?;
        let mut fixed = [0; N];
        fixed.copy_from_slice(bytes);
        Ok(fixed)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ParseError> {
        let end = (self.at as u64).checked_add(length).ok_or_else(|| self.truncated(u64::MAX))?;
        if end > self.file_length {
            return Err(self.truncated(end));
        }
        if end > MAX_HEADER {
            return Err(self.malformed(format!("its header is longer than {} MiB", MAX_HEADER >> 20)));
        }
        if end > self.bytes.len() as u64 {
            return Err(ParseError::More(end));
        }
        // In range: `end` is at most the length of a slice.
        let taken = &self.bytes[self.at..end as usize];
        self.at = end as usize;
        Ok(taken)
    }

    /// Refuses a count that the rest of the file has no room for.
    fn plausible(&self, count: u64, least_bytes: u64, what: &str) -> Result<(), ParseError> {
        let room = self.file_length - self.at as u64;
        if count > room / least_bytes {
            return Err(self.malformed(format!("it claims {count} {what}, which it has no room for")));
        }
        Ok(())
    }

    fn malformed(&self, reason: impl Into<String>) -> ParseError {
        ParseError::Failed(WeightsError::Malformed { name: self.name.to_owned(), reason: reason.into() })
    }

    fn truncated(&self, expected: u64) -> ParseError {
        let (name, actual) = (self.name.to_owned(), self.file_length);
        ParseError::Failed(WeightsError::Truncated { name, expected, actual })
    }
}
