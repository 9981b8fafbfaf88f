//! How a weight lies in GPU buffers.
//!
//! A file's blocks (34 bytes for Q8_0) are not multiples of four bytes, so their parts are split into two planes in
//! one buffer: first the quants of all rows, then the scales of all rows. Rows start on 16-byte boundaries of the
//! quants plane. A weight larger than a storage binding is cut into slabs along `out`, one buffer each.
//!
//! Quants are unsigned there and lie in blocks of 32, first their low 4 or 8 bits, then their upper 1 or 2. In each part
//! byte k of a word holds the values k, k + 4, k + 8, …, the first of them in its lowest bits: four neighbours are one
//! shift and one mask of one word.

use crate::gpu::GpuError;
use crate::weights::BlockFormat;

/// Formats that the kernels read; the number is the `FORMAT` constant of `shaders/weights.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum GpuFormat {
    F32 = 0,
    F16 = 1,
    Bf16 = 2,
    Q8_0 = 3,
    Q4_0 = 4,
    Q5_0 = 5,
    Q4K = 6,
    Q5K = 7,
    Q6K = 8,
}

impl GpuFormat {
    /// Bits of a quant in its two parts: each block of 32 has the words of its low bits, then those of its upper bits.
    pub(super) fn bits(self) -> (u32, u32) {
        match self {
            Self::F32 => (32, 0),
            Self::F16 | Self::Bf16 => (16, 0),
            Self::Q8_0 => (8, 0),
            Self::Q4_0 | Self::Q4K => (4, 0),
            Self::Q5_0 | Self::Q5K => (4, 1),
            Self::Q6K => (4, 2),
        }
    }

    /// 32-bit words of 32 values in the quants plane.
    pub(super) fn block_words(self) -> u32 {
        let (low, upper) = self.bits();
        low + upper
    }

    /// 32-bit words of a row of `columns` values in the scales plane: an f16 per block of 32, or, in K-quants, five
    /// words per block of 256. Those begin with the block's own scales in f32, because they are often below the normal
    /// range of f16, where a GPU may read zero.
    fn scale_words(self, columns: u32) -> u32 {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 0,
            Self::Q8_0 | Self::Q4_0 | Self::Q5_0 => columns.div_ceil(64),
            Self::Q4K | Self::Q5K | Self::Q6K => columns / 256 * 5,
        }
    }
}

/// The place of every value of one weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub format: GpuFormat,
    /// Rows (`out`), over all slabs.
    pub rows: u32,
    /// Values of a row.
    pub columns: u32,
    /// 32-bit words from one row of the quants plane to the next; a multiple of 4.
    pub row_words: u32,
    /// 32-bit words from one row of the scales plane to the next; 0 where the format has no scales.
    pub scale_words: u32,
    /// Rows of every slab but the last, which holds the rest.
    pub slab_rows: u32,
}

impl Layout {
    /// The layout of a tensor with this shape (`out` first) for devices that bind at most `binding` bytes.
    ///
    /// One-dimensional tensors (norms, biases) are always F32 on the GPU, whether the file holds F32, F16 or BF16.
    ///
    /// # Errors
    /// A quantised vector or a row that is not whole blocks, or a single row beyond the limit.
    pub fn new(name: &str, shape: &[usize], format: BlockFormat, binding: u64) -> Result<Self, GpuError> {
        let columns = shape.last().copied().unwrap_or(1);
        let rows: usize = shape[..shape.len().saturating_sub(1)].iter().product();
        let too_large = |needed: usize| GpuError::Limit {
            what: format!("tensor {name}"),
            needed: needed as u64,
            available: u64::from(u32::MAX),
        };
        let words_of = |columns: usize| -> Result<u32, GpuError> {
            u32::try_from(columns).ok().filter(|&c| c < 1 << 28).ok_or_else(|| too_large(columns))
        };
        let (columns, rows) = (words_of(columns)?, words_of(rows)?);
        let matrix = shape.len() > 1;
        if format.block_values() > 1 && !(matrix && columns.is_multiple_of(format.block_values() as u32)) {
            return Err(GpuError::UnsupportedFormat { tensor: name.to_owned(), format });
        }
        let format = match format {
            BlockFormat::F16 if matrix => GpuFormat::F16,
            BlockFormat::Bf16 if matrix => GpuFormat::Bf16,
            BlockFormat::F32 | BlockFormat::F16 | BlockFormat::Bf16 => GpuFormat::F32,
            BlockFormat::Q8_0 => GpuFormat::Q8_0,
            BlockFormat::Q4_0 => GpuFormat::Q4_0,
            BlockFormat::Q5_0 => GpuFormat::Q5_0,
            BlockFormat::Q4K => GpuFormat::Q4K,
            BlockFormat::Q5K => GpuFormat::Q5K,
            BlockFormat::Q6K => GpuFormat::Q6K,
        };
        let row_words = (u64::from(columns) * u64::from(format.block_words())).div_ceil(32).next_multiple_of(4) as u32;
        let scale_words = format.scale_words(columns);
        let row_bytes = u64::from(row_words + scale_words) * 4;
        let slab_rows = (binding.saturating_sub(16) / row_bytes.max(1)).min(u64::from(rows.max(1))) as u32;
        // Slabs begin at a multiple of four rows, so that four neighbouring outputs stay together.
        let slab_rows = if slab_rows < rows && slab_rows > 4 { slab_rows / 4 * 4 } else { slab_rows };
        if slab_rows == 0 {
            return Err(GpuError::Limit {
                what: format!("one row of tensor {name}"),
                needed: row_bytes,
                available: binding,
            });
        }
        Ok(Self { format, rows, columns, row_words, scale_words, slab_rows })
    }

    /// Number of slabs, at least one.
    pub fn slabs(&self) -> usize {
        self.rows.div_ceil(self.slab_rows).max(1) as usize
    }

    /// Every slab begins at a multiple of four rows.
    pub fn is_aligned(&self) -> bool {
        self.slabs() == 1 || self.slab_rows.is_multiple_of(4)
    }

    /// First row and number of rows of a slab.
    pub fn slab(&self, slab: usize) -> (u32, u32) {
        let first = (slab as u32).saturating_mul(self.slab_rows).min(self.rows);
        (first, self.slab_rows.min(self.rows - first))
    }

    /// Offset of a slab's scales plane, in 32-bit words.
    pub fn scales_offset(&self, slab: usize) -> u32 {
        self.slab(slab).1 * self.row_words
    }

    /// Bytes of a slab's buffer: a multiple of 16, at least 16.
    pub fn slab_bytes(&self, slab: usize) -> u64 {
        let rows = u64::from(self.slab(slab).1);
        (rows * u64::from(self.row_words + self.scale_words) * 4).next_multiple_of(16).max(16)
    }

    /// Bytes of all slabs.
    pub fn bytes(&self) -> u64 {
        (0..self.slabs()).map(|slab| self.slab_bytes(slab)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_on_sixteen_bytes() {
        for format in BlockFormat::ALL {
            for columns in [1, 2, 3, 8].map(|blocks| blocks * format.block_values().max(32)) {
                let layout = Layout::new("w", &[7, columns], format, 128 << 20).unwrap();
                assert_eq!(layout.row_words % 4, 0);
                assert_eq!((layout.slabs(), layout.slab(0)), (1, (0, 7)));
            }
        }
        let odd = Layout::new("w", &[3, 27], BlockFormat::F16, 128 << 20).unwrap();
        assert_eq!(odd.row_words, 16);
    }

    #[test]
    fn slabs_cover_all_rows_and_fit() {
        let layout = Layout::new("w", &[1000, 320], BlockFormat::Q8_0, 10_000).unwrap();
        let mut next = 0;
        for slab in 0..layout.slabs() {
            let (first, rows) = layout.slab(slab);
            assert_eq!(first, next);
            assert!(rows > 0 && layout.slab_bytes(slab) <= 10_000);
            next += rows;
        }
        assert_eq!(next, 1000);
        assert!(layout.slabs() > 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(matches!(
            Layout::new("w", &[4, 288], BlockFormat::Q4K, 1 << 20),
            Err(GpuError::UnsupportedFormat { .. })
        ));
        assert!(matches!(
            Layout::new("w", &[4, 40], BlockFormat::Q8_0, 1 << 20),
            Err(GpuError::UnsupportedFormat { .. })
        ));
        assert!(matches!(Layout::new("w", &[4, 4096], BlockFormat::F32, 1000), Err(GpuError::Limit { .. })));
    }

    #[test]
    fn weights_stay_as_small_as_in_the_file() {
        for format in BlockFormat::ALL {
            let layout = Layout::new("w", &[64, 1024], format, 128 << 20).unwrap();
            let stored = 64 * format.row_bytes(1024).unwrap() as u64;
            // K-quants take four bytes more per block, see `scale_words`; Q6_K half of that.
            let more = match format {
                BlockFormat::Q4K | BlockFormat::Q5K => 4 * 64 * 4,
                BlockFormat::Q6K => 2 * 64 * 4,
                _ => 0,
            };
            assert_eq!(layout.bytes(), stored + more, "{format}");
        }
    }

    #[test]
    fn vectors_are_f32() {
        let layout = Layout::new("b", &[5], BlockFormat::F16, 1 << 20).unwrap();
        assert_eq!((layout.format, layout.rows, layout.columns, layout.bytes()), (GpuFormat::F32, 1, 5, 32));
    }
}
