//! Halving and doubling pictures, as the U-Net's down- and upsampling residual blocks do on their skip paths.

use super::{ACTIVATION_WGSL, Norm};
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// How [`PlanBuilder::resample`] changes the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// The mean of 2 × 2 pixels; an odd last row or column is dropped.
    AvgPool2,
    /// Every pixel 2 × 2 times.
    Nearest2,
}

impl PlanBuilder {
    /// Halves or doubles a picture, after the norm where given.
    ///
    /// # Errors
    /// A picture too small to halve, or a norm for other channels or another batch.
    pub fn resample(&mut self, x: Tensor, resample: Resample, norm: Option<Norm>) -> Result<Tensor, GpuError> {
        let Shape { batch, height, width, channels } = x.shape;
        if let Some(Norm { affine, .. }) = norm
            && affine.shape.values() != u64::from(batch) * 2 * u64::from(channels)
        {
            return Err(GpuError::shape("resample", format!("norm {:?} for {:?}", affine.shape, x.shape)));
        }
        let halves = resample == Resample::AvgPool2;
        let shape = if halves {
            Shape { height: height / 2, width: width / 2, ..x.shape }
        } else {
            Shape { height: height * 2, width: width * 2, ..x.shape }
        };
        let y = self.tensor(shape)?;
        let source = [ACTIVATION_WGSL, include_str!("../../../shaders/resample.wgsl")];
        let dispatch = Dispatch::new("resample", "main", &source)
            .u32(shape.values() as u32)
            .u32(shape.height)
            .u32(shape.width)
            .u32(channels)
            .u32(height)
            .u32(width)
            .u32(halves.into())
            .u32(norm.is_some().into())
            .u32(norm.map_or(0, |norm| norm.activation as u32))
            .read(x)
            .read_or_empty(norm.map(|norm| norm.affine))
            .write(y)
            .workgroups(shape.values().div_ceil(256), self.limits().max_compute_workgroups_per_dimension);
        self.record(dispatch)?;
        Ok(y)
    }
}
