//! One training example, ready for the network: what is diffused, the noise, and all conditions.
//!
//! Everything random about it follows from the run's seed and the example's number ([`Draws`]), so that a run that goes on
//! from a checkpoint meets the same examples as one that was never stopped.

use super::draws::{Draws, Purpose};
use super::stage::StageTask;
use super::{TrainError, crop};
use crate::diffusion::augment;
use crate::text::{Tokenized, Tokenizer};

/// What the network learns from.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Pixels per side.
    pub size: usize,
    /// What is diffused, the picture or its residual: planar `[3, size, size]`.
    pub clean: Vec<f32>,
    /// Standard normal, as long as `clean`.
    pub noise: Vec<f32>,
    /// Noise level, a timestep of the schedule.
    pub timestep: u32,
    /// For super-resolution.
    pub low: Option<Low>,
    pub caption: Tokenized,
}

/// What a super-resolution stage sees of the picture of the stage before.
#[derive(Clone, Debug, PartialEq)]
pub struct Low {
    /// Enlarged and made noisy: planar `[3, size, size]`.
    pub picture: Vec<f32>,
    /// The noise level that the network is told, a timestep of the schedule; 0 is none.
    pub level: u32,
}

/// A picture of the data set in the stage's size, with its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Captioned {
    /// Planar `[3, image_size, image_size]`, from −1 to 1.
    pub picture: Vec<f32>,
    pub caption: String,
}

/// How timesteps are drawn: uniformly, but for a share around one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Focus {
    /// Part of the examples, 0 to 1.
    pub share: f32,
    /// Where they gather, a timestep.
    pub mean: f32,
    /// How far around it, a standard deviation in timesteps.
    pub deviation: f32,
}

/// Makes an example of a picture: the `number`th of the run, of `size` pixels per side.
///
/// # Errors
/// [`TrainError::Text`] where the tokenizer refuses the caption.
pub fn prepare(
    task: &StageTask,
    tokenizer: &Tokenizer,
    captioned: &Captioned,
    (seed, number): (u64, u64),
    size: usize,
) -> Result<Example, TrainError> {
    let mut draws = Draws::new(seed, number, Purpose::Example);
    let mut picture = captioned.picture.clone();
    if task.flip && crop::may_flip(&captioned.caption) && draws.uniform() < 0.5 {
        crop::flip(&mut picture, task.image_size);
    }
    let room = (task.image_size - size) / task.grid();
    let [top, left] = [0, 1].map(|_| draws.below(room + 1) * task.grid());
    let (clean, low) = task.cut(&picture, [top, left], size)?;
    let level = match low {
        Some(_) if draws.uniform() >= task.unaugmented => {
            let [lowest, highest] = task.levels;
            lowest + draws.below((highest - lowest) as usize + 1) as u32
        }
        _ => 0,
    };
    let low = match low {
        Some(mut picture) => {
            let noise = draws.normal(1, picture.len());
            augment(&task.augmentation, level, &mut picture, &noise)?;
            Some(Low { picture, level })
        }
        None => None,
    };
    let timestep = timestep(task, &mut draws);
    let dropped = draws.uniform() < task.drop_caption;
    let caption = tokenizer.encode(if dropped { "" } else { &captioned.caption })?;
    Ok(Example { size, noise: draws.normal(0, clean.len()), clean, timestep, low, caption })
}

fn timestep(task: &StageTask, draws: &mut Draws) -> u32 {
    let steps = task.schedule.alphas_cumprod().len();
    if draws.uniform() < task.focus.share {
        let at = task.focus.mean + task.focus.deviation * draws.normal(2, 1)[0];
        // Saturates where it is out of range.
        return (at.round().max(0.0) as u32).min(steps as u32 - 1);
    }
    draws.below(steps) as u32
}
