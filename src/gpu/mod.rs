//! A small compute engine on wgpu: device, plan, packed weights, kernels. Knows nothing of any network.

pub mod kernels;
pub mod plan;
