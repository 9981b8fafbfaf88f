//! From the file's blocks to the two planes of [`Layout`].

use super::{GpuFormat, Layout};
use crate::gpu::GpuError;
use crate::weights::{BlockFormat, Piece};

/// Some whole rows, as they are written to the GPU.
pub(super) struct Packed {
    pub quants: Vec<u32>,
    pub scales: Vec<u32>,
}

/// Splits and pads the rows of `piece`.
pub(super) fn repack(layout: &Layout, piece: &Piece<'_>) -> Result<Packed, GpuError> {
    let mut quants = vec![0u32; piece.rows * layout.row_words as usize];
    let mut scales = vec![0u32; piece.rows * layout.scale_words as usize];
    let row_bytes = piece.tensor.row_bytes().max(1);
    for (row, bytes) in piece.bytes.chunks_exact(row_bytes).take(piece.rows).enumerate() {
        let width = layout.row_words as usize;
        let quants: &mut [u8] = bytemuck::cast_slice_mut(&mut quants[row * width..(row + 1) * width]);
        let width = layout.scale_words as usize;
        let scales: &mut [u8] = bytemuck::cast_slice_mut(&mut scales[row * width..(row + 1) * width]);
        match (layout.format, piece.tensor.format) {
            (GpuFormat::F32, BlockFormat::F32) | (GpuFormat::F16, _) => quants[..bytes.len()].copy_from_slice(bytes),
            (GpuFormat::F32, format) => {
                let mut values = Vec::with_capacity(layout.columns as usize);
                format.dequantise(bytes, &mut values).map_err(|error| error.of(&piece.tensor.name))?;
                let bytes: &[u8] = bytemuck::cast_slice(&values);
                quants[..bytes.len()].copy_from_slice(bytes);
            }
            (GpuFormat::Q8_0, _) => split::<34>(bytes, quants, scales),
            (GpuFormat::Q4_0, _) => split::<18>(bytes, quants, scales),
        }
    }
    Ok(Packed { quants, scales })
}

/// Blocks of an f16 scale and `BLOCK − 2` bytes of quants.
fn split<const BLOCK: usize>(blocks: &[u8], quants: &mut [u8], scales: &mut [u8]) {
    let quants = quants.chunks_exact_mut(BLOCK - 2);
    for ((block, quants), scale) in blocks.chunks_exact(BLOCK).zip(quants).zip(scales.chunks_exact_mut(2)) {
        scale.copy_from_slice(&block[..2]);
        quants.copy_from_slice(&block[2..]);
    }
}
