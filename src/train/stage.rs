//! The task of one stage: what of a picture it diffuses, and what it sees of the stage before.
//!
//! Super-resolution learns on crops. The low-resolution picture is the mean of blocks of pixels, in 8 bits as the stage
//! before would hand it on; it is cut with a margin before it is enlarged, so that a crop's enlargement is that of the whole
//! picture.

use super::example::Focus;
use super::{TrainError, crop};
use crate::cascade::manifest::{StageManifest, Target};
use crate::diffusion::{Schedule, ScheduleConfig, ScheduleKind, Variance};
use crate::image::resample::{self, Filter};
use crate::unet::{UNetConfig, architecture::Architecture};

/// Low-resolution pixels around a crop: as many as the widest filter looks at, and one.
const MARGIN: usize = 3;

/// What a stage has to learn, and how examples are made for it.
#[derive(Clone, Debug)]
pub struct StageTask {
    /// Pixels per side of whole pictures.
    pub image_size: usize,
    pub schedule: Schedule,
    /// That of the low-resolution picture's noise.
    pub(super) augmentation: Schedule,
    /// What residuals are divided by; none where the picture itself is diffused.
    pub(super) residual: Option<f32>,
    /// Filter and factor of the enlargement.
    enlarged: Option<(Filter, usize)>,
    /// Lowest and highest noise level of the low-resolution picture.
    pub levels: [u32; 2],
    /// Part of the examples whose low-resolution picture stays without noise.
    pub unaugmented: f32,
    /// Part of the examples that lose their caption, for guidance.
    pub drop_caption: f32,
    /// Mirrors half of the pictures that may be.
    pub flip: bool,
    pub focus: Focus,
}

impl StageTask {
    /// The task of a stage behind one of `low_size` pixels. Without noise, dropping, or mirroring yet.
    ///
    /// # Errors
    /// [`TrainError::Stage`] for a stage that cannot be trained, such as one whose size is no multiple of that before.
    pub fn new(stage: &StageManifest, low_size: Option<u32>) -> Result<Self, TrainError> {
        let refuse = |reason: String| Err(TrainError::Stage { stage: stage.name.clone(), reason });
        let kind = stage.conditioning.and_then(|conditioning| conditioning.aug_schedule).unwrap_or(stage.schedule.kind);
        let discrete = |kind| !matches!(kind, ScheduleKind::CosineLogSnr | ScheduleKind::LinearLogSnr);
        if !discrete(stage.schedule.kind) || !discrete(kind) {
            return refuse(
                "only schedules of discrete timesteps can be trained, not those of continuous time".to_owned(),
            );
        }
        let channels = super::about::unet(stage)?.output_channels();
        if stage.schedule.variance == Variance::LearnedRange && channels != 6 {
            return refuse(format!(
                "its variance is learned, but its U-Net has {channels} output channels instead of 6"
            ));
        }
        let schedule = Schedule::new(&stage.schedule)?;
        let augmentation = Schedule::new(&ScheduleConfig { kind, ..stage.schedule.clone() })?;
        let image_size = stage.image_size as usize;
        let residual = match stage.target {
            Target::Image => None,
            Target::Residual { scale } => Some(scale),
        };
        let enlarged = match (stage.conditioning, low_size) {
            (None, _) => None,
            (Some(conditioning), Some(low)) if low > 0 && stage.image_size.is_multiple_of(low) => {
                Some((conditioning.upsample, (stage.image_size / low) as usize))
            }
            (Some(_), Some(low)) => {
                return refuse(format!("its {0}×{0} pixels are no multiple of the {low}×{low} before", image_size));
            }
            (Some(_), None) => return refuse("there is no stage before it that it could enlarge".to_owned()),
        };
        if residual.is_some() && enlarged.is_none() {
            return refuse("it diffuses a residual, but enlarges nothing".to_owned());
        }
        let levels = match (stage.conditioning, augmentation.alphas_cumprod().len() as u32 - 1) {
            (Some(conditioning), highest) => {
                let [low, high] = conditioning.aug_levels.unwrap_or([0, highest]);
                [low.min(highest), high.min(highest)]
            }
            (None, _) => [0, 0],
        };
        let focus = Focus::default();
        let (unaugmented, drop_caption, flip) = (0.0, 0.0, false);
        Ok(Self {
            image_size,
            schedule,
            augmentation,
            residual,
            enlarged,
            levels,
            unaugmented,
            drop_caption,
            flip,
            focus,
        })
    }

    /// True for a stage that enlarges.
    pub fn enlarges(&self) -> bool {
        self.enlarged.is_some()
    }

    /// Whether crops may be smaller than the picture. With the corners aligned, the enlargement of a crop is not that of the whole.
    fn crops(&self) -> bool {
        self.enlarged.is_some_and(|(filter, _)| filter != Filter::BilinearAlignCorners)
    }

    /// Checks that crops of these sizes can be cut and are sizes that the U-Net takes.
    ///
    /// # Errors
    /// [`TrainError::Setting`] that says which are.
    pub fn check_crops(&self, crops: &[usize], unet: &UNetConfig) -> Result<(), TrainError> {
        let step = Architecture::new(unet)?.granularity() * unet.patch_size;
        let unit = if step.is_multiple_of(self.grid()) { step } else { step * self.grid() };
        let whole = |crop: &&usize| **crop == self.image_size;
        let largest = crops.iter().copied().max().unwrap_or(self.image_size);
        if let Some(crop) = crops.iter().filter(|crop| !whole(crop)).find(|_| !self.crops()) {
            let reason = format!("{crop}: this stage is trained on whole pictures of {0}×{0}", self.image_size);
            return Err(TrainError::setting("crops", reason));
        }
        let fits = |crop: usize| crop > 0 && crop <= self.image_size && crop.is_multiple_of(unit);
        match crops.iter().find(|&&crop| !fits(crop) || !largest.is_multiple_of(crop)) {
            Some(crop) => {
                let most = self.image_size;
                let reason =
                    format!("{crop} is no multiple of {unit} up to {most}, of which the largest is a multiple");
                Err(TrainError::setting("crops", reason))
            }
            None => Ok(()),
        }
    }

    /// Crops begin at multiples of so many pixels.
    pub(super) fn grid(&self) -> usize {
        self.enlarged.map_or(1, |(_, factor)| factor)
    }

    /// What is diffused of a square of the picture, and the enlarged low-resolution picture there; planar
    /// `[3, size, size]`. `at` and `size` are multiples of the enlargement.
    ///
    /// # Errors
    /// [`TrainError::Image`] where they are not.
    pub fn cut(
        &self,
        picture: &[f32],
        at: [usize; 2],
        size: usize,
    ) -> Result<(Vec<f32>, Option<Vec<f32>>), TrainError> {
        let whole = crop::square(picture, self.image_size, at, size);
        let Some((filter, factor)) = self.enlarged else { return Ok((whole, None)) };
        let low = self.enlarge(picture, at, size, filter, factor)?;
        let clean = match self.residual {
            Some(scale) => whole.iter().zip(&low).map(|(high, low)| (high - low) / scale).collect(),
            None => whole,
        };
        Ok((clean, Some(low)))
    }

    fn enlarge(
        &self,
        picture: &[f32],
        at: [usize; 2],
        size: usize,
        filter: Filter,
        factor: usize,
    ) -> Result<Vec<f32>, TrainError> {
        let low_size = self.image_size / factor;
        // The margin ends at the picture's border, where the filter repeats the last pixel by itself.
        let [(top, height), (left, width)] = at.map(|from| {
            let first = (from / factor).saturating_sub(MARGIN);
            let end = (from / factor + size / factor + MARGIN).min(low_size);
            (first, end - first)
        });
        let high = [height, width].map(|side| side * factor);
        let region = crop::rectangle(picture, self.image_size, [top * factor, left * factor], high);
        let mut low = resample::box_downsample(&region, [3, high[0], high[1]], factor)?;
        low.iter_mut().for_each(|value| *value = eight_bits(*value));
        let large = resample::upsample(&low, [3, height, width], filter, high)?;
        let inside = [at[0] - top * factor, at[1] - left * factor];
        let planes = large.chunks_exact(high[0] * high[1]);
        let rows = planes.flat_map(|plane| plane.chunks_exact(high[1]).skip(inside[0]).take(size));
        Ok(rows.flat_map(|row| &row[inside[1]..inside[1] + size]).copied().collect())
    }
}

/// The nearest of the 256 values of a byte.
fn eight_bits(value: f32) -> f32 {
    ((value.clamp(-1.0, 1.0) + 1.0) * 127.5).round_ties_even() / 127.5 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cascade::Manifest;

    fn stage(index: usize) -> StageManifest {
        let manifest = include_bytes!("../../tests/browser/tiny/imagen.json");
        Manifest::from_json(manifest).unwrap().stages.swap_remove(index)
    }

    fn refused(stage: &StageManifest) -> String {
        StageTask::new(stage, Some(16)).unwrap_err().to_string()
    }

    #[test]
    fn what_would_be_learnt_otherwise_than_it_is_sampled_is_refused() {
        let (mut base, mut second) = (stage(0), stage(1));
        base.schedule.variance = Variance::LearnedRange;
        assert!(refused(&base).contains("3 output channels instead of 6"));
        base = stage(0);
        base.schedule.kind = ScheduleKind::CosineLogSnr;
        assert!(refused(&base).contains("continuous time"));
        second.conditioning.as_mut().unwrap().aug_schedule = Some(ScheduleKind::LinearLogSnr);
        assert!(refused(&second).contains("continuous time"));
    }

    #[test]
    fn the_small_picture_has_its_own_schedule() {
        let mut second = stage(1);
        let same = StageTask::new(&second, Some(16)).unwrap();
        assert_eq!(same.augmentation.alphas_cumprod(), same.schedule.alphas_cumprod());
        second.conditioning.as_mut().unwrap().aug_schedule = Some(ScheduleKind::Linear);
        let other = StageTask::new(&second, Some(16)).unwrap();
        assert_eq!(other.schedule.alphas_cumprod(), same.schedule.alphas_cumprod());
        let linear = ScheduleConfig { kind: ScheduleKind::Linear, ..second.schedule };
        assert_eq!(other.augmentation.alphas_cumprod(), Schedule::new(&linear).unwrap().alphas_cumprod());
    }
}
