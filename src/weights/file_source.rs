//! A file on disk.

use super::{Source, WeightsError};
use async_trait::async_trait;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A [`Source`] over a file on disk. Its reads block: they are as fast as the disk.
pub struct FileSource {
    name: String,
    file: File,
    length: u64,
}

impl FileSource {
    /// Opens the file.
    ///
    /// # Errors
    /// [`WeightsError::Read`] with the system's reason.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((length, file)) => Ok(Self { name, file, length }),
            Err(error) => Err(WeightsError::Read { name, reason: error.to_string() }),
        }
    }

    fn read_at(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[async_trait(?Send)]
impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.length
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        let end = offset.saturating_add(length as u64);
        if end > self.length {
            return Err(WeightsError::Truncated { name: self.name.clone(), expected: end, actual: self.length });
        }
        self.read_at(offset, length)
            .map_err(|error| WeightsError::Read { name: self.name.clone(), reason: error.to_string() })
    }
}
