//! Files of the cascade directory. They appear there together, when all of them are complete.

use super::ConvertError;
use crate::cascade::manifest::{FileEntry, MANIFEST_FILE, PIECE_BYTES};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder inside the cascade directory where its new files are written. It goes away with everything in it unless it is
/// published: an error leaves the directory as it was.
pub(crate) struct Staging {
    folder: TempDir,
    out: PathBuf,
    /// The directory was made for this.
    new: bool,
}

impl Staging {
    /// Makes the directory `out` where there is none.
    pub fn create(out: &Path) -> Result<Self, ConvertError> {
        let failed = |error: io::Error| ConvertError::write(out, &error);
        let new = !out.exists();
        fs::create_dir_all(out).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix("converting-").tempdir_in(out).map_err(failed)?;
        Ok(Self { folder, out: out.to_owned(), new })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the files to their place, the manifest last.
    pub fn publish(mut self) -> Result<(), ConvertError> {
        self.new = false;
        let failed = |error: io::Error| ConvertError::write(&self.out, &error);
        let files = fs::read_dir(self.path()).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        let (manifest, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.file_name() == MANIFEST_FILE);
        for file in others.into_iter().chain(manifest) {
            let target = self.out.join(file.file_name());
            fs::rename(file.path(), &target).map_err(|error| ConvertError::write(&target, &error))?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Best effort, as all clearing up: only empty folders can be removed this way.
        let _ = fs::remove_dir_all(self.path());
        if self.new {
            let _ = fs::remove_dir(&self.out);
        }
    }
}

/// A file that is being written and hashed.
pub(super) struct Output {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    sha: Sha256,
    /// Of the piece that is being written, and of those before it.
    piece: Sha256,
    pieces: Vec<String>,
    size: u64,
}

impl Output {
    pub fn create(folder: &Path, name: &str) -> Result<Self, ConvertError> {
        let path = folder.join(name);
        let file = BufWriter::new(File::create(&path).map_err(|error| ConvertError::write(&path, &error))?);
        let (name, pieces) = (name.to_owned(), Vec::new());
        Ok(Self { name, path, file, sha: Sha256::new(), piece: Sha256::new(), pieces, size: 0 })
    }

    /// Flushes the file to the disk.
    pub fn finish(mut self) -> Result<FileEntry, ConvertError> {
        let flushed = self.file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        flushed.map_err(|error| ConvertError::write(&self.path, &error))?;
        let sha256 = hex::encode(self.sha.finalize());
        if !self.size.is_multiple_of(PIECE_BYTES) {
            self.pieces.push(hex::encode(self.piece.finalize()));
        }
        // A single piece has the hash of the file.
        let pieces = if self.pieces.len() > 1 { self.pieces } else { Vec::new() };
        Ok(FileEntry { file: self.name, size: self.size, sha256, pieces })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // To the end of the piece at most.
        let room = (PIECE_BYTES - self.size % PIECE_BYTES) as usize;
        let written = self.file.write(&bytes[..bytes.len().min(room)])?;
        self.sha.update(&bytes[..written]);
        self.piece.update(&bytes[..written]);
        self.size += written as u64;
        if written == room {
            self.pieces.push(hex::encode(self.piece.finalize_reset()));
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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
