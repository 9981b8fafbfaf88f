//! The SHA-256 of a file while it streams past.

use super::header::MAX_PIECE;
use super::{Source, WeightsError};
use sha2::{Digest as _, Sha256};

/// Reads a file, of whatever kind, and compares its size and its SHA-256 (in lower-case hexadecimal).
///
/// # Errors
/// [`WeightsError::Truncated`], [`WeightsError::WrongSize`], [`WeightsError::WrongHash`], and what the source reports.
pub async fn verify(source: &mut dyn Source, size: u64, sha256: &str) -> Result<(), WeightsError> {
    let mut digest = Digest::begin(source.name(), source.len(), size)?;
    digest.skip_to(size, source).await?;
    digest.finish(source.name(), sha256)
}

/// Hashes a file whose tensors are handed over in order; the bytes in between are read here.
pub(super) struct Digest {
    sha: Sha256,
    position: u64,
}

impl Digest {
    /// Begins at the file's first byte, once its size is right.
    pub fn begin(name: &str, actual: u64, expected: u64) -> Result<Self, WeightsError> {
        let name = name.to_owned();
        match actual.cmp(&expected) {
            std::cmp::Ordering::Less => Err(WeightsError::Truncated { name, expected, actual }),
            std::cmp::Ordering::Greater => Err(WeightsError::WrongSize { name, expected, actual }),
            std::cmp::Ordering::Equal => Ok(Self { sha: Sha256::new(), position: 0 }),
        }
    }

    /// Adds the bytes that come next in the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.position += bytes.len() as u64;
    }

    /// Reads and adds the bytes up to `end`.
    pub async fn skip_to(&mut self, end: u64, source: &mut dyn Source) -> Result<(), WeightsError> {
        while self.position < end {
            let length = (end - self.position).min(MAX_PIECE as u64) as usize;
            let bytes = source.read(self.position, length).await?;
            self.update(&bytes);
        }
        Ok(())
    }

    /// Compares with the expected SHA-256, in lower-case hexadecimal.
    pub fn finish(self, name: &str, expected: &str) -> Result<(), WeightsError> {
        let actual = hex::encode(self.sha.finalize());
        if actual == expected {
            return Ok(());
        }
        Err(WeightsError::WrongHash { name: name.to_owned(), expected: expected.to_owned(), actual })
    }
}
