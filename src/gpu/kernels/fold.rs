//! How a planar picture lies in the network's folded, channels-last output: what `pixel.wgsl` needs to know.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, Shape, Tensor};

/// What the network gave for a step, channels-last: `[rows, size/patch, size/patch, colours·patch²]`, or twice the channels
/// with a learned variance behind.
#[derive(Clone, Copy, Debug)]
pub enum NetworkOutput {
    /// Without guidance: a row per image.
    Plain(Tensor),
    /// All images without the prompt, then all with it.
    Joint(Tensor),
    /// The two in passes of their own, because a binding does not hold the activations of both.
    Passes { without: Tensor, with: Tensor },
}

impl NetworkOutput {
    /// The output that guidance starts from, and the one that it goes to.
    pub(super) const fn tensors(self) -> (Tensor, Tensor) {
        match self {
            Self::Plain(out) | Self::Joint(out) => (out, out),
            Self::Passes { without, with } => (without, with),
        }
    }
}

/// A planar picture and the network's output for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub values: u64,
    images: u32,
    colours: u32,
    size: u32,
    patch: u32,
    network_channels: u32,
    guided: bool,
    /// The row of the first image with the prompt.
    told_row: u32,
}

impl Fold {
    /// Checks that `network` is the output for `planar`, with or without variance channels.
    pub fn new(op: &'static str, planar: Shape, network: NetworkOutput, patch: u32) -> Result<Self, GpuError> {
        let Shape { batch: images, height: colours, width: size, channels: columns } = planar;
        if columns != size || patch == 0 || !size.is_multiple_of(patch) {
            return Err(GpuError::shape(op, format!("{planar:?} is no square picture in patches of {patch}")));
        }
        let channels = colours * patch * patch;
        let (first, second) = network.tensors();
        let (rows, told_row) = match network {
            NetworkOutput::Joint(_) => (2 * images, images),
            NetworkOutput::Plain(_) | NetworkOutput::Passes { .. } => (images, 0),
        };
        let Shape { batch, height, width, channels: network_channels } = first.shape;
        let fits = batch == rows
            && (height, width) == (size / patch, size / patch)
            && (network_channels == channels || network_channels == 2 * channels)
            && second.shape == first.shape;
        if !fits {
            let message = format!("network output {network:?} for {planar:?} in patches of {patch}");
            return Err(GpuError::shape(op, message));
        }
        Ok(Self {
            values: planar.values(),
            images,
            colours,
            size,
            patch,
            network_channels,
            guided: !matches!(network, NetworkOutput::Plain(_)),
            told_row,
        })
    }

    /// Appends the parameters in the order of `pixel.wgsl`.
    pub fn params(self, dispatch: Dispatch, prediction: u32) -> Dispatch {
        dispatch
            .u32(self.values as u32)
            .u32(self.images)
            .u32(self.colours)
            .u32(self.size)
            .u32(self.patch)
            .u32(self.network_channels)
            .u32(self.guided.into())
            .u32(self.told_row)
            .u32(prediction)
    }
}

/// That all of these have the planar picture's shape.
pub(super) fn same_shape(op: &'static str, planar: Tensor, others: &[Tensor]) -> Result<(), GpuError> {
    match others.iter().find(|other| other.shape != planar.shape) {
        Some(other) => Err(GpuError::shape(op, format!("{:?} beside {:?}", other.shape, planar.shape))),
        None => Ok(()),
    }
}
