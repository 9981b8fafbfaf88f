//! Tests of the conversion, on a tiny cascade that transformers and diffusers saved (`tests/reference/convert.py`).

mod errors;
mod files;
mod parts;
mod pickles;

use super::*;
use crate::cascade::Manifest;
use crate::weights::BlockFormat;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A copy of the fixture that a test may damage, with a tokenizer, and an output folder beside it.
struct Cascade {
    folder: TempDir,
}

impl Cascade {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        copy(&fixtures.join("huggingface"), &folder.path().join("tiny-hf"));
        fs::create_dir(folder.path().join("tiny-hf/tokenizer")).unwrap();
        fs::copy(fixtures.join("tokenizer.json"), folder.path().join("tiny-hf/tokenizer/tokenizer.json")).unwrap();
        let cascade = Self { folder };
        // diffusers does not know patches.
        cascade.change("unet/config.json", "\"sample_size\": 8", "\"patch_size\": 2, \"sample_size\": 8");
        cascade
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("tiny-hf")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("tiny")
    }

    fn remove(&self, path: &str) {
        let path = self.source().join(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.source().join(path), bytes).unwrap();
    }

    /// Replaces a text in a file of the source.
    fn change(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.source().join(path)).unwrap();
        assert!(text.contains(from), "{path} does not contain {from}");
        self.write(path, text.replace(from, to).as_bytes());
    }

    fn convert_to(&self, quantize: impl Into<Quantization>) -> Result<Vec<String>, ConvertError> {
        let mut notes = Vec::new();
        let mut progress = |progress: Progress<'_>| {
            if let Progress::Note(note) = progress {
                notes.push(note.to_owned());
            }
        };
        convert(&[self.source()], &self.out(), &quantize.into(), &mut progress).map(|()| notes)
    }

    fn convert(&self) -> Result<Vec<String>, ConvertError> {
        self.convert_to(BlockFormat::Q8_0)
    }

    fn manifest(&self) -> Manifest {
        Manifest::from_json(&fs::read(self.out().join("imagen.json")).unwrap()).unwrap()
    }

    /// All files of the output with their bytes; none where there is no output.
    fn contents(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        let names = self.out().is_dir().then(|| self.outputs())?;
        Some(names.into_iter().map(|name| (name.clone(), fs::read(self.out().join(name)).unwrap())).collect())
    }

    fn outputs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).unwrap();
        }
    }
}
