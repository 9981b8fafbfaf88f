//! The cascade: manifest, stages, pipeline, request and events. From a prompt to the pictures of all stages.
//!
//! [`Cascade::open`] reads a model's manifest, [`Cascade::generate`] runs a [`Request`] and tells an [`Observer`] what
//! happens. All stages are one type with different settings; each starts from noise and the float picture of the
//! stage before.

mod adapters;
mod checked;
mod device;
mod dry;
mod encoding;
mod error;
mod events;
mod files;
#[cfg(all(test, feature = "cli"))]
mod imagen_pytorch_tests;
mod loaded;
mod loading;
pub mod manifest;
mod manifest_checks;
#[cfg(test)]
mod manifest_tests;
mod memory;
#[cfg(test)]
mod mock;
mod networks;
mod noise;
mod output;
mod pictures;
mod pipeline;
#[cfg(test)]
mod pipeline_tests;
mod profile;
mod request;
#[cfg(test)]
mod request_tests;
pub mod residency;
mod sampling;
mod settings;
mod stage;
mod text;
mod unet;
mod why;

pub use dry::{plan_stage, plan_text};
pub use error::CascadeError;
pub use events::{During, Event, Notice, Observer, Silent};
#[cfg(not(target_arch = "wasm32"))]
pub use files::Directory;
pub use files::{ModelFiles, check_pieces, check_tokenizer};
pub use manifest::Manifest;
pub use noise::GivenNoise;
pub use output::{Output, StageOutput, picture_settings};
pub use pipeline::Cascade;
pub use profile::Profile;
pub use request::{MAX_COUNT, MAX_GUIDANCE, MAX_PROMPT, Request};
pub use residency::{Decision, Needs, Residency};
pub use why::Why;
