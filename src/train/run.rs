//! A training run: opens the model and the data, goes on from the checkpoint that is there, and trains until it is done, stopped, or
//! diverges.

use super::checkpoint::{self, Checkpoint, Progress};
use super::data::{self, Dataset, Loader, Loading};
use super::divergence::{self, Divergence};
use super::journal::{Journal, Row};
use super::ranks::{Quiet, Ranks};
use super::sheet::Sheets;
use super::{
    About, Hardware, Objective, OptimizerOptions, Precision, Rate, StageTask, StepReport, TrainError, Trainer,
    Weighting,
};
use crate::cascade::Manifest;
use crate::cascade::manifest::MANIFEST_FILE;
use crate::text::Tokenizer;
use burn::tensor::Device;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The checkpoint's file in a run's folder.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The model to begin from, or whose architecture is taken.
    pub model: PathBuf,
    /// The stage, by the size of its pictures.
    pub stage: u32,
    /// Begin with random weights.
    pub fresh: bool,
    /// Train the text encoder too.
    pub text_encoder: bool,
    pub data: PathBuf,
    pub device: Hardware,
    pub precision: Precision,
    /// The run's folder.
    pub out: PathBuf,
    pub seed: u64,
    /// Updates of the whole run.
    pub updates: u64,
    /// Examples of an update; see [`Loading::batch`].
    pub batch: usize,
    /// Examples in memory at a time.
    pub at_once: usize,
    /// Pixels per side of crops; none for whole pictures.
    pub crops: Vec<usize>,
    pub workers: usize,
    pub rate: Rate,
    pub optimizer: OptimizerOptions,
    pub weighting: Weighting,
    /// Factor of the variational bound, for a learned variance.
    pub bound: f32,
    pub drop_caption: f32,
    pub unaugmented: f32,
    pub flip: bool,
    pub focus: super::Focus,
    /// Updates between checkpoints, and between sheets of samples; 0 is none of them but the last.
    pub checkpoint_every: u64,
    pub sheet_every: u64,
    /// Prompts of the sheets.
    pub prompts: Vec<String>,
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something that the user should know.
    Note(String),
    /// The run begins, or goes on after `step` updates of `updates`.
    Started {
        step: u64,
        updates: u64,
        pictures: usize,
        parameters: usize,
    },
    /// An update was made; `step` counts them.
    Step {
        step: u64,
        report: StepReport,
        mean_loss: f64,
        examples_per_second: f64,
    },
    Checkpoint {
        step: u64,
        path: PathBuf,
    },
    Sheet {
        path: PathBuf,
    },
}

/// Who follows a run.
pub trait Watcher {
    fn event(&mut self, event: &Event);

    /// True when the run should end after this update, with a checkpoint.
    fn stopped(&self) -> bool {
        false
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Finished,
    Stopped,
}

/// Runs the training.
///
/// # Errors
/// [`TrainError`]: for settings, data and files that are not usable, before anything is written; for a training that
/// diverges, with the last good checkpoint in its place; for what cannot be written.
pub fn run(options: &RunOptions, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
    let ranks = Ranks::join()?;
    let mut quiet = Quiet { watcher, started: false };
    let watcher: &mut dyn Watcher = if ranks.leads() { &mut *quiet.watcher } else { &mut quiet };
    let ended = Run::open(options, &ranks, watcher).and_then(|run| run.train(watcher));
    if let Err(error) = &ended
        && ranks.count() > 1
    {
        // Told before it is over: a launcher may end all processes with the first that does.
        quiet.watcher.event(&Event::Note(error.to_string()));
    }
    ranks.depart(ended)
}

struct Run<'a> {
    options: &'a RunOptions,
    ranks: &'a Ranks,
    about: About,
    trainer: Trainer,
    progress: Progress,
    loader: Loader,
    /// Of the process that leads.
    journal: Option<Journal>,
    sheets: Sheets,
    path: PathBuf,
    /// Update of the last checkpoint.
    saved: Option<u64>,
    /// How many the data lists.
    pictures: u64,
}

impl<'a> Run<'a> {
    fn open(options: &'a RunOptions, ranks: &'a Ranks, watcher: &mut dyn Watcher) -> Result<Self, TrainError> {
        let read = |path: &Path| fs::read(path).map_err(|error| TrainError::read(path, error));
        let manifest = Manifest::from_json(&read(&options.model.join(MANIFEST_FILE))?)?;
        let task = task(options, &manifest)?;
        let dataset: Arc<dyn Dataset> = data::open(&options.data)?.into();
        dataset.notes().iter().for_each(|note| watcher.event(&Event::Note(note.clone())));
        let file =
            manifest.tokenizer.file.as_ref().ok_or_else(|| {
                TrainError::setting("model", "it has no tokenizer; captions cannot be read without one")
            })?;
        let tokenizer = read(&options.model.join(&file.file))?;
        let tokenizer = Tokenizer::from_bytes(&tokenizer, manifest.tokenizer.max_length, manifest.tokenizer.lowercase)?;
        let plain = options.device.device()?;
        options.precision.check(options.device, &plain)?;
        let device = plain.clone().autodiff();
        let about = About::new(&options.model, &manifest, options.stage, options.text_encoder)?;
        device.seed(options.seed);
        let networks = match options.fresh {
            true => about.networks(&device)?.with_silent_output(),
            false => about.load(&device)?,
        };
        let frozen = match options.text_encoder {
            true => None,
            false => Some(about.frozen(&manifest, &plain)?),
        };
        let objective = Objective::new(task.schedule.clone(), options.weighting, options.bound, task.residual)?;
        let trainer = Trainer::new(networks, frozen, objective, (options.optimizer, options.rate), device);
        let mut trainer = trainer.with_precision(options.precision);
        fs::create_dir_all(&options.out).map_err(|error| TrainError::write(&options.out, error))?;
        let path = options.out.join(CHECKPOINT);
        let mut progress = Progress { seed: options.seed, ..Progress::default() };
        let resumed = path.is_file();
        if resumed {
            progress = restore(&path, &mut trainer, &plain)?;
            if progress.seed != options.seed {
                watcher.event(&Event::Note(format!("the run keeps the seed that it began with, {}", progress.seed)));
            }
        }
        let saved = resumed.then_some(progress.step);
        let journal = ranks.leads().then(|| Journal::open(&options.out, progress.step)).transpose()?;
        let sheets = Sheets::new(options, &task, dataset.as_ref(), &manifest);
        let parameters = trainer.optimizer.weights.values().map(|value| value.dims()[0]).sum();
        let started =
            Event::Started { step: progress.step, updates: options.updates, pictures: dataset.len(), parameters };
        watcher.event(&started);
        let loading = loading(options, &task, ranks)?;
        let position = (progress.seed, progress.step, progress.examples);
        let pictures = dataset.len() as u64;
        let loader = Loader::start(dataset, task, tokenizer, loading, position)?;
        Ok(Self { options, ranks, pictures, about, trainer, progress, loader, journal, sheets, path, saved })
    }

    fn train(mut self, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
        let mut broken = 0;
        while self.progress.step < self.options.updates {
            let begun = Instant::now();
            let batch = self.loader.next()?;
            for (name, reason) in &batch.broken {
                broken += 1;
                watcher.event(&Event::Note(format!("{name} is left out: {reason} ({broken} so far)")));
            }
            let gradients = self.trainer.gradients(&batch.examples, self.options.at_once)?;
            let share = batch.examples.len() as f64 / batch.count as f64;
            let same = [self.progress.step, self.pictures];
            let (gradients, stopped) = self.ranks.combine((gradients, share), watcher.stopped(), same)?;
            let report = self.trainer.report(&gradients);
            let judged = divergence::judge(&self.progress, &report).map_err(|what| self.diverged(what))?;
            // What is written now are the weights that this loss was found good with.
            let step = self.progress.step;
            let due = |every: u64| every > 0 && step > 0 && step.is_multiple_of(every);
            if due(self.options.checkpoint_every) && self.saved != Some(step) {
                self.save(watcher)?;
            }
            if due(self.options.sheet_every) {
                self.sheet(watcher)?;
            }
            self.trainer.update(gradients);
            self.progress = judged;
            let seconds = begun.elapsed().as_secs_f64();
            let count = batch.count as u64;
            self.progress.examples += count;
            self.progress.seconds += seconds;
            let examples_per_second = count as f64 / seconds.max(1e-9);
            let (examples, so_far) = (self.progress.examples, self.progress.seconds);
            let row = Row { step, report, examples, seconds: so_far, examples_per_second };
            self.journal.as_mut().map_or(Ok(()), |journal| journal.write(&row))?;
            self.progress.step += 1;
            let mean_loss = self.progress.loss.unwrap_or(report.loss);
            watcher.event(&Event::Step { step: step + 1, report, mean_loss, examples_per_second });
            if stopped {
                self.finish(watcher)?;
                return Ok(Ended::Stopped);
            }
        }
        self.finish(watcher)?;
        if self.options.sheet_every > 0 {
            self.sheet(watcher)?;
        }
        Ok(Ended::Finished)
    }

    /// The last checkpoint of this start.
    fn finish(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        if !self.trainer.is_finite() {
            return Err(self.diverged(Divergence::NotFinite));
        }
        if self.saved != Some(self.progress.step) {
            self.save(watcher)?;
        }
        Ok(())
    }

    fn save(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        if let Some(journal) = &mut self.journal {
            journal.flush()?;
            checkpoint::write(&self.path, &self.trainer.optimizer, &self.progress, &self.about.to_json())?;
        }
        self.saved = Some(self.progress.step);
        watcher.event(&Event::Checkpoint { step: self.progress.step, path: self.path.clone() });
        Ok(())
    }

    fn sheet(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        if !self.ranks.leads() {
            return Ok(());
        }
        let path = self.sheets.write(&self.trainer.averaged(), &self.about, self.progress.step)?;
        watcher.event(&Event::Sheet { path });
        Ok(())
    }

    fn diverged(&mut self, what: Divergence) -> TrainError {
        // What the journal still holds is of no use to a run that goes on before it; the error that matters is this one.
        let _ = self.journal.as_mut().map(Journal::flush);
        let kept = match self.saved {
            Some(step) => format!("the checkpoint of step {step} is kept in {}", self.path.display()),
            None => "there was no checkpoint yet".to_owned(),
        };
        TrainError::Diverged { step: self.progress.step, what: what.to_string(), kept }
    }
}

fn task(options: &RunOptions, manifest: &Manifest) -> Result<StageTask, TrainError> {
    let at = manifest.stages.iter().position(|stage| stage.image_size == options.stage);
    let Some(at) = at else {
        let sizes: Vec<String> = manifest.stages.iter().map(|stage| stage.image_size.to_string()).collect();
        return Err(TrainError::setting(
            "stage",
            format!("{} is none of the model's: {}", options.stage, sizes.join(", ")),
        ));
    };
    let before = at.checked_sub(1).map(|before| manifest.stages[before].image_size);
    let mut task = StageTask::new(&manifest.stages[at], before)?;
    (task.drop_caption, task.unaugmented) = (options.drop_caption, options.unaugmented);
    (task.flip, task.focus) = (options.flip, options.focus);
    task.check_crops(&options.crops, super::about::unet(&manifest.stages[at])?)?;
    Ok(task)
}

fn loading(options: &RunOptions, task: &StageTask, ranks: &Ranks) -> Result<Loading, TrainError> {
    if options.batch < ranks.count() {
        let reason = format!("{} examples are not enough for {} processes", options.batch, ranks.count());
        return Err(TrainError::setting("batch", reason));
    }
    let crops = if options.crops.is_empty() { vec![task.image_size] } else { options.crops.clone() };
    // Enlarged pictures have nothing that super-resolution could learn; a base may learn from slightly smaller ones.
    let least = if task.enlarges() { task.image_size } else { task.image_size.div_ceil(2) };
    Ok(Loading { batch: options.batch, crops, least, workers: options.workers, share: ranks.share() })
}

fn restore(path: &Path, trainer: &mut Trainer, device: &Device) -> Result<Progress, TrainError> {
    let checkpoint = Checkpoint::read(path, device)?;
    trainer.networks().check(&checkpoint.lengths()).map_err(|reason| {
        TrainError::checkpoint(path, format!("it is of another architecture: {reason}; choose another --output"))
    })?;
    let progress = checkpoint.restore(&mut trainer.optimizer);
    trainer.refresh();
    Ok(progress)
}
