//! Where a network runs.

use super::Device;
use std::sync::Arc;

/// The executor of a network: the burn modules on the CPU, or plans on a GPU.
#[derive(Clone, Debug)]
pub enum Backend {
    Cpu,
    Gpu(Arc<Device>),
}

impl Backend {
    /// True when this is a GPU.
    pub const fn is_gpu(&self) -> bool {
        matches!(self, Self::Gpu(_))
    }

    /// A short name for messages: "CPU", or the GPU's own name.
    pub fn name(&self) -> &str {
        match self {
            Self::Cpu => "CPU",
            Self::Gpu(device) => &device.info().name,
        }
    }
}
