//! Values to blocks and back, bit for bit as ggml's reference (`ggml-quants.c`, and `gguf.quants` in Python).
//!
//! Q8_0: one f16 scale `d` and 32 signed bytes, value = q·d. Q4_0: one f16 scale and 32 nibbles, value = (q − 8)·d; byte
//! `i` holds value `i` in its low and value `i + 16` in its high nibble.

use super::{BlockFormat, FormatError};
use half::{bf16, f16};

impl BlockFormat {
    /// Appends the values of whole blocks to `out`.
    ///
    /// # Errors
    /// [`FormatError::Ragged`] where `bytes` is not a whole number of blocks, [`FormatError::Unsupported`] for a format
    /// whose values cannot be read yet.
    pub fn dequantise(self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), FormatError> {
        if !bytes.len().is_multiple_of(self.block_bytes()) {
            return Err(FormatError::Ragged { format: self, length: bytes.len(), what: "bytes" });
        }
        out.reserve(bytes.len() / self.block_bytes() * self.block_values());
        match self {
            Self::F32 => out.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
            Self::F16 => out.extend(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32())),
            Self::Bf16 => out.extend(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32())),
            Self::Q8_0 => {
                for [d0, d1, quants @ ..] in bytes.as_chunks::<34>().0 {
                    let scale = f16::from_le_bytes([*d0, *d1]).to_f32();
                    out.extend(quants.iter().map(|&q| f32::from(q as i8) * scale));
                }
            }
            Self::Q4_0 => {
                for [d0, d1, quants @ ..] in bytes.as_chunks::<18>().0 {
                    let scale = f16::from_le_bytes([*d0, *d1]).to_f32();
                    out.extend(quants.iter().map(|&q| (f32::from(q & 15) - 8.0) * scale));
                    out.extend(quants.iter().map(|&q| (f32::from(q >> 4) - 8.0) * scale));
                }
            }
            Self::Q5_0 | Self::Q4K | Self::Q5K | Self::Q6K => return Err(FormatError::Unsupported(self)),
        }
        Ok(())
    }

    /// The values as blocks of this format.
    ///
    /// # Errors
    /// [`FormatError::Ragged`] where `values` is not a whole number of blocks, [`FormatError::Unsupported`] for a format
    /// that is only read.
    pub fn quantise(self, values: &[f32]) -> Result<Vec<u8>, FormatError> {
        if !values.len().is_multiple_of(self.block_values()) {
            return Err(FormatError::Ragged { format: self, length: values.len(), what: "values" });
        }
        Ok(match self {
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect(),
            Self::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect(),
            Self::Q8_0 => values.as_chunks().0.iter().flat_map(q8_0).collect(),
            Self::Q4_0 => values.as_chunks().0.iter().flat_map(q4_0).collect(),
            Self::Q5_0 | Self::Q4K | Self::Q5K | Self::Q6K => return Err(FormatError::Unsupported(self)),
        })
    }
}

/// The factor that takes values to quants; the quants are rounded with the scale as it was before its own rounding to
/// f16, as ggml does.
fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

fn q8_0(values: &[f32; 32]) -> [u8; 34] {
    let scale = values.iter().fold(0.0f32, |most, v| most.max(v.abs())) / 127.0;
    let inverse = inverse(scale);
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (quant, value) in block[2..].iter_mut().zip(values) {
        *quant = (value * inverse).round() as i8 as u8;
    }
    block
}

fn q4_0(values: &[f32; 32]) -> [u8; 18] {
    // The value of the largest magnitude, the first of equals, maps to −8.
    let mut most = values[0];
    for &value in &values[1..] {
        if value.abs() > most.abs() {
            most = value;
        }
    }
    let scale = most / -8.0;
    let inverse = inverse(scale);
    let quant = |value: f32| ((value * inverse + 8.5) as u8).min(15);
    let mut block = [0; 18];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (i, byte) in block[2..].iter_mut().enumerate() {
        *byte = quant(values[i]) | quant(values[i + 16]) << 4;
    }
    block
}
