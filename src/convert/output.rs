//! Files of the cascade directory. A file appears under its name only when it is complete.

use super::ConvertError;
use crate::cascade::manifest::FileEntry;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is being written and hashed; removed when it is dropped unfinished.
pub(super) struct Output {
    name: String,
    partial: PathBuf,
    target: PathBuf,
    /// `None` once it is finished.
    file: Option<BufWriter<File>>,
    sha: Sha256,
    size: u64,
}

impl Output {
    pub fn create(folder: &Path, name: &str) -> Result<Self, ConvertError> {
        let partial = folder.join(format!("{name}.partial"));
        let file = File::create(&partial).map_err(|error| ConvertError::write(&partial, &error))?;
        let (target, file) = (folder.join(name), Some(BufWriter::new(file)));
        Ok(Self { name: name.to_owned(), partial, target, file, sha: Sha256::new(), size: 0 })
    }

    /// Flushes the file to the disk and gives it its name.
    pub fn finish(mut self) -> Result<FileEntry, ConvertError> {
        let flushed = match self.file.take() {
            Some(file) => file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all()),
            None => Ok(()),
        };
        if let Err(error) = flushed.and_then(|()| fs::rename(&self.partial, &self.target)) {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_file(&self.partial);
            return Err(ConvertError::write(&self.target, &error));
        }
        let sha256 = hex::encode(std::mem::take(&mut self.sha).finalize());
        Ok(FileEntry { file: self.name.clone(), size: self.size, sha256 })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the file is finished"));
        };
        let written = file.write(bytes)?;
        self.sha.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Best effort: what is left over is named `.partial`.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Writes a small file in one go.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, ConvertError> {
    let mut output = Output::create(folder, name)?;
    output.write_all(bytes).map_err(|error| ConvertError::write(&folder.join(name), &error))?;
    output.finish()
}

/// Reads a small file; `hint` tells what to do where it is missing.
pub(super) fn read(path: &Path, hint: &str) -> Result<Vec<u8>, ConvertError> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConvertError::missing(path, hint)),
        Err(error) => Err(ConvertError::read(path, &error)),
    }
}
