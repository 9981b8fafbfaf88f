//! Q8_0, Q5_0 and Q4_0: 32 values and one f16 scale d, value = (q − offset)·d.
//!
//! Q8_0: d, 32 signed bytes. Q4_0: d, 16 bytes of which byte `i` holds value `i` in its low and value `i + 16` in its high
//! nibble. Q5_0: d, 32 fifth bits, the low nibbles as in Q4_0.

use super::{half, stored};
use crate::weights::BlockFormat;
use half::f16;

/// A block taken apart.
pub(crate) struct ScaledBlock {
    pub scale: f16,
    /// Unsigned: [`ScaledBlock::offset`] is zero.
    pub quants: [u8; 32],
}

impl ScaledBlock {
    /// The quant that stands for zero.
    pub fn offset(format: BlockFormat) -> u8 {
        match format {
            BlockFormat::Q4_0 => 8,
            BlockFormat::Q5_0 => 16,
            _ => 128,
        }
    }

    /// Takes one block of `format`, which is one of the three, apart.
    pub fn read(format: BlockFormat, block: &[u8]) -> Self {
        let (scale, mut rest) = (half(block), &block[2..]);
        let mut quants = [0; 32];
        if format == BlockFormat::Q8_0 {
            quants.iter_mut().zip(rest).for_each(|(quant, byte)| *quant = byte ^ 0x80);
            return Self { scale, quants };
        }
        if format == BlockFormat::Q5_0 {
            let fifth = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
            quants.iter_mut().enumerate().for_each(|(i, quant)| *quant = (fifth >> i & 1) as u8 * 16);
            rest = &rest[4..];
        }
        let (low, high) = quants.split_at_mut(16);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(rest) {
            *low |= byte & 15;
            *high |= byte >> 4;
        }
        Self { scale, quants }
    }

    /// Appends the block's bytes.
    pub fn write(&self, format: BlockFormat, out: &mut Vec<u8>) {
        let quants = &self.quants;
        out.extend(self.scale.to_le_bytes());
        if format == BlockFormat::Q8_0 {
            return out.extend(quants.iter().map(|quant| quant ^ 0x80));
        }
        if format == BlockFormat::Q5_0 {
            let fifth = (0..32).fold(0u32, |bits, i| bits | u32::from(quants[i] >> 4) << i);
            out.extend(fifth.to_le_bytes());
        }
        out.extend((0..16).map(|i| quants[i] & 15 | quants[i + 16] << 4));
    }

    pub fn values(&self, format: BlockFormat) -> [f32; 32] {
        let (scale, offset) = (self.scale.to_f32(), f32::from(Self::offset(format)));
        self.quants.map(|quant| (f32::from(quant) - offset) * scale)
    }

    /// The nearest quants under the scale that takes the value of the largest magnitude to the last quant.
    pub fn quantise(format: BlockFormat, values: &[f32; 32]) -> Self {
        let offset = f32::from(Self::offset(format));
        // The first of equals. In Q8_0 it maps to ±127, in the others to the lowest quant, which is one further from
        // zero than the highest.
        let most = values[1..].iter().fold(values[0], |most, v| if v.abs() > most.abs() { *v } else { most });
        let scale = if format == BlockFormat::Q8_0 { most.abs() / 127.0 } else { most / -offset };
        // The quants are rounded with the scale as it was before its own rounding to f16, as ggml does.
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let quants = if format == BlockFormat::Q8_0 {
            values.map(|value| (value * inverse).round() as i8 as u8 ^ 0x80)
        } else {
            let top = Self::offset(format) * 2 - 1;
            values.map(|value| ((value * inverse + (offset + 0.5)) as u8).min(top))
        };
        Self { scale: stored(scale), quants }
    }
}
