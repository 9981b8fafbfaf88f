//! What a run begins with: the stage's task, the pictures, the frozen text encoder, and the checkpoint that it goes on from.

use super::checkpoint::{Checkpoint, Progress};
use super::data::{self, Dataset, Mixed};
use super::embeddings::Embeddings;
use super::{About, Event, FrozenText, RunOptions, StageTask, TrainError, Trainer, Watcher, prior};
use crate::cascade::Manifest;
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;

/// The embeddings' file in a run's folder.
const EMBEDDINGS: &str = "text-embeddings";

/// The stage's task, and its index in the manifest.
pub(super) fn task(options: &RunOptions, manifest: &Manifest) -> Result<(StageTask, usize), TrainError> {
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
    Ok((task, at))
}

/// The pictures, with the model's samples among them where the run has such; none where it was stopped while they were made.
pub(super) fn dataset(
    options: &RunOptions,
    of: (&Manifest, usize),
    watcher: &mut dyn Watcher,
) -> Result<Option<Arc<dyn Dataset>>, TrainError> {
    let mut dataset: Arc<dyn Dataset> = data::open(&options.data)?.into();
    if let Some(prior) = &options.prior {
        let Some(folder) = prior::make(options, prior, of, watcher)? else { return Ok(None) };
        dataset = Arc::new(Mixed::new(dataset, data::open(&folder)?.into(), prior.share));
    }
    dataset.notes().iter().for_each(|note| watcher.event(&Event::Note(note.clone())));
    Ok(Some(dataset))
}

/// The text encoder, where it does not learn.
pub(super) fn frozen(
    options: &RunOptions,
    about: &About,
    manifest: &Manifest,
    watcher: &mut dyn Watcher,
) -> Result<Option<FrozenText>, TrainError> {
    if options.text_encoder {
        return Ok(None);
    }
    let path = options.out.join(EMBEDDINGS);
    let kept: Option<Embeddings> = match options.text_cache {
        0 => None,
        most => {
            let kept = about.embeddings(manifest, &path, most)?;
            if kept.is_none() {
                let used = format!("{} is in use, so that embeddings of captions are not kept", path.display());
                watcher.event(&Event::Note(used));
            }
            kept
        }
    };
    about.frozen(manifest, kept).map(Some)
}

/// Goes on from the checkpoint that is there.
pub(super) fn restore(
    (path, device): (&Path, &Device),
    (options, about): (&RunOptions, &About),
    trainer: &mut Trainer,
    watcher: &mut dyn Watcher,
) -> Result<Progress, TrainError> {
    let unusable = |reason: String| TrainError::checkpoint(path, format!("{reason}; choose another --output"));
    let checkpoint = Checkpoint::read(path, device)?;
    let of = About::from_json(&checkpoint.about).map_err(&unusable)?;
    if let Some(note) = about.continues(&of).map_err(&unusable)? {
        watcher.event(&Event::Note(note));
    }
    let learning = trainer.networks().learning();
    checkpoint.check(&learning).map_err(|reason| unusable(format!("it is of another architecture: {reason}")))?;
    let mut progress = checkpoint.restore(&mut trainer.optimizer);
    trainer.refresh();
    if progress.seed != options.seed {
        watcher.event(&Event::Note(format!("the run keeps the seed that it began with, {}", progress.seed)));
    }
    let loss_of = loss_of(options);
    if progress.loss_of != loss_of {
        progress = Progress { loss: None, losses: 0, lowest: None, loss_of, ..progress };
    }
    Ok(progress)
}

/// The settings that the loss's size depends on.
pub(super) fn loss_of(options: &RunOptions) -> String {
    let RunOptions { weighting, bound, focus, crops, .. } = options;
    format!("{weighting:?}, bound {bound}, {focus:?}, crops {crops:?}")
}
