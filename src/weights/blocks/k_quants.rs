//! Q4_K, Q5_K and Q6_K: 256 values in groups whose scales are themselves quantised.
//!
//! Q4_K and Q5_K have 8 groups of 32, each with a scale and a minimum of 6 bits: d and dmin as f16, 12 bytes of scales and
//! minima, in Q5_K 32 bytes of which byte `i` holds the fifth bits of the values `i`, `i + 32`, …, then 32 bytes per 64
//! values of which byte `i` holds value `i` in its low and value `i + 32` in its high nibble.
//!
//! Q6_K has 16 groups of 16, each with a signed scale of 8 bits. Per 128 values: 64 bytes of low nibbles (value `i` low,
//! value `i + 64` high), and apart from them 32 bytes of which byte `i` holds the upper two bits of the values `i`,
//! `i + 32`, …. Then the scales, and d as f16.

use super::search::{affine, nearest, symmetric};
use super::{half, stored};
use crate::weights::BlockFormat;
use half::f16;

/// A block of Q4_K or Q5_K taken apart: value `i` is `d·scales[i / 32]·quants[i] − dmin·minima[i / 32]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AffineBlock {
    pub d: f16,
    pub dmin: f16,
    /// Below 64, like the minima.
    pub scales: [u8; 8],
    pub minima: [u8; 8],
    pub quants: [u8; 256],
}

impl AffineBlock {
    /// Takes one block of `format`, Q4_K or Q5_K, apart.
    pub fn read(format: BlockFormat, block: &[u8]) -> Self {
        let (head, mut rest) = block.split_at(16);
        let packed = &head[4..];
        let (mut scales, mut minima) = ([0; 8], [0; 8]);
        for group in 0..4 {
            // The bytes of the first four groups lend their upper two bits to the last four.
            let (scale, minimum, both) = (packed[group], packed[group + 4], packed[group + 8]);
            (scales[group], minima[group]) = (scale & 63, minimum & 63);
            scales[group + 4] = both & 15 | scale >> 6 << 4;
            minima[group + 4] = both >> 4 | minimum >> 6 << 4;
        }
        let mut quants = [0; 256];
        if format == BlockFormat::Q5K {
            let (fifth, low) = rest.split_at(32);
            for (group, quants) in quants.chunks_exact_mut(32).enumerate() {
                quants.iter_mut().zip(fifth).for_each(|(quant, byte)| *quant = (byte >> group & 1) << 4);
            }
            rest = low;
        }
        for (quants, bytes) in quants.chunks_exact_mut(64).zip(rest.chunks_exact(32)) {
            add_nibbles(quants, bytes);
        }
        Self { d: half(head), dmin: half(&head[2..]), scales, minima, quants }
    }

    /// Appends the block's bytes.
    pub fn write(&self, format: BlockFormat, out: &mut Vec<u8>) {
        let Self { d, dmin, scales, minima, quants } = self;
        out.extend(d.to_le_bytes());
        out.extend(dmin.to_le_bytes());
        out.extend((0..4).map(|group| scales[group] | scales[group + 4] >> 4 << 6));
        out.extend((0..4).map(|group| minima[group] | minima[group + 4] >> 4 << 6));
        out.extend((4..8).map(|group| scales[group] & 15 | minima[group] << 4));
        if format == BlockFormat::Q5K {
            out.extend((0..32).map(|i| (0..8).fold(0, |byte, group| byte | quants[group * 32 + i] >> 4 << group)));
        }
        quants.chunks_exact(64).for_each(|quants| put_nibbles(quants, out));
    }

    pub fn values(&self) -> [f32; 256] {
        let (d, dmin) = (self.d.to_f32(), self.dmin.to_f32());
        let mut values = [0.0; 256];
        for (group, (values, quants)) in values.chunks_exact_mut(32).zip(self.quants.chunks_exact(32)).enumerate() {
            let (scale, minimum) = (d * f32::from(self.scales[group]), dmin * f32::from(self.minima[group]));
            values.iter_mut().zip(quants).for_each(|(value, &quant)| *value = scale * f32::from(quant) - minimum);
        }
        values
    }

    /// The groups' scales and minima by search, quantised, and the nearest quants under them.
    pub fn quantise(format: BlockFormat, values: &[f32; 256]) -> Self {
        let (top, steps) = if format == BlockFormat::Q4K { (15.0, -10..=10) } else { (31.0, -5..=10) };
        let mut fits = [(0.0f32, 0.0f32); 8];
        for (fit, values) in fits.iter_mut().zip(values.as_chunks().0) {
            *fit = affine(values, top, steps.clone());
        }
        let (scale, minimum) =
            fits.iter().fold((0.0f32, 0.0f32), |(scale, minimum), fit| (scale.max(fit.0), minimum.max(fit.1)));
        let (d, dmin) = (stored(scale / 63.0), stored(minimum / 63.0));
        let sixth = |part: f32, whole: f32| if whole > 0.0 { nearest(63.0 / whole * part, 0.0, 63.0) as u8 } else { 0 };
        let scales = fits.map(|(own, _)| sixth(own, scale));
        let minima = fits.map(|(_, own)| sixth(own, minimum));
        let mut quants = [0; 256];
        for (group, (quants, values)) in quants.chunks_exact_mut(32).zip(values.chunks_exact(32)).enumerate() {
            let (scale, minimum) = (d.to_f32() * f32::from(scales[group]), dmin.to_f32() * f32::from(minima[group]));
            if scale != 0.0 {
                let quant = |value: f32| nearest((value + minimum) / scale, 0.0, top) as u8;
                quants.iter_mut().zip(values).for_each(|(out, &value)| *out = quant(value));
            }
        }
        Self { d, dmin, scales, minima, quants }
    }
}

/// A block of Q6_K taken apart: value `i` is `d·scales[i / 16]·(quants[i] − 32)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SignedBlock {
    pub d: f16,
    pub scales: [i8; 16],
    pub quants: [u8; 256],
}

impl SignedBlock {
    /// Takes one block apart.
    pub fn read(block: &[u8]) -> Self {
        let (low, rest) = block.split_at(128);
        let (upper, rest) = rest.split_at(64);
        let (scales, d) = rest.split_at(16);
        let mut quants = [0; 256];
        for ((quants, low), upper) in quants.chunks_exact_mut(128).zip(low.chunks_exact(64)).zip(upper.chunks_exact(32))
        {
            for (group, quants) in quants.chunks_exact_mut(32).enumerate() {
                quants.iter_mut().zip(upper).for_each(|(quant, byte)| *quant = (byte >> (group * 2) & 3) << 4);
            }
            add_nibbles(quants, low);
        }
        Self { d: half(d), scales: std::array::from_fn(|group| scales[group] as i8), quants }
    }

    /// Appends the block's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.quants.chunks_exact(128).for_each(|quants| put_nibbles(quants, out));
        for quants in self.quants.chunks_exact(128) {
            let upper = |i: usize| (0..4).fold(0, |byte, group| byte | quants[group * 32 + i] >> 4 << (group * 2));
            out.extend((0..32).map(upper));
        }
        out.extend(self.scales.map(|scale| scale as u8));
        out.extend(self.d.to_le_bytes());
    }

    pub fn values(&self) -> [f32; 256] {
        let d = self.d.to_f32();
        let mut values = [0.0; 256];
        for ((values, quants), scale) in values.chunks_exact_mut(16).zip(self.quants.chunks_exact(16)).zip(self.scales)
        {
            let scale = d * f32::from(scale);
            values.iter_mut().zip(quants).for_each(|(value, &quant)| *value = scale * (f32::from(quant) - 32.0));
        }
        values
    }

    /// The groups' scales by search, quantised, and the nearest quants under them.
    pub fn quantise(values: &[f32; 256]) -> Self {
        let mut fits = [0.0f32; 16];
        for (fit, values) in fits.iter_mut().zip(values.as_chunks().0) {
            *fit = symmetric(values);
        }
        // The scale of the largest magnitude maps to −128, which is further from zero than 127.
        let most = fits.iter().fold(0.0f32, |most, fit| if fit.abs() > most.abs() { *fit } else { most });
        let d = stored(most / -128.0);
        let inverse = if most == 0.0 { 0.0 } else { -128.0 / most };
        let scales = fits.map(|fit| nearest(inverse * fit, -128.0, 127.0) as i8);
        let mut quants = [32; 256];
        for ((quants, values), scale) in quants.chunks_exact_mut(16).zip(values.chunks_exact(16)).zip(scales) {
            let scale = d.to_f32() * f32::from(scale);
            if scale != 0.0 {
                let quant = |value: f32| (nearest(value / scale, -32.0, 31.0) + 32.0) as u8;
                quants.iter_mut().zip(values).for_each(|(out, &value)| *out = quant(value));
            }
        }
        Self { d, scales, quants }
    }
}

/// Adds the nibbles of `bytes` to twice as many quants: the low ones to the first half, the high ones to the second.
fn add_nibbles(quants: &mut [u8], bytes: &[u8]) {
    let (first, second) = quants.split_at_mut(bytes.len());
    for ((first, second), byte) in first.iter_mut().zip(second).zip(bytes) {
        *first |= byte & 15;
        *second |= byte >> 4;
    }
}

/// Appends what [`add_nibbles`] reads.
fn put_nibbles(quants: &[u8], out: &mut Vec<u8>) {
    let (first, second) = quants.split_at(quants.len() / 2);
    out.extend(first.iter().zip(second).map(|(first, second)| first & 15 | second << 4));
}
