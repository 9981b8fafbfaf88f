//! Embeddings of captions on disk: a file of records, each under the hash of what it was made of, at most so many bytes of them. In
//! memory there are their places only.
//!
//! The file begins with [`MAGIC`], the hash of encoder and tokenizer, and the number of values of a record; a record is the hash of the
//! caption's tokens, a CRC-32C of the values, and the values in f32. A file of another encoder is begun anew, half a record at its end
//! is dropped, and a damaged one is not used.

use super::TrainError;
use crate::text::Tokenized;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What such files begin with.
const MAGIC: [u8; 8] = *b"IMGNTXT1";
/// Magic, hash, values of a record.
const HEADER: u64 = 8 + 32 + 8;

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// An open file of embeddings, which nobody else has open.
pub(super) struct Embeddings {
    path: PathBuf,
    file: File,
    /// Values of a record.
    values: usize,
    /// Where the values of each caption lie, by number of the record.
    known: HashMap<Hash, u64>,
    records: u64,
    /// Bytes that the file may have.
    most: u64,
}

/// The key of a caption.
pub(super) fn hash(caption: &Tokenized) -> Hash {
    let mut hash = Sha256::new();
    [&caption.ids, &caption.mask].into_iter().for_each(|words| hash.update(bytemuck::cast_slice::<u32, u8>(words)));
    hash.finalize().into()
}

impl Embeddings {
    /// Opens the file of this encoder, or begins it; none where another process has it open, or the file system has no locks.
    ///
    /// # Errors
    /// [`TrainError::Write`] where it cannot be read or written.
    pub fn open(path: &Path, encoder: Hash, values: usize, most: u64) -> Result<Option<Self>, TrainError> {
        let failed = |error: io::Error| TrainError::write(path, error);
        let options = &mut File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        if file.try_lock().is_err() {
            return Ok(None);
        }
        let (path, known) = (path.to_owned(), HashMap::new());
        let mut opened = Self { path, file, values, known, records: 0, most };
        let listed = opened.list(encoder);
        listed.map_err(|error| opened.failed(error))?;
        Ok(Some(opened))
    }

    fn list(&mut self, encoder: Hash) -> io::Result<()> {
        let header = [&MAGIC[..], &encoder, &(self.values as u64).to_le_bytes()].concat();
        let mut found = vec![0; header.len()];
        if self.file.metadata()?.len() < HEADER || self.file.read_exact(&mut found).is_err() || found != header {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            return self.file.write_all(&header);
        }
        self.records = (self.file.metadata()?.len() - HEADER) / self.record();
        self.file.set_len(self.place(self.records))?;
        for record in 0..self.records {
            let mut key = [0; 32];
            self.file.seek(SeekFrom::Start(self.place(record)))?;
            self.file.read_exact(&mut key)?;
            self.known.insert(key, record);
        }
        Ok(())
    }

    /// Bytes of a record.
    fn record(&self) -> u64 {
        32 + 4 + 4 * self.values as u64
    }

    fn place(&self, record: u64) -> u64 {
        HEADER + record * self.record()
    }

    /// What is kept of a caption.
    ///
    /// # Errors
    /// [`TrainError::Read`] where the file cannot be read.
    pub fn get(&mut self, key: &Hash) -> Result<Option<Vec<f32>>, TrainError> {
        let Some(&record) = self.known.get(key) else { return Ok(None) };
        let (mut check, mut values) = ([0; 4], vec![0.0f32; self.values]);
        let place = SeekFrom::Start(self.place(record) + 32);
        let read = self.file.seek(place).and_then(|_| self.file.read_exact(&mut check));
        let read = read.and_then(|()| self.file.read_exact(bytemuck::cast_slice_mut(&mut values)));
        read.map_err(|error| TrainError::read(&self.path, error))?;
        if crc32c::crc32c(bytemuck::cast_slice(&values)).to_le_bytes() == check {
            return Ok(Some(values));
        }
        self.known.remove(key);
        Ok(None)
    }

    /// Keeps what was said of a caption, where there is room for it.
    ///
    /// # Errors
    /// [`TrainError::Write`] with the system's reason, such as a full disk.
    pub fn add(&mut self, key: Hash, values: &[f32]) -> Result<(), TrainError> {
        let end = self.place(self.records);
        if values.len() != self.values || end + self.record() > self.most {
            return Ok(());
        }
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let record = [&key[..], &crc32c::crc32c(bytes).to_le_bytes(), bytes].concat();
        let written = self.file.seek(SeekFrom::Start(end)).and_then(|_| self.file.write_all(&record));
        written.map_err(|error| self.failed(error))?;
        self.known.insert(key, self.records);
        self.records += 1;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> TrainError {
        TrainError::write(&self.path, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: u8) -> Vec<f32> {
        (0..6).map(|index| f32::from(of) + index as f32 / 8.0).collect()
    }

    fn open(path: &Path, encoder: u8) -> Embeddings {
        Embeddings::open(path, [encoder; 32], 6, 1 << 20).unwrap().unwrap()
    }

    #[test]
    fn what_was_kept_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("embeddings");
        let mut first = open(&path, 1);
        (1..4).for_each(|of| first.add([of; 32], &values(of)).unwrap());
        assert!(Embeddings::open(&path, [1; 32], 6, 1 << 20).unwrap().is_none(), "it is open already");
        drop(first);
        // Half a record, as a killed run leaves it.
        let length = std::fs::metadata(&path).unwrap().len();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([4; 40]);
        std::fs::write(&path, &bytes).unwrap();
        let mut again = open(&path, 1);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);
        assert!((1..4).all(|of| again.get(&[of; 32]).unwrap() == Some(values(of))));
        assert_eq!(again.get(&[4; 32]).unwrap(), None);
        again.add([4; 32], &values(4)).unwrap();
        assert_eq!(again.get(&[4; 32]).unwrap(), Some(values(4)));
    }

    #[test]
    fn what_is_damaged_or_of_another_encoder_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("embeddings");
        let mut first = open(&path, 1);
        (1..3).for_each(|of| first.add([of; 32], &values(of)).unwrap());
        drop(first);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = HEADER as usize + 32 + 4 + 5;
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let mut damaged = open(&path, 1);
        assert_eq!(damaged.get(&[1; 32]).unwrap(), None);
        assert_eq!(damaged.get(&[2; 32]).unwrap(), Some(values(2)));
        damaged.add([1; 32], &values(1)).unwrap();
        drop(damaged);
        assert_eq!(open(&path, 1).get(&[1; 32]).unwrap(), Some(values(1)));
        assert_eq!(open(&path, 2).get(&[2; 32]).unwrap(), None);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), HEADER);
    }

    #[test]
    fn the_file_does_not_grow_beyond_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("embeddings");
        let mut bounded = Embeddings::open(&path, [1; 32], 6, HEADER + 2 * 60).unwrap().unwrap();
        (1..4).for_each(|of| bounded.add([of; 32], &values(of)).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), HEADER + 2 * 60);
        assert_eq!((bounded.get(&[2; 32]).unwrap(), bounded.get(&[3; 32]).unwrap()), (Some(values(2)), None));
    }
}
