//! WebDataset: `.tar` files in which a sample is the files of one name up to the first dot, a picture and `.txt` or `.json` with
//! its caption. Listed once; pictures are then read where they lie.

use super::{Dataset, Record, files, picture, some};
use crate::train::TrainError;
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A caption longer than this is none.
const LONGEST: u64 = 1 << 20;

pub(super) struct Shards {
    shards: Vec<PathBuf>,
    samples: Vec<Sample>,
    notes: Vec<String>,
}

struct Sample {
    shard: usize,
    name: String,
    offset: u64,
    length: u64,
    caption: String,
}

/// None where there are no shards.
pub(super) fn open(path: &Path) -> Result<Option<Shards>, TrainError> {
    let shards = match path.is_dir() {
        true => files(path)?,
        false => vec![path.to_owned()],
    };
    let is_shard = |path: &PathBuf| path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("tar"));
    let shards: Vec<PathBuf> = shards.into_iter().filter(is_shard).collect();
    if shards.is_empty() {
        return Ok(None);
    }
    let mut set = Shards { shards, samples: Vec::new(), notes: Vec::new() };
    let mut incomplete = Vec::new();
    for shard in 0..set.shards.len() {
        if let Err(reason) = list(&set.shards[shard], shard, &mut set.samples, &mut incomplete) {
            let path = set.shards[shard].display();
            set.notes.push(format!("{path} ends early, what comes before is used: {reason}"));
        }
    }
    if !incomplete.is_empty() {
        set.notes
            .push(format!("samples without a picture, or a caption in UTF-8, are left out: {}", some(&incomplete)));
    }
    if set.samples.is_empty() {
        let reason = set.notes.iter().cloned().chain(["its shards hold no picture with a caption".to_owned()]);
        let reason = reason.collect::<Vec<_>>().join("; ");
        return Err(TrainError::Empty { path: path.display().to_string(), reason });
    }
    Ok(Some(set))
}

/// The files of one sample, as far as they are known.
#[derive(Default)]
struct Parts {
    key: String,
    picture: Option<(u64, u64)>,
    caption: Option<String>,
}

impl Parts {
    fn finish(self, shard: usize, samples: &mut Vec<Sample>, incomplete: &mut Vec<String>) {
        match (self.picture, self.caption) {
            (Some((offset, length)), Some(caption)) => {
                samples.push(Sample { shard, name: self.key, offset, length, caption });
            }
            (None, None) => {}
            _ => incomplete.push(self.key),
        }
    }
}

fn list(path: &Path, shard: usize, samples: &mut Vec<Sample>, incomplete: &mut Vec<String>) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let file = File::open(path).map_err(told)?;
    let size = file.metadata().map_err(told)?.len();
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut parts = Parts::default();
    let mut result = Ok(());
    for entry in archive.entries_with_seek().map_err(told)? {
        match entry.map_err(told).and_then(|entry| take(entry, size, &mut parts)) {
            Ok(None) => {}
            Ok(Some(before)) => before.finish(shard, samples, incomplete),
            Err(reason) => {
                result = Err(reason);
                break;
            }
        }
    }
    parts.finish(shard, samples, incomplete);
    result
}

/// Notes an entry; hands back the sample before it where the entry begins another one.
fn take<R: Read>(mut entry: tar::Entry<'_, R>, size: u64, parts: &mut Parts) -> Result<Option<Parts>, String> {
    let told = |error: std::io::Error| error.to_string();
    let path = entry.path().map_err(told)?.to_string_lossy().into_owned();
    let name_at = path.rfind('/').map_or(0, |slash| slash + 1);
    let Some(dot) = path[name_at..].find('.').map(|dot| name_at + dot) else { return Ok(None) };
    let (key, kind) = (path[..dot].to_owned(), path[dot + 1..].to_ascii_lowercase());
    let before = (parts.key != key).then(|| std::mem::replace(parts, Parts { key, ..Parts::default() }));
    let (offset, length) = (entry.raw_file_position(), entry.size());
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(format!("{path} is cut off"));
    }
    match kind.as_str() {
        "png" | "jpg" | "jpeg" => parts.picture = Some((offset, length)),
        "txt" | "json" if length <= LONGEST => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(told)?;
            let from_json = || {
                let value: Value = serde_json::from_slice(&bytes).ok()?;
                ["caption", "text", "prompt"].iter().find_map(|key| value.get(key)?.as_str()).map(str::to_owned)
            };
            // Text in another encoding costs this sample alone.
            let plain = || std::str::from_utf8(&bytes).ok().map(|text| text.trim().to_owned());
            let caption = if kind == "txt" { plain() } else { from_json() };
            parts.caption = caption.or(parts.caption.take());
        }
        _ => {}
    }
    Ok(before)
}

impl Dataset for Shards {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn name(&self, index: usize) -> String {
        let Sample { shard, name, .. } = &self.samples[index];
        format!("{name} in {}", self.shards[*shard].display())
    }

    fn read(&self, index: usize) -> Result<Record, String> {
        let Sample { shard, offset, length, caption, .. } = &self.samples[index];
        let mut bytes = Vec::new();
        let read = File::open(&self.shards[*shard]).and_then(|mut file| {
            file.seek(SeekFrom::Start(*offset))?;
            file.take(*length).read_to_end(&mut bytes)
        });
        read.map_err(|error| error.to_string())?;
        Ok(Record { picture: picture::decode(&bytes)?, caption: caption.clone() })
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
