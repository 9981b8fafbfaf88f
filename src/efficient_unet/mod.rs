//! The second kind of U-Net: `Unet` of the package imagen-pytorch, which follows the Efficient U-Net of Imagen
//! (2205.11487, appendix B).
//!
//! [`EfficientUNetConfig`] holds the package's options under its names; [`architecture`] spells them out level by level.
//! The network has two parts: [`Conditioner`] reads text, time and noise level and works on a few tokens, [`EfficientUNet`]
//! holds it and all that works on pixels. The latter's GPU program is [`plan`].

pub mod architecture;
pub mod attention;
mod conditioner;
mod config;
pub mod feed_forward;
mod model;
pub mod names;
pub mod perceiver;
pub mod plan;
pub mod resnet;
mod sampling;
pub mod time;

pub use conditioner::{Conditioner, Conditions, Text};
pub use config::EfficientUNetConfig;
pub use model::EfficientUNet;
