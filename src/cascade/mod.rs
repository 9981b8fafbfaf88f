//! The cascade: manifest, stages, pipeline, request and events. From a prompt to the pictures of all stages.

mod error;
pub mod manifest;
mod manifest_checks;
#[cfg(test)]
mod manifest_tests;

pub use error::CascadeError;
pub use manifest::Manifest;
