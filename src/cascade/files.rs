//! The files of a model: a folder on disk, or whatever else can open a file by its plain name.

use super::manifest::{FileEntry, PIECE_BYTES};
use super::{CascadeError, Manifest};
use crate::weights::{Source, WeightsError};
use async_trait::async_trait;
use sha2::{Digest, Sha256};

/// A manifest larger than this is a mistake.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// The largest tokenizer in the field (mT5) has 16 MiB.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Opens the files of one model by their plain names.
#[async_trait(?Send)]
pub trait ModelFiles {
    /// Where the files are, for messages.
    fn location(&self) -> String;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`CascadeError::File`] that says what is missing and where it was looked for.
    async fn open(&self, name: &str) -> Result<Box<dyn Source>, CascadeError>;
}

/// A model's folder on disk.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug)]
pub struct Directory {
    path: std::path::PathBuf,
}

#[cfg(not(target_arch = "wasm32"))]
impl Directory {
    /// The folder that holds `imagen.json`.
    pub fn new(path: impl Into<std::path::PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[async_trait(?Send)]
impl ModelFiles for Directory {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    async fn open(&self, name: &str) -> Result<Box<dyn Source>, CascadeError> {
        let path = self.path.join(name);
        if !path.is_file() {
            let reason = format!("there is no such file in {}; download or convert the model again", self.location());
            return Err(CascadeError::File { name: name.to_owned(), reason });
        }
        Ok(Box::new(crate::weights::FileSource::open(&path)?))
    }
}

/// Reads and checks the manifest.
pub(super) async fn read_manifest(files: &dyn ModelFiles) -> Result<Manifest, CascadeError> {
    let mut source = files.open(super::manifest::MANIFEST_FILE).await?;
    if source.len() > MAX_MANIFEST_BYTES {
        return Err(CascadeError::Manifest { reason: format!("it has {} bytes", source.len()) });
    }
    Manifest::from_json(&read_all(source.as_mut()).await?)
}

/// Reads the tokenizer and checks its size and hash.
pub(super) async fn read_tokenizer(files: &dyn ModelFiles, entry: &FileEntry) -> Result<Vec<u8>, CascadeError> {
    let mut source = files.open(&entry.file).await?;
    let actual = source.len();
    let name = || entry.file.clone();
    if entry.size > MAX_TOKENIZER_BYTES {
        let reason = format!("a tokenizer of {} bytes is no tokenizer", entry.size);
        return Err(CascadeError::File { name: name(), reason });
    }
    if actual < entry.size {
        return Err(WeightsError::Truncated { name: name(), expected: entry.size, actual }.into());
    }
    if actual > entry.size {
        let reason = format!("it has {actual} bytes instead of {}; download or convert the model again", entry.size);
        return Err(CascadeError::File { name: name(), reason });
    }
    let bytes = read_all(source.as_mut()).await?;
    let hash = hex::encode(Sha256::digest(&bytes));
    if hash != entry.sha256 {
        return Err(WeightsError::WrongHash { name: name(), expected: entry.sha256.clone(), actual: hash }.into());
    }
    Ok(bytes)
}

/// Checks that the tokenizer is there, with the size and the hash of the manifest.
///
/// # Errors
/// [`CascadeError`] that names what differs.
pub async fn check_tokenizer(files: &dyn ModelFiles, entry: &FileEntry) -> Result<(), CascadeError> {
    read_tokenizer(files, entry).await.map(|_| ())
}

/// Checks the pieces that the manifest lists of a file, by reading all of it.
///
/// # Errors
/// [`WeightsError::WrongHash`] that names the piece, and what the source reports.
pub async fn check_pieces(files: &dyn ModelFiles, entry: &FileEntry) -> Result<(), CascadeError> {
    let mut source = files.open(&entry.file).await?;
    for (index, expected) in entry.pieces.iter().enumerate() {
        let offset = index as u64 * PIECE_BYTES;
        // At most 16 MiB.
        let length = entry.size.saturating_sub(offset).min(PIECE_BYTES) as usize;
        let actual = hex::encode(Sha256::digest(source.read(offset, length).await?));
        if actual != *expected {
            let name = format!("piece {} of {}", index + 1, entry.file);
            return Err(WeightsError::WrongHash { name, expected: expected.clone(), actual }.into());
        }
    }
    Ok(())
}

async fn read_all(source: &mut dyn Source) -> Result<Vec<u8>, CascadeError> {
    let length = usize::try_from(source.len()).unwrap_or(usize::MAX);
    Ok(source.read(0, length).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_piece_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![7; 2 * PIECE_BYTES as usize + 3];
        let pieces = bytes.chunks(PIECE_BYTES as usize).map(|piece| hex::encode(Sha256::digest(piece))).collect();
        let entry = FileEntry { file: "a.gguf".into(), size: bytes.len() as u64, sha256: String::new(), pieces };
        let check = |bytes: &[u8]| {
            std::fs::write(folder.path().join("a.gguf"), bytes).unwrap();
            pollster::block_on(check_pieces(&Directory::new(folder.path()), &entry))
        };
        check(&bytes).unwrap();
        bytes[PIECE_BYTES as usize] = 8;
        assert!(check(&bytes).unwrap_err().to_string().contains("piece 2 of a.gguf"));
    }
}
