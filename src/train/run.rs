//! A training run: opens the model and the data, goes on from the checkpoint that is there, and trains until it is done, stopped, or
//! diverges.

use super::checkpoint::{self, Progress};
use super::data::{Batch, Loader, Loading};
use super::divergence::{self, Divergence};
use super::journal::{Journal, Row};
use super::sheet::Sheets;
use super::{About, LoraOptions, Objective, OptimizerOptions, PriorOptions, Rate, StageTask, StepReport};
use super::{Ended, Event, TrainError, Trainer, Watcher, Weighting, adapters, begin};
use crate::cascade::Manifest;
use crate::cascade::manifest::MANIFEST_FILE;
use crate::text::Tokenizer;
use burn::tensor::Device;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The checkpoint's file in a run's folder.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The file of a run's adapters, as `imagen generate --lora` and others read them.
pub const ADAPTER: &str = "adapter.safetensors";

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
    /// Train adapters, and no weights.
    pub lora: Option<LoraOptions>,
    /// Mix in the model's own samples.
    pub prior: Option<PriorOptions>,
    /// Bytes on disk for embeddings of captions, of a text encoder that is not trained; 0 keeps none.
    pub text_cache: u64,
    pub data: PathBuf,
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

/// Runs the training.
///
/// # Errors
/// [`TrainError`]: for settings, data and files that are not usable, before anything is written; for a training that
/// diverges, with the last good checkpoint in its place; for what cannot be written.
pub fn run(options: &RunOptions, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
    match Run::open(options, watcher)? {
        Some(run) => run.train(watcher),
        None => Ok(Ended::Stopped),
    }
}

struct Run<'a> {
    options: &'a RunOptions,
    about: About,
    trainer: Trainer,
    progress: Progress,
    loader: Loader,
    /// The first batch, which was made before the run began.
    first: Option<Batch>,
    journal: Journal,
    sheets: Sheets,
    path: PathBuf,
    /// Update of the last checkpoint.
    saved: Option<u64>,
}

impl<'a> Run<'a> {
    /// None where the run was stopped before it began.
    fn open(options: &'a RunOptions, watcher: &mut dyn Watcher) -> Result<Option<Self>, TrainError> {
        let read = |path: &Path| fs::read(path).map_err(|error| TrainError::read(path, error));
        let manifest = Manifest::from_json(&read(&options.model.join(MANIFEST_FILE))?)?;
        let (task, stage) = begin::task(options, &manifest)?;
        let objective = Objective::new(task.schedule.clone(), options.weighting, options.bound, task.residual)?;
        let file =
            manifest.tokenizer.file.as_ref().ok_or_else(|| {
                TrainError::setting("model", "it has no tokenizer; captions cannot be read without one")
            })?;
        let tokenizer = read(&options.model.join(&file.file))?;
        let tokenizer = Tokenizer::from_bytes(&tokenizer, manifest.tokenizer.max_length, manifest.tokenizer.lowercase)?;
        let about = About::new(options, &manifest, stage)?;
        let Some(dataset) = begin::dataset(options, (&manifest, stage), watcher)? else { return Ok(None) };
        let device = Device::flex().autodiff();
        device.seed(options.seed);
        let networks = match options.fresh {
            true => about.networks(&device)?.with_silent_output(),
            false => about.load(&device)?,
        };
        let path = options.out.join(CHECKPOINT);
        let mut trainer = Trainer::new(networks, None, objective, (options.optimizer, options.rate), device);
        let resumed = path.is_file();
        let progress = match resumed {
            true => begin::restore(&path, (options, &about), &mut trainer, watcher)?,
            false => Progress { seed: options.seed, loss_of: begin::loss_of(options), ..Progress::default() },
        };
        let saved = resumed.then_some(progress.step);
        let position = (progress.seed, progress.step, progress.examples);
        let loading = loading(options, &task);
        let loader = Loader::start(dataset.clone(), task.clone(), tokenizer, loading, position)?;
        // Pictures of which none can be used are an error before anything is written.
        let first = Some(loader.next()?);
        fs::create_dir_all(&options.out).map_err(|error| TrainError::write(&options.out, error))?;
        trainer.frozen = begin::frozen(options, &about, &manifest, watcher)?;
        let journal = Journal::open(&options.out, progress.step)?;
        let sheets = Sheets::new(options, (&task, stage), dataset.as_ref(), &manifest);
        let parameters = trainer.optimizer.weights.values().map(|value| value.dims()[0]).sum();
        let started =
            Event::Started { step: progress.step, updates: options.updates, pictures: dataset.len(), parameters };
        watcher.event(&started);
        Ok(Some(Self { options, about, trainer, progress, loader, first, journal, sheets, path, saved }))
    }

    fn train(mut self, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
        let ended = self.updates(watcher);
        match &ended {
            Ok(_) | Err(TrainError::Diverged { .. }) => {}
            Err(TrainError::Write { path, .. }) if *path == self.path.display().to_string() => {}
            // What was trained until then is kept, if it can be; the error that matters is the first one.
            Err(_) => drop(self.finish(watcher)),
        }
        ended
    }

    fn updates(&mut self, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
        let mut broken = 0;
        while self.progress.step < self.options.updates {
            let begun = Instant::now();
            let batch = self.batch()?;
            for (name, reason) in &batch.broken {
                broken += 1;
                watcher.event(&Event::Note(format!("{name} is left out: {reason} ({broken} so far)")));
            }
            let gradients = self.trainer.gradients(&batch.examples, self.options.at_once)?;
            let report = self.trainer.report(&gradients);
            let judged = divergence::judge(&self.progress, &report).map_err(|what| self.diverged(what))?;
            // What is written now are the weights that this loss was found good with.
            let step = self.progress.step;
            let due = |every: u64| every > 0 && step > 0 && step.is_multiple_of(every);
            if due(self.options.checkpoint_every) && self.saved != Some(step) {
                self.save(watcher)?;
            }
            if due(self.options.sheet_every) {
                self.sheet(watcher);
            }
            self.trainer.update(gradients);
            self.progress = judged;
            let seconds = begun.elapsed().as_secs_f64();
            let count = batch.examples.len() as u64;
            self.progress.examples += count;
            self.progress.seconds += seconds;
            self.progress.step += 1;
            let examples_per_second = count as f64 / seconds.max(1e-9);
            let (examples, so_far) = (self.progress.examples, self.progress.seconds);
            self.journal.write(&Row { step, report, examples, seconds: so_far, examples_per_second })?;
            let mean_loss = self.progress.loss.unwrap_or(report.loss);
            watcher.event(&Event::Step { step: step + 1, report, mean_loss, examples_per_second });
            if watcher.stopped() {
                self.finish(watcher)?;
                return Ok(Ended::Stopped);
            }
        }
        self.finish(watcher)?;
        if self.options.sheet_every > 0 {
            self.sheet(watcher);
        }
        Ok(Ended::Finished)
    }

    fn batch(&mut self) -> Result<Batch, TrainError> {
        match self.first.take() {
            Some(batch) => Ok(batch),
            None => self.loader.next(),
        }
    }

    /// The last checkpoint of this start, with weights that the next batch's loss finds good as well.
    fn finish(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        if self.saved != Some(self.progress.step) {
            // Without another batch, which an earlier error may be the reason for, the weights have to do.
            if let Ok(batch) = self.batch() {
                let loss = self.trainer.mean_loss(&batch.examples, self.options.at_once)?;
                let report = StepReport { loss, rate: 0.0, norm: 0.0 };
                divergence::judge(&self.progress, &report).map_err(|what| self.diverged(what))?;
            }
            if !self.trainer.is_finite() {
                return Err(self.diverged(Divergence::NotFinite));
            }
            self.save(watcher)?;
        }
        let Some(lora) = &self.options.lora else { return Ok(()) };
        let path = self.options.out.join(ADAPTER);
        let file = adapters::to_safetensors(self.trainer.networks(), &self.trainer.optimizer.average, lora.scale)?;
        checkpoint::replace(&path, &file).map_err(|error| TrainError::write(&path, error))?;
        watcher.event(&Event::Adapter { path });
        Ok(())
    }

    fn save(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        self.journal.flush()?;
        checkpoint::write(&self.path, &self.trainer.optimizer, &self.progress, &self.about.to_json())?;
        self.saved = Some(self.progress.step);
        watcher.event(&Event::Checkpoint { step: self.progress.step, path: self.path.clone() });
        Ok(())
    }

    /// A sheet that cannot be made is no reason to lose the run.
    fn sheet(&mut self, watcher: &mut dyn Watcher) {
        let written = self.sheets.write(&self.trainer.averaged(), &self.about, self.progress.step);
        watcher.event(&match written {
            Ok(path) => Event::Sheet { path },
            Err(error) => Event::Note(format!("there is no sheet of step {}: {error}", self.progress.step)),
        });
    }

    fn diverged(&mut self, what: Divergence) -> TrainError {
        // What the journal still holds is of no use to a run that goes on before it; the error that matters is this one.
        let _ = self.journal.flush();
        let kept = match self.saved {
            Some(step) => format!("the checkpoint of step {step} is kept in {}", self.path.display()),
            None => "there was no checkpoint yet".to_owned(),
        };
        TrainError::Diverged { step: self.progress.step, what: what.to_string(), kept }
    }
}

fn loading(options: &RunOptions, task: &StageTask) -> Loading {
    let crops = if options.crops.is_empty() { vec![task.image_size] } else { options.crops.clone() };
    // Enlarged pictures have nothing that super-resolution could learn; a base may learn from slightly smaller ones.
    let least = if task.enlarges() { task.image_size } else { task.image_size.div_ceil(2) };
    Loading { batch: options.batch, crops, least, workers: options.workers }
}
