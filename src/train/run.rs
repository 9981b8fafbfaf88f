//! A training run: opens the model and the data, goes on from the checkpoint that is there, and trains until it is done, stopped, or
//! diverges.

use super::checkpoint::{self, Progress};
use super::data::{Batch, Loader, Loading};
use super::divergence::{self, Divergence};
use super::journal::{Journal, Row};
use super::ranks::{Quiet, Ranks};
use super::sheet::Sheets;
use super::{About, Ended, Event, Objective, RunOptions, StageTask, StepReport, TrainError, Trainer, Watcher};
use super::{adapters, begin};
use crate::cascade::Manifest;
use crate::cascade::manifest::MANIFEST_FILE;
use crate::text::Tokenizer;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The checkpoint's file in a run's folder.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The file of a run's adapters, as `imagen generate --lora` and others read them.
pub const ADAPTER: &str = "adapter.safetensors";

/// Runs the training.
///
/// # Errors
/// [`TrainError`]: for settings, data and files that are not usable, before anything is written; for a training that
/// diverges, with the last good checkpoint in its place; for what cannot be written.
pub fn run(options: &RunOptions, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
    let ranks = Ranks::join()?;
    let mut quiet = Quiet { watcher, started: false };
    let watcher: &mut dyn Watcher = if ranks.leads() { &mut *quiet.watcher } else { &mut quiet };
    let ended = match Run::open(options, &ranks, watcher) {
        Ok(Some(run)) => run.train(watcher),
        Ok(None) => Ok(Ended::Stopped),
        Err(error) => Err(error),
    };
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
    /// The first batch, which was made before the run began.
    first: Option<Batch>,
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
    /// None where the run was stopped before it began.
    fn open(options: &'a RunOptions, ranks: &'a Ranks, watcher: &mut dyn Watcher) -> Result<Option<Self>, TrainError> {
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
        let plain = options.device.device()?;
        options.precision.check(options.device, &plain)?;
        let loading = loading(options, &task, ranks)?;
        let about = About::new(options, &manifest, stage)?;
        let Some(dataset) = begin::dataset(options, (&manifest, stage), watcher)? else { return Ok(None) };
        let device = plain.clone().autodiff();
        device.seed(options.seed);
        let networks = match options.fresh {
            true => about.networks(&device)?.with_silent_output(),
            false => about.load(&device)?,
        };
        let path = options.out.join(CHECKPOINT);
        let trainer = Trainer::new(networks, None, objective, (options.optimizer, options.rate), device);
        let mut trainer = trainer.with_precision(options.precision);
        let resumed = path.is_file();
        let progress = match resumed {
            true => begin::restore((&path, &plain), (options, &about), &mut trainer, watcher)?,
            false => Progress { seed: options.seed, loss_of: begin::loss_of(options), ..Progress::default() },
        };
        let saved = resumed.then_some(progress.step);
        let position = (progress.seed, progress.step, progress.examples);
        let loader = Loader::start(dataset.clone(), task.clone(), tokenizer, loading, position)?;
        // Pictures of which none can be used are an error before anything is written.
        let first = Some(loader.next()?);
        fs::create_dir_all(&options.out).map_err(|error| TrainError::write(&options.out, error))?;
        trainer.frozen = begin::frozen(options, &about, &manifest, watcher)?;
        let journal = ranks.leads().then(|| Journal::open(&options.out, progress.step)).transpose()?;
        let sheets = Sheets::new(options, (&task, stage), dataset.as_ref(), &manifest);
        let parameters = trainer.optimizer.weights.values().map(|value| value.dims()[0]).sum();
        let started =
            Event::Started { step: progress.step, updates: options.updates, pictures: dataset.len(), parameters };
        watcher.event(&started);
        let pictures = dataset.len() as u64;
        Ok(Some(Self {
            options,
            ranks,
            about,
            trainer,
            progress,
            loader,
            first,
            journal,
            sheets,
            path,
            saved,
            pictures,
        }))
    }

    fn train(mut self, watcher: &mut dyn Watcher) -> Result<Ended, TrainError> {
        let ended = self.updates(watcher);
        match &ended {
            Ok(_) | Err(TrainError::Diverged { .. }) => {}
            // It would fail again.
            Err(TrainError::Write { path, .. }) if *path == self.path.display().to_string() => {}
            // What was trained until then is kept, if it can be; the error that matters is the first one.
            Err(_) => drop(self.keep(watcher)),
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
                self.sheet(watcher);
            }
            self.trainer.update(gradients);
            self.progress = judged;
            let seconds = begun.elapsed().as_secs_f64();
            let count = batch.count as u64;
            self.progress.examples += count;
            self.progress.seconds += seconds;
            self.progress.step += 1;
            let examples_per_second = count as f64 / seconds.max(1e-9);
            let (examples, so_far) = (self.progress.examples, self.progress.seconds);
            let row = Row { step, report, examples, seconds: so_far, examples_per_second };
            self.journal.as_mut().map_or(Ok(()), |journal| journal.write(&row))?;
            let mean_loss = self.progress.loss.unwrap_or(report.loss);
            watcher.event(&Event::Step { step: step + 1, report, mean_loss, examples_per_second });
            if stopped {
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
            // Without another batch the weights have to do. All processes meet here, whatever one of them fails in.
            let own = self.batch().and_then(|batch| {
                let loss = self.trainer.mean_loss(&batch.examples, self.options.at_once)?;
                Ok((loss, batch.examples.len() as f64 / batch.count as f64))
            });
            if let Some(loss) = self.ranks.mean(own.ok()) {
                let report = StepReport { loss, rate: 0.0, norm: 0.0 };
                divergence::judge(&self.progress, &report).map_err(|what| self.diverged(what))?;
            }
        }
        self.keep(watcher)
    }

    /// Writes what is not written yet, if it is of any use.
    fn keep(&mut self, watcher: &mut dyn Watcher) -> Result<(), TrainError> {
        if self.saved != Some(self.progress.step) {
            if !self.trainer.is_finite() {
                return Err(self.diverged(Divergence::NotFinite));
            }
            self.save(watcher)?;
        }
        let (Some(lora), true) = (&self.options.lora, self.ranks.leads()) else { return Ok(()) };
        let path = self.options.out.join(ADAPTER);
        let file = adapters::to_safetensors(self.trainer.networks(), &self.trainer.optimizer.average, lora.scale)?;
        checkpoint::replace(&path, &file).map_err(|error| TrainError::write(&path, error))?;
        watcher.event(&Event::Adapter { path });
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

    /// A sheet that cannot be made is no reason to lose the run.
    fn sheet(&mut self, watcher: &mut dyn Watcher) {
        if !self.ranks.leads() {
            return;
        }
        let written = self.sheets.write(&self.trainer.averaged(), &self.about, self.progress.step);
        watcher.event(&match written {
            Ok(path) => Event::Sheet { path },
            Err(error) => Event::Note(format!("there is no sheet of step {}: {error}", self.progress.step)),
        });
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

fn loading(options: &RunOptions, task: &StageTask, ranks: &Ranks) -> Result<Loading, TrainError> {
    if options.batch < ranks.count() {
        let reason = format!("{} examples are not enough for {} processes", options.batch, ranks.count());
        return Err(TrainError::setting("batch", reason));
    }
    if options.prior.is_some() && ranks.count() > 1 {
        return Err(TrainError::setting("prior", "the model's own samples are made by one process: run it alone"));
    }
    let crops = if options.crops.is_empty() { vec![task.image_size] } else { options.crops.clone() };
    // Enlarged pictures have nothing that super-resolution could learn; a base may learn from slightly smaller ones.
    let least = if task.enlarges() { task.image_size } else { task.image_size.div_ceil(2) };
    Ok(Loading { batch: options.batch, crops, least, workers: options.workers, share: ranks.share() })
}
