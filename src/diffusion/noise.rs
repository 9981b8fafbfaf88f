//! Counter-based Gaussian noise: same seed, same bits, on every platform and in any order.
//!
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a counter and a key
//! into four uniform words. The layout is part of the format: a picture's seed means this and nothing else.
//!
//! | word | holds |
//! |---|---|
//! | key 0, key 1 | low and high half of the seed |
//! | counter 0 | index of the group of four values in the image |
//! | counter 1 | index of the image in the batch |
//! | counter 2 | draw: 0 initial, 1 augmentation, 2 + i after step i |
//! | counter 3 | stage |
//!
//! Words (w0, w1) and (w2, w3) become two normal values each by Box and Muller's method in f64, with functions of
//! `libm` that are the same code everywhere: u = (w + ½) / 2³², r = √(−2 ln u0), values r·cos(2π·u1), r·sin(2π·u1),
//! each rounded to f32. Value i of an image is value i mod 4 of group i / 4, images planar `[3, size, size]`.

use std::f64::consts::TAU;

/// What the noise is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Draw {
    /// The starting noise of a stage.
    Initial,
    /// The noise of the conditioning augmentation.
    Augmentation,
    /// The noise added after step i.
    Step(u32),
}

impl Draw {
    fn word(self) -> u32 {
        match self {
            Self::Initial => 0,
            Self::Augmentation => 1,
            Self::Step(step) => step.wrapping_add(2),
        }
    }
}

/// Fills `out` with standard normal values: one image of a batch, at most 2³⁴ values.
pub fn normal(seed: u64, stage: u32, draw: Draw, image: u32, out: &mut [f32]) {
    let key = [seed as u32, (seed >> 32) as u32];
    for (group, values) in out.chunks_mut(4).enumerate() {
        let words = philox([group as u32, image, draw.word(), stage], key);
        let (a, b) = box_muller(words[0], words[1]);
        let (c, d) = box_muller(words[2], words[3]);
        values.iter_mut().zip([a, b, c, d]).for_each(|(value, normal)| *value = normal);
    }
}

/// Four uniformly random words of a counter: for choices that are not noise. The draws of [`normal`] have a counter 2 below
/// `u32::MAX`; with that there, the words are independent of them.
pub fn words(seed: u64, counter: [u32; 4]) -> [u32; 4] {
    philox(counter, [seed as u32, (seed >> 32) as u32])
}

/// Ten rounds of Philox4x32.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

fn box_muller(first: u32, second: u32) -> (f32, f32) {
    let uniform = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
    let radius = libm::sqrt(-2.0 * libm::log(uniform(first)));
    let (sin, cos) = libm::sincos(TAU * uniform(second));
    ((radius * cos) as f32, (radius * sin) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the Random123 library publishes for philox4x32 with 10 rounds.
    #[test]
    fn philox_matches_the_published_vectors() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
        assert_eq!(
            philox([0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0]),
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
        );
    }

    fn draw(seed: u64, stage: u32, draw: Draw, image: u32, count: usize) -> Vec<f32> {
        let mut out = vec![0.0; count];
        normal(seed, stage, draw, image, &mut out);
        out
    }

    /// The bits of the format: a picture's seed must mean the same tomorrow.
    #[test]
    fn values_keep_their_bits() {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(
            bits(draw(0, 0, Draw::Initial, 0, 6)),
            [0x3F7D_BB33, 0xBF6C_B6B0, 0xBF1E_1B9F, 0xBEF6_D1B2, 0xBE1D_5357, 0x3E39_2A6D]
        );
        assert_eq!(
            bits(draw(0x1234_5678_90AB_CDEF, 2, Draw::Step(5), 3, 6)),
            [0x3FC0_7C51, 0xBE83_ED78, 0xBF83_FA5A, 0xC00F_AD18, 0x3F78_45F0, 0x3FC0_0C2F]
        );
        assert_eq!(bits(draw(7, 1, Draw::Augmentation, 0, 4)), [0xBF46_B876, 0xBF4F_6C33, 0xBF84_663B, 0x3F10_855F]);
    }

    #[test]
    fn every_key_gives_its_own_noise_and_lengths_agree() {
        let all = [
            draw(1, 0, Draw::Initial, 0, 64),
            draw(2, 0, Draw::Initial, 0, 64),
            draw(1 << 32, 0, Draw::Initial, 0, 64),
            draw(1, 1, Draw::Initial, 0, 64),
            draw(1, 0, Draw::Initial, 1, 64),
            draw(1, 0, Draw::Augmentation, 0, 64),
            draw(1, 0, Draw::Step(0), 0, 64),
            draw(1, 0, Draw::Step(1), 0, 64),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert!(a.iter().zip(b).all(|(a, b)| a != b));
            }
        }
        assert_eq!(draw(1, 0, Draw::Initial, 0, 7)[..], all[0][..7]);
    }

    #[test]
    fn values_are_standard_normal() {
        let values = draw(42, 2, Draw::Step(3), 0, 1 << 20);
        let count = values.len() as f64;
        let moment = |power: i32| values.iter().map(|&v| f64::from(v).powi(power)).sum::<f64>() / count;
        // Four standard errors of each moment at 2²⁰ values.
        assert!(moment(1).abs() < 0.004, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.006, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.016, "skewness {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.04, "kurtosis {}", moment(4));
        let beyond = values.iter().filter(|value| value.abs() > 1.959_964).count() as f64 / count;
        assert!((beyond - 0.05).abs() < 0.001, "{beyond}");
        for lag in [1, 2, 3, 4, 64] {
            let pairs = values.iter().zip(&values[lag..]);
            let correlation = pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() / count;
            assert!(correlation.abs() < 0.004, "lag {lag}: {correlation}");
        }
    }
}
