//! Handles of tensors in a plan.

/// A dense f32 activation, channels last: `[batch, height, width, channels]`. A token sequence has height 1 and its
/// tokens along the width; a vector has height and width 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub batch: u32,
    pub height: u32,
    pub width: u32,
    pub channels: u32,
}

impl Shape {
    /// An image-like tensor.
    pub const fn image(batch: u32, height: u32, width: u32, channels: u32) -> Self {
        Self { batch, height, width, channels }
    }

    /// A token sequence `[batch, tokens, channels]`.
    pub const fn tokens(batch: u32, tokens: u32, channels: u32) -> Self {
        Self { batch, height: 1, width: tokens, channels }
    }

    /// One vector per batch entry.
    pub const fn vector(batch: u32, channels: u32) -> Self {
        Self { batch, height: 1, width: 1, channels }
    }

    /// Positions of one batch entry.
    pub const fn positions(self) -> u32 {
        self.height * self.width
    }

    /// Number of values.
    pub const fn values(self) -> u64 {
        self.batch as u64 * self.height as u64 * self.width as u64 * self.channels as u64
    }

    /// Bytes as f32.
    pub const fn bytes(self) -> u64 {
        self.values() * 4
    }
}

/// A tensor of a plan under construction: a cheap handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    pub(super) id: u32,
    pub shape: Shape,
}
