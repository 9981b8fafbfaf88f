//! A GGUF file that is read in pieces.
//!
//! Our own reader rather than a crate: those at hand want the whole file in memory or a memory map, and read with
//! blocking calls. In a browser a model comes over an asynchronous source and must never stand in one buffer, so tensors
//! are streamed in pieces of at most 16 MiB that end on whole rows, and the file is hashed on the way.

use super::adapter::{Adapter, Merged};
use super::digest::Digest;
use super::header::{self, MAX_HEADER, MAX_PIECE, ParseError};
use super::{Metadata, Piece, Source, TensorInfo, WeightsError};
use std::collections::HashMap;

/// Bytes that are read first: holds the header of a file without a vocabulary.
const FIRST_READ: u64 = 256 << 10;

/// An open weights file: its header, and access to its tensors.
pub struct Weights {
    source: Box<dyn Source>,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
    expected: Option<Expected>,
    /// Tensors to which adapters are added, by index.
    merged: HashMap<usize, Merged>,
}

struct Expected {
    size: u64,
    sha256: String,
}

impl Weights {
    /// Reads the header, and nothing else.
    ///
    /// # Errors
    /// What the source reports, [`WeightsError::Malformed`] and [`WeightsError::Truncated`] for a file that is not GGUF
    /// of version 2 or 3 or not whole, [`WeightsError::UnsupportedFormat`] for a tensor of an unknown type.
    pub async fn open(mut source: Box<dyn Source>) -> Result<Self, WeightsError> {
        let length = source.len();
        let mut wanted = FIRST_READ;
        let header = loop {
            let read = wanted.min(length).min(MAX_HEADER);
            let bytes = source.read(0, read as usize).await?;
            match header::parse(source.name(), &bytes, length) {
                Ok(header) => break header,
                Err(ParseError::Failed(error)) => return Err(error),
                // Four times as much, so that a long header is not parsed over and over.
                Err(ParseError::More(needed)) => wanted = needed.max(read * 4),
            }
        };
        let by_name = header.tensors.iter().enumerate().map(|(i, t)| (t.name.clone(), i)).collect();
        let (metadata, tensors) = (header.metadata, header.tensors);
        Ok(Self { source, metadata, tensors, by_name, expected: None, merged: HashMap::new() })
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// Length of the file in bytes.
    pub fn size(&self) -> u64 {
        self.source.len()
    }

    /// The key-value part of the header.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All tensors, in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    /// Adds an adapter to the matrices that it adapts. From now on they are handed out with it, in F16 or F32.
    ///
    /// # Errors
    /// [`WeightsError::Adapter`] where it does not fit this network.
    pub fn merge(&mut self, adapter: &Adapter) -> Result<(), WeightsError> {
        adapter.fits(self)?;
        for (name, layer, factor) in adapter.layers() {
            let Some(&index) = self.by_name.get(name) else { continue };
            let tensor = &mut self.tensors[index];
            let merged = self.merged.entry(index).or_insert_with(|| Merged::new(tensor.clone()));
            merged.add(adapter, layer, factor);
            tensor.format = merged.format();
        }
        Ok(())
    }

    /// How the tensor stands in the file.
    fn stored(&self, index: usize) -> &TensorInfo {
        self.merged.get(&index).map_or(&self.tensors[index], |merged| &merged.stored)
    }

    /// Refuses a file of another kind than `expected` (`general.architecture`).
    ///
    /// # Errors
    /// [`WeightsError::WrongArchitecture`].
    pub fn require_architecture(&self, expected: &str) -> Result<(), WeightsError> {
        let actual = self.metadata.architecture();
        if actual == expected {
            return Ok(());
        }
        let (expected, actual) = (expected.to_owned(), actual.to_owned());
        Err(WeightsError::WrongArchitecture { name: self.name().to_owned(), expected, actual })
    }

    /// What the file must be: the next [`stream`](Self::stream) or [`verify`](Self::verify) then reads the whole file
    /// and fails where its size or SHA-256 (in hexadecimal) is another.
    pub fn expect(&mut self, size: u64, sha256: &str) {
        self.expected = Some(Expected { size, sha256: sha256.to_ascii_lowercase() });
    }

    /// Reads the whole file where [`expect`](Self::expect) was told what it must be: what is read later, in whatever
    /// order, was checked then. A file is checked once.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn verify(&mut self) -> Result<(), WeightsError> {
        match self.expected {
            Some(_) => self.stream_where(&|_| false, &mut |_| Ok(())).await,
            None => Ok(()),
        }
    }

    /// Hands over every tensor in file order, in pieces of at most 16 MiB on whole rows.
    ///
    /// # Errors
    /// What the source or `visit` report; [`WeightsError::Truncated`], [`WeightsError::WrongSize`] or
    /// [`WeightsError::WrongHash`] where the file is not what [`expect`](Self::expect) was told. A wrong hash is known
    /// only at the end: drop what was built from the pieces then.
    pub async fn stream(
        &mut self,
        visit: &mut dyn FnMut(Piece<'_>) -> Result<(), WeightsError>,
    ) -> Result<(), WeightsError> {
        self.stream_where(&|_| true, visit).await
    }

    /// [`stream`](Self::stream) for the tensors whose names are `wanted`. The others are not read, unless the whole file
    /// is to be hashed.
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn stream_where(
        &mut self,
        wanted: &dyn Fn(&str) -> bool,
        visit: &mut dyn FnMut(Piece<'_>) -> Result<(), WeightsError>,
    ) -> Result<(), WeightsError> {
        let mut digest = match &self.expected {
            Some(expected) => Some(Digest::begin(self.source.name(), self.source.len(), expected.size)?),
            None => None,
        };
        for (index, tensor) in self.tensors.iter().enumerate() {
            let merged = self.merged.get(&index);
            let stored = merged.map_or(tensor, |merged| &merged.stored);
            let wanted = wanted(&tensor.name);
            if !wanted && digest.is_none() {
                continue;
            }
            if let Some(digest) = &mut digest {
                digest.skip_to(tensor.offset, self.source.as_mut()).await?;
            }
            let rows_at_once = (MAX_PIECE / stored.row_bytes().max(tensor.row_bytes())).max(1);
            for first_row in (0..tensor.rows()).step_by(rows_at_once) {
                let rows = rows_at_once.min(tensor.rows() - first_row);
                let offset = tensor.offset + first_row as u64 * stored.row_bytes() as u64;
                let mut bytes = self.source.read(offset, rows * stored.row_bytes()).await?;
                if let Some(digest) = &mut digest {
                    digest.update(&bytes);
                }
                if wanted {
                    if let Some(merged) = merged {
                        bytes = merged.rows(first_row, &bytes)?;
                    }
                    visit(Piece { tensor, first_row, rows, bytes: &bytes })?;
                }
            }
        }
        if let (Some(mut digest), Some(expected)) = (digest, &self.expected) {
            digest.skip_to(self.source.len(), self.source.as_mut()).await?;
            digest.finish(self.source.name(), &expected.sha256)?;
            self.expected = None;
        }
        Ok(())
    }

    /// The values of some rows of a tensor, in the order asked for: `rows.len() · columns` values.
    ///
    /// # Errors
    /// [`WeightsError::MissingTensor`], [`WeightsError::Shape`] for a row that the tensor does not have, and what the
    /// source reports.
    pub async fn read_rows(&mut self, name: &str, rows: &[u32]) -> Result<Vec<f32>, WeightsError> {
        let Some(&index) = self.by_name.get(name) else {
            return Err(self.missing(name));
        };
        let tensor = self.stored(index).clone();
        let mut values = Vec::new();
        for &row in rows {
            if row as usize >= tensor.rows() {
                let expected = vec![row as usize + 1, tensor.columns()];
                return Err(WeightsError::Shape { tensor: name.to_owned(), expected, actual: tensor.shape });
            }
            let offset = tensor.offset + u64::from(row) * tensor.row_bytes() as u64;
            let mut bytes = self.source.read(offset, tensor.row_bytes()).await?;
            if let Some(merged) = self.merged.get(&index) {
                bytes = merged.rows(row as usize, &bytes)?;
            }
            self.tensors[index].format.dequantise(&bytes, &mut values).map_err(|error| error.of(name))?;
        }
        Ok(values)
    }

    /// The error for a tensor that is not there.
    pub(super) fn missing(&self, tensor: &str) -> WeightsError {
        let hint = format!("{} does not hold it; is it the right file for this network?", self.name());
        WeightsError::MissingTensor { tensor: tensor.to_owned(), hint }
    }
}
