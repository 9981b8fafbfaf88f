//! A file that is checked piece by piece gives its bytes in any order, and none that are wrong.

use crate::weights::{CheckedSource, MemorySource, PieceHashes, Source, WeightsError};
use async_trait::async_trait;
use pollster::block_on;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::rc::Rc;

/// Counts the bytes that are read.
struct Counting(MemorySource, Rc<Cell<usize>>);

#[async_trait(?Send)]
impl Source for Counting {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        self.1.set(self.1.get() + length);
        self.0.read(offset, length).await
    }
}

fn hashes(bytes: &[u8], piece: usize) -> PieceHashes {
    let hashes: Vec<String> = bytes.chunks(piece).map(|piece| hex::encode(Sha256::digest(piece))).collect();
    PieceHashes::new(bytes.len() as u64, piece as u64, &hashes)
}

fn open(bytes: &[u8], hashes: &PieceHashes) -> Result<(CheckedSource, Rc<Cell<usize>>), WeightsError> {
    let count = Rc::new(Cell::new(0));
    let source = Counting(MemorySource::new("file", bytes.to_vec()), Rc::clone(&count));
    Ok((CheckedSource::new(Box::new(source), hashes.clone())?, count))
}

proptest! {
    #[test]
    fn bytes_are_those_of_the_file_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        piece in 1usize..60,
        reads in prop::collection::vec((0usize..220, 0usize..90), 1..12),
        flip in prop::option::of(0usize..200),
    ) {
        let hashes = hashes(&bytes, piece);
        let mut damaged = bytes.clone();
        let flip = flip.map(|at| at % bytes.len());
        flip.into_iter().for_each(|at| damaged[at] ^= 4);
        let (mut source, _) = open(&damaged, &hashes).unwrap();
        for (offset, length) in reads {
            let read = block_on(source.read(offset as u64, length));
            let end = offset + length;
            // A damaged piece is refused wherever in it one reads.
            let pieces = |at: usize| at / piece;
            let touched = |at: usize| length > 0 && (pieces(offset)..=pieces(end - 1)).contains(&pieces(at));
            if end > bytes.len() {
                let refused = matches!(read, Err(WeightsError::Truncated { .. } | WeightsError::WrongHash { .. }));
                prop_assert!(refused);
            } else if flip.is_some_and(touched) {
                let refused = matches!(read, Err(WeightsError::WrongHash { .. }));
                prop_assert!(refused);
            } else {
                prop_assert_eq!(&read.unwrap(), &bytes[offset..end]);
            }
        }
    }
}

#[test]
fn a_piece_is_checked_once_whoever_reads() {
    let bytes: Vec<u8> = (0..=255).collect();
    let hashes = hashes(&bytes, 100);
    let (mut first, count) = open(&bytes, &hashes).unwrap();
    // In order and unaligned: each byte is read once.
    for offset in (0..250).step_by(25) {
        assert_eq!(block_on(first.read(offset as u64, 25)).unwrap(), bytes[offset..offset + 25]);
    }
    assert_eq!(count.get(), 256);
    let (mut second, count) = open(&bytes, &hashes).unwrap();
    assert_eq!(block_on(second.read(130, 7)).unwrap(), bytes[130..137]);
    assert_eq!(count.get(), 7, "no more than was asked for");
}

#[test]
fn another_size_is_refused() {
    let hashes = hashes(&[1; 100], 30);
    assert!(matches!(open(&[1; 99], &hashes), Err(WeightsError::Truncated { expected: 100, actual: 99, .. })));
    assert!(matches!(open(&[1; 101], &hashes), Err(WeightsError::WrongSize { expected: 100, actual: 101, .. })));
    let error = block_on(open(&[2; 100], &hashes).unwrap().0.read(95, 1)).unwrap_err().to_string();
    assert!(error.contains("piece 4 of file"), "{error}");
}
