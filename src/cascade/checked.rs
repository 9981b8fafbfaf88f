//! Opening weights files so that no byte is used that was not checked, and none is checked twice.
//!
//! Where the manifest lists the hashes of a file's pieces, the source checks each piece when it is first read, in
//! whatever order. Where it does not, the whole file is hashed as it streams by, or before it is read in another order,
//! the first time that a network is loaded from it. What was checked is trusted as long as the model is open: a file that is replaced
//! on the disk meanwhile is not hashed anew.

use super::CascadeError;
use super::files::ModelFiles;
use super::loading::{Counted, Loading};
use super::manifest::{FileEntry, PIECE_BYTES};
use crate::weights::{CheckedSource, PieceHashes, Weights};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is known of the files of a model, for as long as it is open.
#[derive(Default)]
pub(super) struct Checked {
    whole: Vec<FileEntry>,
    pieces: BTreeMap<String, PieceHashes>,
}

impl Checked {
    /// Opens a weights file; what is read from it is counted.
    pub async fn open(
        &mut self,
        files: &dyn ModelFiles,
        entry: &FileEntry,
        loading: &Rc<Loading>,
    ) -> Result<Weights, CascadeError> {
        let source = Box::new(Counted::new(files.open(&entry.file).await?, loading));
        if entry.piece_hashes().is_empty() {
            let mut weights = Weights::open(source).await?;
            if !self.whole.contains(entry) {
                weights.expect(entry.size, &entry.sha256);
            }
            return Ok(weights);
        }
        let known = || PieceHashes::new(entry.size, PIECE_BYTES, entry.piece_hashes());
        let hashes = self.pieces.entry(entry.file.clone()).or_insert_with(known);
        Ok(Weights::open(Box::new(CheckedSource::new(source, hashes.clone())?)).await?)
    }

    /// Notes that a network was loaded from the file, which was checked meanwhile.
    pub fn passed(&mut self, entry: &FileEntry) {
        if entry.piece_hashes().is_empty() && !self.whole.contains(entry) {
            self.whole.push(entry.clone());
        }
    }
}
