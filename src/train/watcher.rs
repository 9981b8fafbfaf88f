//! What a run tells while it goes on, and who is told.

use super::StepReport;
use std::path::PathBuf;

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something that the user should know.
    Note(String),
    /// So many of the model's own samples are made.
    Prior {
        made: usize,
        pictures: usize,
    },
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
    Adapter {
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
