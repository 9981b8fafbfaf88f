//! Pictures with captions: a folder, WebDataset shards, or a pair of IDX files; decoded, brought to size and cut into examples on
//! threads of their own.

mod folder;
mod idx;
mod loader;
mod mixed;
mod picture;
mod shards;
#[cfg(test)]
mod tests;

pub use loader::{Batch, Loader, Loading, Order, Share};
pub(super) use mixed::Mixed;
pub use picture::fit;

use super::TrainError;
use image::RgbImage;
use std::path::Path;

/// A picture as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub picture: RgbImage,
    pub caption: String,
}

/// A set of captioned pictures, in a fixed order.
pub trait Dataset: Send + Sync {
    /// How many pictures it lists; some may turn out to be broken.
    fn len(&self) -> usize;

    /// True for a set of no pictures.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What to call picture `index` in messages.
    fn name(&self, index: usize) -> String;

    /// Reads and decodes picture `index`. The error says why it cannot be used.
    fn read(&self, index: usize) -> Result<Record, String>;

    /// What was left out while the set was listed, in words, such as pictures without captions.
    fn notes(&self) -> &[String];

    /// Whether its pictures, mirrored, still are what their captions say, unless those say left or right.
    fn may_be_mirrored(&self) -> bool {
        true
    }
}

/// Opens a data set by what lies at `path`: a folder of pictures, a folder of `.tar` shards or one of them, or IDX files (the
/// pictures' file, or a folder that holds a pair).
///
/// # Errors
/// [`TrainError::Empty`] where nothing can be trained on, [`TrainError::Read`] for what cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Dataset>, TrainError> {
    if let Some(set) = idx::open(path)? {
        return Ok(Box::new(set));
    }
    if let Some(set) = shards::open(path)? {
        return Ok(Box::new(set));
    }
    Ok(Box::new(folder::open(path)?))
}

/// The files directly in `folder`, by name.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, TrainError> {
    let listed = std::fs::read_dir(folder).map_err(|error| TrainError::read(folder, error))?;
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(|error| TrainError::read(folder, error))?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// How many names there are, and the first of them.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{} ({shown}{more})", names.len())
}
