//! How many invocations share one token in the norms over channels.

/// A power of two between 32 and 256, about one lane per four channels.
pub(super) fn lanes(channels: u32) -> u32 {
    channels.div_ceil(4).next_power_of_two().clamp(32, 256)
}

#[cfg(test)]
mod tests {
    use super::lanes;

    #[test]
    fn lanes_follow_the_channels() {
        assert_eq!([1, 128, 129, 512, 768, 4096].map(lanes), [32, 32, 64, 128, 256, 256]);
    }
}
