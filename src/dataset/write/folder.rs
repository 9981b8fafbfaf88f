//! A folder of PNG files with `metadata.jsonl`.

use super::{Drawn, METADATA, Store};
use crate::dataset::DatasetError;
use crate::dataset::record::Record;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

pub(super) struct Folder {
    path: PathBuf,
    lines: File,
    /// Bytes of whole lines.
    length: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    file_name: &'a str,
    #[serde(flatten)]
    record: Record<'a>,
}

impl Folder {
    /// Makes the folder, unless it is there, and its `metadata.jsonl`, which must not be there.
    pub(super) fn create(path: &Path) -> Result<Self, DatasetError> {
        fs::create_dir_all(path).map_err(DatasetError::write(path))?;
        let list = path.join(METADATA);
        let lines = File::create_new(&list).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => DatasetError::Exists(list),
            _ => DatasetError::Write { path: list, source: error },
        })?;
        Ok(Self { path: path.to_owned(), lines, length: 0 })
    }

    fn add_line(&mut self, line: &Line<'_>) -> Result<(), DatasetError> {
        let mut bytes = serde_json::to_vec(line).map_err(std::io::Error::from).map_err(self.on_list())?;
        bytes.push(b'\n');
        if let Err(error) = self.lines.write_all(&bytes) {
            // Half a line would spoil the lines before it for every reader.
            self.lines.set_len(self.length).map_err(self.on_list())?;
            return Err(self.on_list()(error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn on_list(&self) -> impl FnOnce(std::io::Error) -> DatasetError + use<> {
        DatasetError::write(self.path.join(METADATA))
    }
}

impl Store for Folder {
    fn add(&mut self, picture: &Drawn) -> Result<(), DatasetError> {
        let name = format!("{}.png", picture.name);
        let path = self.path.join(&name);
        let added = fs::write(&path, &picture.png)
            .map_err(DatasetError::write(&path))
            .and_then(|()| self.add_line(&Line { file_name: &name, record: picture.scene.record() }));
        if added.is_err() {
            // Nothing more can be said about half a picture that cannot be deleted either.
            let _ = fs::remove_file(&path);
        }
        added
    }

    fn finish(&mut self) -> Result<(), DatasetError> {
        self.lines.sync_all().map_err(self.on_list())
    }
}
