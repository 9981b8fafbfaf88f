//! WebDataset's shards: tar files whose members of one name belong together.
//!
//! A shard is `….tar.part` until it is complete.

use super::{Drawn, SHARD, Store};
use crate::dataset::DatasetError;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use tar::{Builder, Header};

pub(super) struct Shards {
    folder: PathBuf,
    /// Pictures per shard.
    pictures: u64,
    /// The next shard's number.
    number: u64,
    open: Option<Shard>,
}

struct Shard {
    tar: Builder<BufWriter<File>>,
    part: PathBuf,
    path: PathBuf,
    pictures: u64,
}

impl Shards {
    /// Makes the folder, unless it is there.
    pub(super) fn create(folder: &Path, pictures: u64) -> Result<Self, DatasetError> {
        if pictures == 0 {
            return Err(DatasetError::Count("pictures per shard"));
        }
        fs::create_dir_all(folder).map_err(DatasetError::write(folder))?;
        Ok(Self { folder: folder.to_owned(), pictures, number: 0, open: None })
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{SHARD}{number:06}.tar"))
    }

    fn begin(&mut self) -> Result<Shard, DatasetError> {
        let path = self.path(self.number);
        let part = path.with_extension("tar.part");
        let file = File::create(&part).map_err(DatasetError::write(&part))?;
        self.number += 1;
        Ok(Shard { tar: Builder::new(BufWriter::new(file)), part, path, pictures: 0 })
    }
}

impl Shard {
    fn add(&mut self, picture: &Drawn) -> io::Result<()> {
        let record = serde_json::to_vec(&picture.scene.record())?;
        let members = [("png", &picture.png[..]), ("txt", picture.scene.caption.as_bytes()), ("json", &record)];
        for (extension, bytes) in members {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            // No time and no owner: the same order makes the same file.
            header.set_mtime(0);
            self.tar.append_data(&mut header, format!("{}.{extension}", picture.name), bytes)?;
        }
        self.pictures += 1;
        Ok(())
    }

    fn complete(self) -> io::Result<()> {
        let file = self.tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.part, &self.path)
    }
}

/// Says what went wrong with a shard, and frees its room on the disk.
fn give_up(part: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    move |source| {
        // The first error is the one that says why.
        let _ = fs::remove_file(part);
        DatasetError::Write { path: part.to_owned(), source }
    }
}

impl Store for Shards {
    fn add(&mut self, picture: &Drawn) -> Result<(), DatasetError> {
        let mut shard = match self.open.take() {
            Some(shard) => shard,
            None => self.begin()?,
        };
        shard.add(picture).map_err(give_up(&shard.part))?;
        self.open = Some(shard);
        if self.open.as_ref().is_some_and(|shard| shard.pictures == self.pictures) { self.finish() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), DatasetError> {
        let Some(shard) = self.open.take() else { return Ok(()) };
        let part = shard.part.clone();
        shard.complete().map_err(give_up(&part))
    }
}
