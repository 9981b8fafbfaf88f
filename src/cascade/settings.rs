//! From a request and a manifest to what each stage does: the request's settings win over the manifest's.

use super::CascadeError;
use super::manifest::{Conditioning, Manifest, StageManifest, Target};
use super::request::Request;
use super::stage::Rules;
use crate::diffusion::{Sampler, Schedule, ScheduleConfig, Step, Steps};
use crate::image::resample::Filter;

/// Everything that one stage does in one run, apart from the text.
#[derive(Clone, Debug)]
pub(super) struct StageSettings {
    /// Index in the manifest.
    pub index: usize,
    pub name: String,
    pub size: u32,
    pub sampler: Sampler,
    /// The steps as they were asked for.
    pub asked: Steps,
    pub steps: Vec<Step>,
    pub rules: Rules,
    pub target: Target,
    /// Values per token of the text that its network takes.
    pub text_channels: Option<usize>,
    /// Guidance steers away from what the network learnt in place of a text.
    pub learnt_null_text: bool,
    pub low: Option<LowSettings>,
}

/// How a stage sees the picture of the stage before.
#[derive(Clone, Debug)]
pub(super) struct LowSettings {
    pub filter: Filter,
    /// Noise level, a timestep of the schedule.
    pub level: u32,
    pub schedule: Schedule,
}

impl StageSettings {
    /// The network runs two rows, with and without the prompt.
    pub(super) fn guided(&self) -> bool {
        self.rules.guidance != 1.0
    }
}

/// The stages of a run in order.
///
/// # Errors
/// [`CascadeError::Request`] for the first setting out of range.
pub(super) fn resolve(request: &Request, manifest: &Manifest) -> Result<Vec<StageSettings>, CascadeError> {
    request.check(manifest)?;
    let last = request.stop_at_stage.unwrap_or(manifest.stages.len());
    let stages = manifest.stages.iter().enumerate().take(last).skip(request.start_at_stage - 1);
    stages.map(|(index, stage)| resolve_stage(request, index, stage)).collect()
}

fn resolve_stage(request: &Request, index: usize, stage: &StageManifest) -> Result<StageSettings, CascadeError> {
    let (size, defaults) = (stage.image_size, &stage.defaults);
    let sampler = request.sampler.get(&size).copied().unwrap_or(defaults.sampler);
    let asked = request.steps.get(&size).copied().unwrap_or(defaults.steps.into());
    let schedule = Schedule::new(&stage.schedule)?;
    let steps = sampler.steps(&schedule, asked)?;
    // Without a prompt there is nothing to guide towards: conditional and unconditional predictions are the same.
    let guidance = match request.unconditional {
        true => 1.0,
        false => request.guidance.get(&size).copied().unwrap_or(defaults.guidance),
    };
    let rules = Rules {
        prediction: stage.schedule.prediction,
        thresholding: request.thresholding.get(&size).copied().unwrap_or(defaults.thresholding),
        guidance,
        orthogonal: stage.defaults.orthogonal_guidance,
    };
    let low = match stage.conditioning {
        None => None,
        Some(Conditioning { upsample: filter, aug_level, aug_schedule, .. }) => {
            let level = request.aug_level.get(&size).copied().unwrap_or(aug_level);
            let schedule = match aug_schedule {
                Some(kind) => Schedule::new(&ScheduleConfig { kind, ..stage.schedule.clone() })?,
                None => schedule,
            };
            Some(LowSettings { filter, level, schedule })
        }
    };
    let (name, text_channels) = (stage.name.clone(), stage.unet.text_channels());
    let (target, learnt_null_text) = (stage.target, stage.unet.learnt_null_text());
    Ok(StageSettings { index, name, size, sampler, asked, steps, rules, target, text_channels, learnt_null_text, low })
}
