//! How many invocations share one token in the norms over channels.

/// Lanes where a CPU plays the GPU: one vector of its own, in which a barrier costs nothing.
pub(super) const SOFTWARE_LANES: u32 = 4;

/// A power of two between 32 and 256, about one lane per four channels.
pub(super) fn lanes(channels: u32, software: bool) -> u32 {
    if software { SOFTWARE_LANES } else { channels.div_ceil(4).next_power_of_two().clamp(32, 256) }
}

#[cfg(test)]
mod tests {
    use super::lanes;

    #[test]
    fn lanes_follow_the_channels() {
        assert_eq!([1, 128, 129, 512, 768, 4096].map(|channels| lanes(channels, false)), [32, 32, 64, 128, 256, 256]);
    }
}
