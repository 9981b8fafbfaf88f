//! One file per operation: its builder method, its choice of variant and tile, and its test.

mod activation;
mod attention;
mod attention_tile;
mod chan_rms_norm;
mod concat;
mod conv;
mod cosine_keys;
mod fold;
mod gate;
mod group_norm;
mod lanes;
mod layer_norm;
mod linear;
mod mean_tokens;
mod orthogonal_guidance;
mod pack;
mod plus;
mod predict_x0;
mod reader;
mod resample;
mod rms_norm;
mod sampler_update;
mod shuffle;
mod softmax_pool;
mod threshold;
mod tile;
mod unroll;

pub use activation::{ACTIVATION_WGSL, Activation, Norm, WEIGHTS_WGSL};
pub use attention::Attention;
pub use conv::Conv;
pub use cosine_keys::CosineKeys;
pub use fold::NetworkOutput;
pub use group_norm::GroupNorm;
pub use linear::Linear;
pub use resample::Resample;
pub use sampler_update::SamplerUpdate;
pub(crate) use tile::tile;
pub use tile::{Tile, tiles};

#[cfg(test)]
mod wgsl_tests;
