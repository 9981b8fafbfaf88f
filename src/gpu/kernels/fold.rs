//! How a planar picture lies in the network's folded, channels-last output: what `pixel.wgsl` needs to know.

use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, Shape, Tensor};

/// A planar picture and the network's output for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fold {
    pub values: u64,
    images: u32,
    colours: u32,
    size: u32,
    patch: u32,
    network_channels: u32,
    guidance_rows: u32,
}

impl Fold {
    /// Checks that `network` is the output for `planar`, with one row per image or (guidance) two, and with or without
    /// variance channels.
    pub fn new(
        op: &'static str,
        planar: Shape,
        network: Shape,
        patch: u32,
        guidance_rows: u32,
    ) -> Result<Self, GpuError> {
        let Shape { batch: images, height: colours, width: size, channels: columns } = planar;
        if columns != size || patch == 0 || !size.is_multiple_of(patch) {
            return Err(GpuError::shape(op, format!("{planar:?} is no square picture in patches of {patch}")));
        }
        let channels = colours * patch * patch;
        let fits = network.batch == images * guidance_rows
            && (network.height, network.width) == (size / patch, size / patch)
            && (network.channels == channels || network.channels == 2 * channels);
        if !(1..=2).contains(&guidance_rows) || !fits {
            return Err(GpuError::shape(
                op,
                format!(
                    "network output {network:?} for {planar:?} in patches of {patch}, {guidance_rows} rows per image"
                ),
            ));
        }
        Ok(Self {
            values: planar.values(),
            images,
            colours,
            size,
            patch,
            network_channels: network.channels,
            guidance_rows,
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
            .u32(self.guidance_rows)
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
