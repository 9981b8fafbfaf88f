//! A stage as one GPU program: pixels in, U-Net, x0, thresholding, sampler update, pixels out.
//!
//! Phase "prompt" runs once per prompt, phase "step" once per step. The state stays on the GPU between steps.

use super::super::manifest::{StageManifest, StageUNet};
use super::super::networks::StageShape;
use crate::diffusion::Prediction;
use crate::efficient_unet::{self, EfficientUNetConfig};
use crate::gpu::GpuError;
use crate::gpu::kernels::{NetworkOutput, SamplerUpdate};
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
/// The text; with guidance that of both rows, or of the row with the prompt where they run in two passes.
pub(super) const TEXT: &str = "text";
/// The text of the pass without the prompt.
pub(super) const NEGATIVE_TEXT: &str = "negative_text";
/// Colours of a picture.
const COLOURS: u32 = 3;

/// Records a stage of `size`×`size` pictures with an empty builder. With guidance both rows are one batch, unless an activation
/// of such a batch exceeds the device's limits (IF-II-L at 256 × 256): then they run one behind the other.
///
/// # Errors
/// Weights that are missing or misshapen, or an activation that exceeds the limits.
pub(in crate::cascade) fn describe(
    stage: &StageManifest,
    shape: StageShape,
    b: PlanBuilder,
) -> Result<PlanDescription, GpuError> {
    let (prediction, size) = (stage.schedule.prediction, stage.image_size);
    let config = match &stage.unet {
        StageUNet::Diffusers(config) => config,
        StageUNet::ImagenPytorch(unet) => return record_efficient(&unet.config, stage, shape, b),
    };
    match record(config, prediction, size, shape, Guidance::Joint, b.clone()) {
        Err(GpuError::Limit { .. }) if shape.rows > 1 => record(config, prediction, size, shape, Guidance::Passes, b),
        description => description,
    }
}

/// A stage of imagen-pytorch, whose phase "step" is all that there is.
fn record_efficient(
    config: &EfficientUNetConfig,
    stage: &StageManifest,
    shape: StageShape,
    mut b: PlanBuilder,
) -> Result<PlanDescription, GpuError> {
    let (size, rows) = (stage.image_size, shape.rows as u32);
    b.phase("step");
    let planar = Shape::image(1, COLOURS, size, size);
    let (x, previous, noise) = (b.input(X, planar)?, b.input(PREVIOUS, planar)?, b.input(NOISE, planar)?);
    let low = if config.lowres_cond { Some(b.input(LOW, planar)?) } else { None };
    let packed = b.pack(x, low, 1, rows)?;
    let low = low.map(|low| b.pack(low, None, 1, rows)).transpose()?;
    let out = efficient_unet::plan::build(&mut b, config, packed, low)?;
    let out = match rows {
        1 => NetworkOutput::Plain(out),
        _ if stage.defaults.orthogonal_guidance => NetworkOutput::Joint(b.orthogonal_guidance(out)?),
        _ => NetworkOutput::Joint(out),
    };
    let x0 = b.predict_x0(x, out, 1, stage.schedule.prediction)?;
    let scales = b.threshold(x0)?;
    b.sampler_update(SamplerUpdate { x, x0, scales, previous, noise, out, patch: 1 })?;
    b.output(X, x);
    b.output(PREVIOUS, previous);
    b.finish()
}

/// How the rows with and without the prompt run.
#[derive(Clone, Copy, PartialEq)]
enum Guidance {
    /// As one batch.
    Joint,
    /// One behind the other, in the same buffers.
    Passes,
}

fn record(
    config: &UNetConfig,
    prediction: Prediction,
    size: u32,
    shape: StageShape,
    guidance: Guidance,
    mut b: PlanBuilder,
) -> Result<PlanDescription, GpuError> {
    b.phase("prompt");
    let planar = Shape::image(1, COLOURS, size, size);
    let (x, previous, noise) = (b.input(X, planar)?, b.input(PREVIOUS, planar)?, b.input(NOISE, planar)?);
    let low = if config.input_channels() > COLOURS as usize { Some(b.input(LOW, planar)?) } else { None };
    b.phase("step");
    let (patch, tokens) = (config.patch_size as u32, shape.tokens as u32);
    let out = match (shape.rows, guidance) {
        (2, Guidance::Passes) => {
            let packed = b.pack(x, low, patch, 1)?;
            let mut pass = |text: &str| unet::plan::build_pass(&mut b, config, packed, tokens, text);
            NetworkOutput::Passes { without: pass(NEGATIVE_TEXT)?, with: pass(TEXT)? }
        }
        (rows, _) => {
            let packed = b.pack(x, low, patch, rows as u32)?;
            let out = unet::plan::build(&mut b, config, packed, tokens)?;
            if rows == 2 { NetworkOutput::Joint(out) } else { NetworkOutput::Plain(out) }
        }
    };
    let x0 = b.predict_x0(x, out, patch, prediction)?;
    let scales = b.threshold(x0)?;
    b.sampler_update(SamplerUpdate { x, x0, scales, previous, noise, out, patch })?;
    b.output(X, x);
    b.output(PREVIOUS, previous);
    b.finish()
}
