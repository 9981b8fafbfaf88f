//! Checking a file piece by piece, in whatever order its bytes are asked for.

use super::{Source, WeightsError};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::rc::Rc;

/// What is asked of the source at once while a piece is checked, so that whoever counts the reads sees progress.
const READ: usize = 2 << 20;

/// The SHA-256 of each piece of a file, and which pieces were found to have it. Clones share what was found.
#[derive(Clone, Debug)]
pub struct PieceHashes {
    size: u64,
    piece: u64,
    pieces: Rc<[(String, Cell<bool>)]>,
}

impl PieceHashes {
    /// A file of `size` bytes in pieces of `piece` bytes, the last one shorter, with these hashes (lower-case
    /// hexadecimal). A piece without a hash is one that no source can fulfil.
    pub fn new(size: u64, piece: u64, hashes: &[String]) -> Self {
        let pieces = hashes.iter().map(|hash| (hash.clone(), Cell::new(false))).collect();
        Self { size, piece: piece.max(1), pieces }
    }
}

/// A [`Source`] that hands out no byte before its piece was checked. A piece is checked once: what was right stays
/// right for all sources with clones of the same [`PieceHashes`].
pub struct CheckedSource {
    inner: Box<dyn Source>,
    hashes: PieceHashes,
    /// The piece that was checked last: the next read most often goes on in it.
    last: Option<(u64, Vec<u8>)>,
}

impl CheckedSource {
    /// Checks the size at once.
    ///
    /// # Errors
    /// [`WeightsError::Truncated`] or [`WeightsError::WrongSize`].
    pub fn new(inner: Box<dyn Source>, hashes: PieceHashes) -> Result<Self, WeightsError> {
        let (name, actual, expected) = (inner.name().to_owned(), inner.len(), hashes.size);
        match actual.cmp(&expected) {
            std::cmp::Ordering::Less => Err(WeightsError::Truncated { name, expected, actual }),
            std::cmp::Ordering::Greater => Err(WeightsError::WrongSize { name, expected, actual }),
            std::cmp::Ordering::Equal => Ok(Self { inner, hashes, last: None }),
        }
    }

    /// Reads a piece and compares it with its hash.
    async fn check(&mut self, index: u64) -> Result<Vec<u8>, WeightsError> {
        let begin = index * self.hashes.piece;
        let end = (begin + self.hashes.piece).min(self.hashes.size);
        let mut bytes = Vec::with_capacity((end - begin) as usize);
        while (bytes.len() as u64) < end - begin {
            let at = begin + bytes.len() as u64;
            bytes.extend(self.inner.read(at, READ.min((end - at) as usize)).await?);
        }
        let name = || format!("piece {} of {}", index + 1, self.inner.name());
        let Some((expected, checked)) = self.hashes.pieces.get(index as usize) else {
            return Err(WeightsError::Read { name: name(), reason: "nothing says what its hash is".to_owned() });
        };
        let actual = hex::encode(Sha256::digest(&bytes));
        if actual != *expected {
            return Err(WeightsError::WrongHash { name: name(), expected: expected.clone(), actual });
        }
        checked.set(true);
        Ok(bytes)
    }
}

#[async_trait(?Send)]
impl Source for CheckedSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        let end = offset.saturating_add(length as u64);
        if end > self.hashes.size {
            let (name, actual) = (self.name().to_owned(), self.hashes.size);
            return Err(WeightsError::Truncated { name, expected: end, actual });
        }
        let mut bytes = Vec::with_capacity(length);
        let mut at = offset;
        while at < end {
            let index = at / self.hashes.piece;
            let begin = index * self.hashes.piece;
            let stop = end.min(begin + self.hashes.piece);
            let checked = self.hashes.pieces.get(index as usize).is_some_and(|(_, checked)| checked.get());
            match &self.last {
                Some((last, piece)) if *last == index => {
                    bytes.extend_from_slice(&piece[(at - begin) as usize..(stop - begin) as usize]);
                }
                _ if checked => bytes.extend(self.inner.read(at, (stop - at) as usize).await?),
                _ => {
                    // The memory of the one before goes first.
                    self.last = None;
                    let piece = self.check(index).await?;
                    bytes.extend_from_slice(&piece[(at - begin) as usize..(stop - begin) as usize]);
                    self.last = Some((index, piece));
                }
            }
            at = stop;
        }
        Ok(bytes)
    }
}
