//! One tensor of a weights file, and the pieces in which its bytes travel.

use super::BlockFormat;

/// A tensor's entry in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    /// Outermost dimension first (a linear weight is `[out, in]`). A convolution's weight is stored as the rows
    /// `[out, kh·kw·in]`, `in` fastest.
    pub shape: Vec<usize>,
    pub format: BlockFormat,
    /// Offset in the file, in bytes.
    pub offset: u64,
}

impl TensorInfo {
    /// Values of one row (the innermost dimension).
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the innermost.
    pub fn rows(&self) -> usize {
        let outer = self.shape.len().saturating_sub(1);
        self.shape[..outer].iter().product()
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> usize {
        self.columns() / self.format.block_values() * self.format.block_bytes()
    }

    /// Bytes of the whole tensor.
    pub fn bytes(&self) -> u64 {
        self.rows() as u64 * self.row_bytes() as u64
    }
}

/// Some whole rows of a tensor, as they stand in the file.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    pub tensor: &'a TensorInfo,
    pub first_row: usize,
    pub rows: usize,
    pub bytes: &'a [u8],
}
