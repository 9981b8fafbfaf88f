//! The model's own samples, which a fine-tuning mixes in so that the model keeps what it knew (the class prior of DreamBooth,
//! 2208.12242, of a whole model): made once, into the run's folder, as pictures with `metadata.jsonl`.
//!
//! A line tells everything that its picture follows from. What is there already is kept as far as the lines agree, so that a
//! killed run goes on with the next picture, and another model or other prompts begin anew.

use super::checkpoint::replace;
use super::{Event, RunOptions, TrainError, Watcher};
use crate::cascade::manifest::Manifest;
use crate::cascade::{self, Cascade, CascadeError, Directory, Observer, Request};
use crate::gpu::Backend;
use crate::image::png;
use async_trait::async_trait;
use pollster::block_on;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// The samples' folder in a run's.
const FOLDER: &str = "prior";
const METADATA: &str = "metadata.jsonl";
/// Seed of the first sample; not one of those that a user tries first.
const SEED: u64 = 1_000_000;

/// Samples that are mixed in.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorOptions {
    /// Their part of the examples, above 0 and below 1.
    pub share: f32,
    /// How many are made.
    pub pictures: usize,
    /// What of; taken in turns. At least one.
    pub prompts: Vec<String>,
}

/// The folder with the samples of the stage with this index; none where the run was stopped.
pub(super) fn make(
    options: &RunOptions,
    prior: &PriorOptions,
    (manifest, stage): (&Manifest, usize),
    watcher: &mut dyn Watcher,
) -> Result<Option<PathBuf>, TrainError> {
    let folder = options.out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| TrainError::write(&folder, error))?;
    let made_of: Vec<&str> = manifest.stages[..=stage].iter().map(|stage| stage.weights.sha256.as_str()).collect();
    let sample = |index: usize| (format!("{index:04}.png"), &prior.prompts[index % prior.prompts.len()]);
    let lines = (0..prior.pictures).map(|index| {
        let (name, prompt) = sample(index);
        json!({"file_name": name, "text": prompt, "seed": SEED + index as u64, "weights": made_of}).to_string()
    });
    let lines: Vec<String> = lines.collect();
    let list = folder.join(METADATA);
    let before = match fs::read_to_string(&list) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(TrainError::read(&list, error)),
        read => read.unwrap_or_default(),
    };
    let there = |(index, line): &(usize, &str)| lines.get(*index).is_some_and(|wanted| wanted == line);
    let mut made = before.lines().enumerate().take_while(there).count();
    if before.lines().count() != made || !before.ends_with('\n') {
        let kept: String = lines[..made].iter().map(|line| format!("{line}\n")).collect();
        replace(&list, kept.as_bytes()).map_err(|error| TrainError::write(&list, error))?;
    }
    if made == prior.pictures {
        return Ok(Some(folder));
    }
    let mut cascade = block_on(Cascade::open(Box::new(Directory::new(&options.model)), Backend::Cpu))?;
    while made < prior.pictures {
        let (name, prompt) = sample(made);
        let mut request = Request::new(prompt.as_str());
        (request.seed, request.stop_at_stage) = (SEED + made as u64, Some(stage + 1));
        let output = match block_on(cascade.generate(&request, &mut Until(&*watcher))) {
            Err(CascadeError::Cancelled) => return Ok(None),
            output => output?,
        };
        let path = folder.join(name);
        let failed = |error: std::io::Error| TrainError::write(&path, error);
        for picture in output.pictures() {
            replace(&path, &png::write_plain(picture)?).map_err(failed)?;
        }
        let mut list = OpenOptions::new().append(true).open(&list).map_err(failed)?;
        writeln!(list, "{}", lines[made]).map_err(failed)?;
        made += 1;
        watcher.event(&Event::Prior { made, pictures: prior.pictures });
        if watcher.stopped() && made < prior.pictures {
            return Ok(None);
        }
    }
    Ok(Some(folder))
}

/// Ends a sample when the run is stopped.
struct Until<'a>(&'a dyn Watcher);

#[async_trait(?Send)]
impl Observer for Until<'_> {
    fn event(&mut self, _event: cascade::Event) {}

    fn cancelled(&self) -> bool {
        self.0.stopped()
    }
}
