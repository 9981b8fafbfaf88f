//! A stage as one GPU program: pixels in, U-Net, x0, thresholding, sampler update, pixels out.
//!
//! Phase "prompt" runs once per prompt, phase "step" once per step. The state stays on the GPU between steps.

use super::super::networks::StageShape;
use crate::diffusion::Prediction;
use crate::gpu::GpuError;
use crate::gpu::kernels::SamplerUpdate;
use crate::gpu::plan::{PlanBuilder, PlanDescription, Shape};
use crate::unet::{self, UNetConfig};

/// The state, planar; also the result after the last step.
pub(super) const X: &str = "x";
/// The conditioning picture, planar.
pub(super) const LOW: &str = "low";
/// The noise that a step adds, planar.
pub(super) const NOISE: &str = "noise";
/// The thresholded x0 of the step before, planar.
pub(super) const PREVIOUS: &str = "previous";
/// Colours of a picture.
const COLOURS: u32 = 3;

/// Records a stage of `size`×`size` pictures with an empty builder.
///
/// # Errors
/// Weights that are missing or misshapen, or an activation that exceeds the limits.
pub(in crate::cascade) fn describe(
    config: &UNetConfig,
    prediction: Prediction,
    size: u32,
    shape: StageShape,
    mut b: PlanBuilder,
) -> Result<PlanDescription, GpuError> {
    b.phase("prompt");
    let planar = Shape::image(1, COLOURS, size, size);
    let (x, previous, noise) = (b.input(X, planar)?, b.input(PREVIOUS, planar)?, b.input(NOISE, planar)?);
    let low = if config.input_channels() > COLOURS as usize { Some(b.input(LOW, planar)?) } else { None };
    b.phase("step");
    let (patch, rows) = (config.patch_size as u32, shape.rows as u32);
    let packed = b.pack(x, low, patch, rows)?;
    let out = unet::plan::build(&mut b, config, packed, shape.tokens as u32)?;
    let x0 = b.predict_x0(x, out, patch, rows, prediction)?;
    let scales = b.threshold(x0)?;
    b.sampler_update(SamplerUpdate { x, x0, scales, previous, noise, out, patch, rows })?;
    b.output(X, x);
    b.output(PREVIOUS, previous);
    b.finish()
}
