//! A folder of pictures: `NAME.png` or `NAME.jpg` with its caption in `NAME.txt`, or all captions in `metadata.jsonl`, one JSON
//! object per line with `file_name` and `text` (Hugging Face's ImageFolder; `caption` or `prompt` will do too).

use super::{Dataset, Record, files, picture, some};
use crate::train::TrainError;
use serde_json::Value;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const METADATA: &str = "metadata.jsonl";
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

pub(super) struct Folder {
    pictures: Vec<(PathBuf, String)>,
    notes: Vec<String>,
}

pub(super) fn open(folder: &Path) -> Result<Folder, TrainError> {
    let listed = folder.join(METADATA);
    let set = if listed.is_file() { with_metadata(folder, &listed)? } else { with_texts(folder)? };
    if set.pictures.is_empty() {
        let hint = "put pictures (png, jpg) with captions there, NAME.txt beside NAME.png or all in metadata.jsonl";
        let reason = set.notes.iter().cloned().chain([hint.to_owned()]).collect::<Vec<_>>().join("; ");
        return Err(TrainError::Empty { path: folder.display().to_string(), reason });
    }
    Ok(set)
}

fn with_texts(folder: &Path) -> Result<Folder, TrainError> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut candidates, mut texts) = (Vec::new(), Vec::new());
    for path in files(folder)? {
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "txt" => texts.push(path),
            kind if PICTURES.contains(&kind) => candidates.push(path),
            _ => {}
        }
    }
    let stems: HashSet<&OsStr> = candidates.iter().filter_map(|path| path.file_stem()).collect();
    let alone = |path: &&PathBuf| path.file_stem().is_some_and(|stem| !stems.contains(stem));
    let alone: Vec<String> = texts.iter().filter(alone).map(|path| name(path)).collect();
    let (mut pictures, mut bare, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for path in candidates {
        match fs::read_to_string(path.with_extension("txt")) {
            Ok(caption) => pictures.push((path, caption.trim().to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => bare.push(name(&path)),
            Err(error) => unreadable.push(format!("{}: {error}", name(&path.with_extension("txt")))),
        }
    }
    let told = [
        ("pictures without a caption are left out", bare),
        ("captions that cannot be read are left out with their pictures", unreadable),
        ("captions without a picture", alone),
    ];
    let told = told.into_iter().filter(|(_, names)| !names.is_empty());
    Ok(Folder { pictures, notes: told.map(|(what, names)| format!("{what}: {}", some(&names))).collect() })
}

fn with_metadata(folder: &Path, listed: &Path) -> Result<Folder, TrainError> {
    let text = fs::read_to_string(listed).map_err(|error| TrainError::read(listed, error))?;
    let (mut pictures, mut bad) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match entry(line) {
            Ok((file, caption)) => pictures.push((folder.join(file), caption)),
            Err(reason) => bad.push(format!("line {}: {reason}", index + 1)),
        }
    }
    let mut notes = Vec::new();
    if !bad.is_empty() {
        notes.push(format!("lines of {METADATA} that are left out: {}", some(&bad)));
    }
    Ok(Folder { pictures, notes })
}

fn entry(line: &str) -> Result<(PathBuf, String), String> {
    let line: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |keys: &[&str]| keys.iter().find_map(|key| line.get(key)?.as_str()).map(str::to_owned);
    let file = PathBuf::from(text(&["file_name"]).ok_or("it has no file_name")?);
    if file.is_absolute() || file.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(format!("{} lies outside the folder", file.display()));
    }
    Ok((file, text(&["text", "caption", "prompt"]).ok_or("it has no text")?))
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn name(&self, index: usize) -> String {
        self.pictures[index].0.display().to_string()
    }

    fn read(&self, index: usize) -> Result<Record, String> {
        let (path, caption) = &self.pictures[index];
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        Ok(Record { picture: picture::decode(&bytes)?, caption: caption.clone() })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
