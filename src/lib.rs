//! Google's Imagen recipe in the browser: a frozen T5 text encoder, a 64×64 text-conditional pixel-diffusion
//! U-Net and two super-resolution U-Nets, on WebGPU compute shaders or on the CPU.
//!
//! From prompt to picture: [`text`] turns the prompt into an embedding, [`unet`] predicts, [`diffusion`] samples,
//! [`cascade`] chains the stages, [`image`] writes the picture. [`weights`] and [`gpu`] know nothing of any network.

pub mod cascade;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod convert;
#[cfg(feature = "cli")]
pub mod dataset;
pub mod diffusion;
pub mod efficient_unet;
#[cfg(feature = "train")]
pub mod evaluate;
pub mod gpu;
pub mod image;
pub mod text;
#[cfg(feature = "train")]
pub mod train;
pub mod unet;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;
