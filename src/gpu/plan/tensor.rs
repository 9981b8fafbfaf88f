//! Handles of tensors in a plan.

/// The sides of a dense activation, channels last: `[batch, height, width, channels]`. A token sequence has height 1 and its
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
}

/// A tensor of a plan under construction: a cheap handle. It may be some of the channels of a wider one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tensor {
    pub(super) id: u32,
    pub shape: Shape,
    /// Values from one position to the next: the channels of the whole tensor.
    pub(crate) pitch: u32,
    /// The channel of the whole tensor that is this one's first.
    pub(crate) first: u32,
    /// Stored in half precision; its channels are then a multiple of 4.
    pub(crate) half: bool,
}

impl Tensor {
    /// A whole tensor in f32.
    pub(super) const fn whole(id: u32, shape: Shape) -> Self {
        Self { id, shape, pitch: shape.channels, first: 0, half: false }
    }

    /// Bytes of its own values.
    pub const fn bytes(self) -> u64 {
        self.shape.values() * if self.half { 2 } else { 4 }
    }

    /// `count` of its channels, from `first` on. Few operations take such a part (those which say so to
    /// [`Dispatch::takes_parts`](super::Dispatch::takes_parts)).
    pub(crate) const fn part(self, first: u32, count: u32) -> Self {
        Self { shape: Shape { channels: count, ..self.shape }, first: self.first + first, ..self }
    }

    /// The same values as another shape; none where it has more or fewer, or where this is a part of a wider tensor.
    pub(crate) fn view(self, shape: Shape) -> Option<Self> {
        let same = !self.is_part() && shape.values() == self.shape.values();
        same.then_some(Self { shape, pitch: shape.channels, ..self })
    }

    pub(super) const fn is_part(self) -> bool {
        self.pitch != self.shape.channels
    }
}
