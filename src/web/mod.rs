//! The wasm-bindgen surface, thin: the page's worker opens an [`Engine`] and asks it for pictures; everything else is
//! [`cascade`](crate::cascade). JavaScript gives three things: how to read the model's files, where to tell events,
//! and how to let its event loop run.

#[cfg(feature = "bench")]
mod bench;
mod device;
mod engine;
mod error;
mod files;
mod json;
mod model_card;
mod observer;
mod picture_card;

#[cfg(feature = "bench")]
pub use bench::{Bench, BenchPlan};
pub use engine::{Engine, read_manifest};
pub use files::{JsFile, JsFiles, sha256, verify_file};
pub use picture_card::read_settings;

use wasm_bindgen::prelude::wasm_bindgen;

/// Runs when the module is instantiated: a panic's message and place go to the console before the module stops.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}
