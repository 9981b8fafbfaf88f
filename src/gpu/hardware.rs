//! What the choice of a kernel's variant depends on.

/// The traits of a device that kernels heed. The default is a GPU without optional features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// A CPU plays the GPU: other tiles are faster there.
    pub software: bool,
    /// Matrix kernels multiply in half precision and add up in single (`shader-f16`). Asked for, never by default:
    /// pictures come out a little different.
    pub half: bool,
    /// The least number of invocations in a subgroup; 0 where the device has no subgroups.
    pub subgroup: u32,
}
