//! Training: the burn modules of [`unet`](crate::unet) and [`text`](crate::text) under burn's automatic differentiation.
//!
//! [`data`] reads captioned pictures and cuts [`Example`]s out of them for a [`StageTask`]; a [`Trainer`] noises them by its
//! [`Objective`] and updates the [`Networks`]; [`run()`] does that until it is done, and keeps [`checkpoint`]s; [`export()`] makes a
//! cascade of one. All randomness follows from the seed and from counts, so a run that goes on is the one that was stopped.

mod about;
mod adapters;
mod begin;
mod bound;
pub mod checkpoint;
mod crop;
pub mod data;
mod device;
mod divergence;
mod draws;
mod embeddings;
mod error;
mod example;
mod export;
mod frozen_text;
mod fused;
mod journal;
mod networks;
mod objective;
mod optimizer;
mod options;
pub mod parameters;
mod prior;
mod ranks;
mod rate;
mod run;
mod sheet;
mod stage;
mod trainer;
mod watcher;

pub use about::About;
pub use adapters::{Layers, LoraOptions, to_safetensors};
pub use device::{Hardware, Precision};
pub use error::TrainError;
pub use example::{Captioned, Example, Focus, Low, prepare};
pub use export::export;
pub use frozen_text::FrozenText;
pub use journal::TABLE;
pub use networks::Networks;
pub use objective::{Noised, Objective, Weighting};
pub use optimizer::{Moments, Optimizer, OptimizerOptions};
pub use options::RunOptions;
pub use prior::PriorOptions;
pub use rate::{Decay, Rate};
pub use run::{ADAPTER, CHECKPOINT, run};
pub use sheet::CASCADE;
pub use stage::StageTask;
pub use trainer::{Gradients, StepReport, Trainer};
pub use watcher::{Ended, Event, Watcher};
