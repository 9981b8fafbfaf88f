//! A small compute engine on wgpu: device, plan, packed weights, kernels. Knows nothing of any network.
//!
//! A [`plan::PlanBuilder`] records operations into a [`plan::PlanDescription`] without any device (so memory and work
//! are known before anything is allocated); [`plan::PlanDescription::compile`] makes its buffers, pipelines and bind
//! groups; a [`plan::Plan`] replays them, one submit per phase.

mod backend;
mod device;
mod error;
mod hardware;
pub mod kernels;
pub mod plan;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(not(target_arch = "wasm32"))]
pub mod tune;
mod weights;

pub use backend::Backend;
pub use device::{Adapter, Counters, Device, DeviceKind, DeviceOptions};
pub use error::GpuError;
pub use hardware::Hardware;
pub use weights::{GpuWeights, StreamedWeights};
