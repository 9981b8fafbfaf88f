//! From the file's blocks to the two planes of [`Layout`].

use super::{GpuFormat, Layout};
use crate::gpu::GpuError;
use crate::weights::{AffineBlock, BlockFormat, Piece, ScaledBlock, SignedBlock};

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
        let quants = &mut quants[row * width..(row + 1) * width];
        let width = layout.scale_words as usize;
        let scales = &mut scales[row * width..(row + 1) * width];
        match (layout.format, piece.tensor.format) {
            (GpuFormat::F32, BlockFormat::F32) | (GpuFormat::F16 | GpuFormat::Bf16, _) => {
                bytemuck::cast_slice_mut(quants)[..bytes.len()].copy_from_slice(bytes);
            }
            (GpuFormat::F32, format) => {
                let mut values = Vec::with_capacity(layout.columns as usize);
                format.dequantise(bytes, &mut values).map_err(|error| error.of(&piece.tensor.name))?;
                quants[..values.len()].copy_from_slice(bytemuck::cast_slice(&values));
            }
            (to, from) => blocks(from, bytes, to, quants, scales),
        }
    }
    Ok(Packed { quants, scales })
}

/// Takes the blocks of a row apart and packs quants and scales as the kernels read them.
fn blocks(from: BlockFormat, bytes: &[u8], to: GpuFormat, quants: &mut [u32], scales: &mut [u32]) {
    let blocks = bytes.chunks_exact(from.block_bytes());
    let quants = quants.chunks_exact_mut((from.block_values() / 32) * to.block_words() as usize);
    match to {
        GpuFormat::Q4K | GpuFormat::Q5K => {
            for ((block, quants), scales) in blocks.zip(quants).zip(scales.chunks_exact_mut(5)) {
                let block = AffineBlock::read(from, block);
                pack(&block.quants, to, quants);
                scales.copy_from_slice(&affine_scales(&block));
            }
        }
        GpuFormat::Q6K => {
            for ((block, quants), scales) in blocks.zip(quants).zip(scales.chunks_exact_mut(5)) {
                let block = SignedBlock::read(block);
                pack(&block.quants, to, quants);
                scales[0] = block.d.to_f32().to_bits();
                scales[1..].copy_from_slice(&bytemuck::cast::<[i8; 16], [u32; 4]>(block.scales));
            }
        }
        _ => {
            let scales: &mut [u16] = bytemuck::cast_slice_mut(scales);
            for ((block, quants), scale) in blocks.zip(quants).zip(scales) {
                let block = ScaledBlock::read(from, block);
                pack(&block.quants, to, quants);
                *scale = block.scale.to_bits();
            }
        }
    }
}

/// d, dmin, the groups' low nibbles of the scales, those of the minima, and their upper two bits (scale, minimum).
fn affine_scales(block: &AffineBlock) -> [u32; 5] {
    let nibbles =
        |nibble: &dyn Fn(usize) -> u8| (0..8).fold(0, |word, group| word | u32::from(nibble(group)) << (group * 4));
    let AffineBlock { d, dmin, scales, minima, .. } = block;
    [
        d.to_f32().to_bits(),
        dmin.to_f32().to_bits(),
        nibbles(&|group| scales[group] & 15),
        nibbles(&|group| minima[group] & 15),
        nibbles(&|group| scales[group] >> 4 | minima[group] >> 4 << 2),
    ]
}

/// Packs blocks of 32 quants: the words of their low bits, then those of their upper bits.
fn pack(quants: &[u8], format: GpuFormat, words: &mut [u32]) {
    let (low, upper) = format.bits();
    for (quants, words) in quants.chunks_exact(32).zip(words.chunks_exact_mut((low + upper) as usize)) {
        let (low_words, upper_words) = words.split_at_mut(low as usize);
        plane(quants, 0, low, low_words);
        plane(quants, low, upper, upper_words);
    }
}

/// The bits from `first` on: byte k of a word holds the values k, k + 4, k + 8, …, the first in its lowest bits.
fn plane(quants: &[u8], first: u32, bits: u32, words: &mut [u32]) {
    let mask = 0x0101_0101 * ((1 << bits) - 1);
    let per_word = quants.len() / words.len().max(1);
    for (word, quants) in words.iter_mut().zip(quants.chunks_exact(per_word)) {
        for (i, four) in quants.as_chunks::<4>().0.iter().enumerate() {
            *word |= (u32::from_le_bytes(*four) >> first & mask) << (i as u32 * bits);
        }
    }
}
