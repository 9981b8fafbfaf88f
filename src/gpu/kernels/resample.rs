//! Halving and doubling pictures.

use super::Norm;
use crate::gpu::GpuError;
use crate::gpu::plan::{Dispatch, PlanBuilder, Shape, Tensor};

/// How [`PlanBuilder::resample`] changes the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// The mean of 2 × 2 pixels.
    AvgPool2,
    /// Every pixel 2 × 2 times.
    Nearest2,
}

impl PlanBuilder {
    /// Halves or doubles a picture, after the norm where given.
    ///
    /// # Errors
    /// Tensors that do not fit.
    pub fn resample(&mut self, x: Tensor, resample: Resample, norm: Option<Norm>) -> Result<Tensor, GpuError> {
        let (height, width) = match resample {
            Resample::AvgPool2 => (x.shape.height / 2, x.shape.width / 2),
            Resample::Nearest2 => (x.shape.height * 2, x.shape.width * 2),
        };
        let y = self.tensor(Shape { height, width, ..x.shape })?;
        let dispatch = Dispatch::new("resample", "main", &[]).read(x);
        self.record(dispatch.read_or_empty(norm.map(|norm| norm.affine)).write(y))?;
        Ok(y)
    }
}
