//! How many invocations share one sum, and the WGSL by which they add it up.

use crate::gpu::Hardware;

/// Lanes where a CPU plays the GPU: one vector of its own, in which a barrier costs nothing.
const SOFTWARE: u32 = 4;
/// The smallest workgroup of a GPU: a subgroup of most.
const LEAST: u32 = 32;

/// The lanes of a workgroup that sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    count: u32,
    /// All of them are in one subgroup.
    subgroup: bool,
}

impl Lanes {
    /// Lanes for the norm of `channels` values: about one for four of them, at most 256.
    pub fn for_channels(channels: u32, hardware: Hardware) -> Self {
        Self::new(channels.div_ceil(4).next_power_of_two().clamp(LEAST, 256), hardware)
    }

    /// `count` lanes on a GPU; fewer, but a quarter at least, where that makes them one subgroup.
    pub fn new(count: u32, hardware: Hardware) -> Self {
        let count = if hardware.software { SOFTWARE } else { count };
        // A workgroup no larger than the smallest subgroup that the adapter makes is one subgroup.
        let whole = |count: u32| count <= hardware.subgroup;
        if !whole(count) && whole(LEAST) && count <= 4 * LEAST {
            return Self { count: LEAST, subgroup: true };
        }
        Self { count, subgroup: whole(count) }
    }

    /// The constant LANES and the function `workgroup_sum(lane, value)`.
    pub fn wgsl(self) -> String {
        let sum = if self.subgroup {
            include_str!("../../../shaders/sum_subgroup.wgsl")
        } else {
            include_str!("../../../shaders/sum.wgsl")
        };
        format!("const LANES = {}u;\n{sum}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(channels: u32, software: bool, subgroup: u32) -> (u32, bool) {
        let lanes = Lanes::for_channels(channels, Hardware { software, subgroup, ..Hardware::default() });
        (lanes.count, lanes.subgroup)
    }

    #[test]
    fn lanes_follow_the_channels() {
        let counts = [1, 128, 129, 512, 768, 4096].map(|channels| lanes(channels, false, 0));
        assert_eq!(counts, [32, 32, 64, 128, 256, 256].map(|count| (count, false)));
        assert_eq!(lanes(768, true, 0), (4, false));
    }

    #[test]
    fn one_subgroup_where_it_is_wide_enough() {
        let with = |subgroup| [128, 512, 4096].map(|channels| lanes(channels, false, subgroup));
        assert_eq!(with(8), [(32, false), (128, false), (256, false)]);
        assert_eq!(with(32), [(32, true), (32, true), (256, false)]);
        assert_eq!(with(64), [(32, true), (32, true), (256, false)]);
        assert_eq!(lanes(768, true, 4), (4, true));
    }
}
