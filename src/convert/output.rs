//! Files of the cascade directory. A file appears under its name only when it is complete.

use super::ConvertError;
use crate::cascade::manifest::{FileEntry, PIECE_BYTES};
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
    /// Of the piece that is being written, and of those before it.
    piece: Sha256,
    pieces: Vec<String>,
    size: u64,
}

impl Output {
    pub fn create(folder: &Path, name: &str) -> Result<Self, ConvertError> {
        let partial = folder.join(format!("{name}.partial"));
        let file = File::create(&partial).map_err(|error| ConvertError::write(&partial, &error))?;
        let (target, file) = (folder.join(name), Some(BufWriter::new(file)));
        let (name, pieces) = (name.to_owned(), Vec::new());
        Ok(Self { name, partial, target, file, sha: Sha256::new(), piece: Sha256::new(), pieces, size: 0 })
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
        let sha256 = hex::encode(self.sha.finalize_reset());
        if !self.size.is_multiple_of(PIECE_BYTES) {
            self.pieces.push(hex::encode(self.piece.finalize_reset()));
        }
        // A single piece has the hash of the file.
        let pieces = if self.pieces.len() > 1 { std::mem::take(&mut self.pieces) } else { Vec::new() };
        Ok(FileEntry { file: std::mem::take(&mut self.name), size: self.size, sha256, pieces })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the file is finished"));
        };
        // To the end of the piece at most.
        let room = (PIECE_BYTES - self.size % PIECE_BYTES) as usize;
        let written = file.write(&bytes[..bytes.len().min(room)])?;
        self.sha.update(&bytes[..written]);
        self.piece.update(&bytes[..written]);
        self.size += written as u64;
        if written == room {
            self.pieces.push(hex::encode(self.piece.finalize_reset()));
        }
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
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, ConvertError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> =
            (0..(PIECE_BYTES * 2 + 5) as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for (size, chunk) in
            [(5, 2), (PIECE_BYTES, 1 << 20), (PIECE_BYTES + 1, 9_999_991), (2 * PIECE_BYTES + 5, 33 << 20)]
        {
            let bytes = &bytes[..size as usize];
            let mut output = Output::create(folder.path(), "file").unwrap();
            bytes.chunks(chunk).for_each(|chunk| output.write_all(chunk).unwrap());
            let entry = output.finish().unwrap();
            let pieces: Vec<_> =
                bytes.chunks(PIECE_BYTES as usize).map(|piece| hex::encode(Sha256::digest(piece))).collect();
            assert_eq!((entry.size, entry.sha256.clone()), (size, hex::encode(Sha256::digest(bytes))));
            assert_eq!(entry.piece_hashes(), pieces, "{size} bytes");
            assert_eq!(entry.pieces.is_empty(), size <= PIECE_BYTES, "{size} bytes");
            assert!(fs::read(folder.path().join("file")).unwrap() == bytes);
        }
    }
}
