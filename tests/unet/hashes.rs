//! Values that are an integer hash of a name and a position, as tests/reference/hashes.py computes them.

fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Value i: murmur's finaliser of fnv(name) ^ i · golden ratio, as a number in [-1, 1), times scale plus offset.
pub fn uniform(name: &str, count: usize, scale: f32, offset: f32) -> Vec<f32> {
    let seed = fnv(name);
    let value = |i: usize| {
        let mut x = seed ^ (i as u32).wrapping_mul(0x9E37_79B9);
        x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        x ^= x >> 16;
        let unit = (x >> 8) as f32 * 2f32.powi(-23) - 1.0;
        unit * scale + offset
    };
    (0..count).map(value).collect()
}
