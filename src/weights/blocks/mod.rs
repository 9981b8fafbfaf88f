//! Values to blocks and back, as ggml's reference (`ggml-quants.c`, and `gguf.quants` in Python): what is read, and what
//! is written but for K-quants, bit for bit.
//!
//! A family's module takes its blocks apart and puts them together; executors that keep weights quantised take blocks
//! apart with it too.

mod k_quants;
mod legacy;
mod search;

pub(crate) use k_quants::{AffineBlock, SignedBlock};
pub(crate) use legacy::ScaledBlock;

use super::{BlockFormat, FormatError};
use half::{bf16, f16};

impl BlockFormat {
    /// Appends the values of whole blocks to `out`.
    ///
    /// # Errors
    /// [`FormatError::Ragged`] where `bytes` is not a whole number of blocks.
    pub fn dequantise(self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), FormatError> {
        if !bytes.len().is_multiple_of(self.block_bytes()) {
            return Err(FormatError::Ragged { format: self, length: bytes.len(), what: "bytes" });
        }
        out.reserve(bytes.len() / self.block_bytes() * self.block_values());
        let blocks = bytes.chunks_exact(self.block_bytes());
        match self {
            Self::F32 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
            Self::F16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32())),
            Self::Bf16 => out.extend(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32())),
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 => {
                blocks.for_each(|block| out.extend(ScaledBlock::read(self, block).values(self)));
            }
            Self::Q4K | Self::Q5K => blocks.for_each(|block| out.extend(AffineBlock::read(self, block).values())),
            Self::Q6K => blocks.for_each(|block| out.extend(SignedBlock::read(block).values())),
        }
        Ok(())
    }

    /// The values as blocks of this format. What is not finite is stored as something, without an error; scales beyond
    /// the range of f16 are cut off there, see [`largest`](Self::largest).
    ///
    /// # Errors
    /// [`FormatError::Ragged`] where `values` is not a whole number of blocks.
    pub fn quantise(self, values: &[f32]) -> Result<Vec<u8>, FormatError> {
        if !values.len().is_multiple_of(self.block_values()) {
            return Err(FormatError::Ragged { format: self, length: values.len(), what: "values" });
        }
        let mut out = Vec::with_capacity(values.len() / self.block_values() * self.block_bytes());
        match self {
            Self::F32 => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::F16 => out.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes())),
            Self::Bf16 => out.extend(values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes())),
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 => {
                let blocks = values.as_chunks().0.iter();
                blocks.for_each(|block| ScaledBlock::quantise(self, block).write(self, &mut out));
            }
            Self::Q4K | Self::Q5K => {
                let blocks = values.as_chunks().0.iter();
                blocks.for_each(|block| AffineBlock::quantise(self, block).write(self, &mut out));
            }
            Self::Q6K => values.as_chunks().0.iter().for_each(|block| SignedBlock::quantise(block).write(&mut out)),
        }
        Ok(out)
    }

    /// The largest magnitude that the format holds for both signs: beyond it [`quantise`](Self::quantise) cuts off, and
    /// F16 and BF16 become infinite.
    pub fn largest(self) -> f32 {
        let scale = f32::from(f16::MAX);
        match self {
            Self::F32 => f32::MAX,
            Self::F16 => scale,
            Self::Bf16 => f32::from(bf16::MAX),
            Self::Q8_0 => 127.0 * scale,
            // The value of the largest magnitude becomes the lowest quant.
            Self::Q4_0 => 8.0 * scale,
            Self::Q5_0 => 16.0 * scale,
            // All of a block below zero: the minimum alone.
            Self::Q4K | Self::Q5K => 63.0 * scale,
            // The search may settle on a scale that takes it to 31.
            Self::Q6K => 127.0 * 31.0 * scale,
        }
    }
}

/// A scale as blocks store it. It never becomes infinite, which would spoil every value of the block.
fn stored(scale: f32) -> f16 {
    let largest = f32::from(f16::MAX);
    f16::from_f32(scale.clamp(-largest, largest))
}

/// The f16 at the start of `bytes`.
fn half(bytes: &[u8]) -> f16 {
    f16::from_le_bytes([bytes[0], bytes[1]])
}
