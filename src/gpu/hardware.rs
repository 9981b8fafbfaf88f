//! What the choice of a kernel's variant depends on.

/// The traits of a device that kernels heed. The default is a GPU without optional features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// A CPU plays the GPU: other tiles are faster there.
    pub software: bool,
    /// The U-Nets' activations are stored in half precision. Asked for, never by default: pictures come out a little
    /// different.
    pub half_storage: bool,
    /// Matrix kernels multiply in half precision and add up in single: asked for, and the device has `shader-f16`.
    pub half: bool,
    /// The least number of invocations in a subgroup; 0 where the device has no subgroups.
    pub subgroup: u32,
}

impl Hardware {
    /// What is done in half precision, as a last part of a device's description; empty where nothing is.
    pub const fn precision(self) -> &'static str {
        match (self.half_storage, self.half) {
            (false, _) => "",
            (true, true) => ", half precision",
            (true, false) => ", half precision in memory",
        }
    }
}
