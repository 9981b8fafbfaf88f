//! What surrounds the diffusion of one picture: its conditioning picture before, the finished picture after.
//!
//! Everything is planar `[3, size, size]` in [-1, 1] and stays f32 between the stages; only what leaves the cascade
//! is rounded to bytes.

use super::CascadeError;
use super::manifest::Target;
use super::noise::GivenNoise;
use super::settings::{LowSettings, StageSettings};
use crate::diffusion::{self, noise::Draw};
use crate::image::Picture;
use crate::image::resample::upsample;

/// Channels of a picture.
const COLOURS: usize = 3;

/// Values of a picture of this size.
pub(super) fn values(size: u32) -> usize {
    COLOURS * size as usize * size as usize
}

/// The conditioning of one picture.
pub(super) struct Lifted {
    /// The low-resolution picture, upsampled: what a residual is added to.
    pub upsampled: Vec<f32>,
    /// The same with the augmentation's noise: what the network sees. Empty where the level is 0.
    augmented: Vec<f32>,
    /// The level as the network is told it.
    pub level: f32,
}

impl Lifted {
    /// Brings `low` (planar, `low_size` wide) to the stage's size and augments it; `None` for a stage without.
    pub(super) fn new(
        stage: &StageSettings,
        low: Option<&LowPicture>,
        noise: &GivenNoise,
        seed: u64,
        image: u32,
    ) -> Result<Option<Self>, CascadeError> {
        let (Some(settings), Some(low)) = (&stage.low, low) else { return Ok(None) };
        let LowSettings { filter, level, ref schedule } = *settings;
        let (from, to) = (low.size as usize, stage.size as usize);
        let upsampled = upsample(&low.values, [COLOURS, from, from], filter, [to, to])?;
        let mut augmented = Vec::new();
        if level > 0 {
            augmented.clone_from(&upsampled);
            let mut drawn = vec![0.0; upsampled.len()];
            noise.draw(seed, stage.index, Draw::Augmentation, image, &mut drawn);
            diffusion::augment(schedule, level, &mut augmented, &drawn)?;
        }
        Ok(Some(Self { upsampled, augmented, level: schedule.told(level) }))
    }

    /// What the network sees.
    pub(super) fn seen(&self) -> &[f32] {
        if self.augmented.is_empty() { &self.upsampled } else { &self.augmented }
    }
}

/// A picture that a stage starts from.
#[derive(Clone, Debug)]
pub(super) struct LowPicture {
    pub size: u32,
    /// Planar `[3, size, size]`.
    pub values: Vec<f32>,
}

/// The picture that a diffused sample stands for.
pub(super) fn assemble(target: Target, sample: &[f32], lifted: Option<&Lifted>) -> Vec<f32> {
    match (target, lifted) {
        (Target::Residual { scale }, Some(lifted)) => {
            lifted.upsampled.iter().zip(sample).map(|(&low, &r)| (low + scale * r).clamp(-1.0, 1.0)).collect()
        }
        _ => sample.iter().map(|value| value.clamp(-1.0, 1.0)).collect(),
    }
}

/// Rounds a planar picture to bytes.
pub(super) fn to_picture(size: u32, values: &[f32]) -> Result<Picture, CascadeError> {
    Ok(Picture::from_planar(values, size as usize, size as usize)?)
}
