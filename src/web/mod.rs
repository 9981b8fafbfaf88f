//! The wasm-bindgen surface, thin.
