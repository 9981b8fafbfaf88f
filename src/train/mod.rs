//! Training: the burn modules of [`unet`](crate::unet) and [`text`](crate::text) under burn's automatic differentiation.
//!
//! [`data`] reads captioned pictures and cuts [`Example`]s out of them for a [`StageTask`]; a [`Trainer`] noises them by its
//! [`Objective`] and updates the [`Networks`]; [`run()`] does that until it is done, and keeps [`checkpoint`]s; [`export()`] makes a
//! cascade of one. All randomness follows from the seed and from counts, so a run that goes on is the one that was stopped.

mod about;
mod bound;
pub mod checkpoint;
mod crop;
pub mod data;
mod device;
mod divergence;
mod draws;
mod error;
mod example;
mod export;
mod fused;
mod journal;
mod networks;
mod objective;
mod optimizer;
pub mod parameters;
mod ranks;
mod rate;
mod run;
mod sheet;
mod stage;
mod trainer;

pub use about::About;
pub use device::{Hardware, Precision};
pub use error::TrainError;
pub use example::{Captioned, Example, Focus, Low, prepare};
pub use export::export;
pub use journal::TABLE;
pub use networks::Networks;
pub use objective::{Noised, Objective, Weighting};
pub use optimizer::{Moments, Optimizer, OptimizerOptions};
pub use rate::{Decay, Rate};
pub use run::{CHECKPOINT, Ended, Event, RunOptions, Watcher, run};
pub use sheet::CASCADE;
pub use stage::StageTask;
pub use trainer::{Gradients, StepReport, Trainer};
