//! The loop of one stage: every picture from its noise through all steps, with events and cancellation in between.

use super::CascadeError;
use super::events::{Event, Observer};
use super::pictures::{Lifted, LowPicture, assemble, to_picture, values};
use super::request::Request;
use super::settings::StageSettings;
use super::stage::{LowResolution, Prompt, StageRunner};
use crate::diffusion::NoiseScale;
use crate::diffusion::noise::Draw;
use web_time::Instant;

/// One stage of one request.
pub(super) struct Job<'a> {
    pub request: &'a Request,
    pub stage: &'a StageSettings,
    pub prompt: Prompt<'a>,
    /// The pictures of the stage before: none, one for all, or one each.
    pub low: &'a [LowPicture],
}

/// All pictures of the stage, planar in [-1, 1].
pub(super) async fn run(
    runner: &mut dyn StageRunner,
    job: &Job<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<f32>>, CascadeError> {
    let (stage, images) = (job.stage, job.request.count);
    let steps = stage.steps.len();
    observer.event(Event::StageStarted { stage: stage.index, image_size: stage.size, steps, images });
    runner.prompt(job.prompt, stage.rules).await?;
    let mut pictures = Vec::new();
    for image in 0..images {
        pictures.push(picture(runner, job, image, observer).await?);
    }
    Ok(pictures)
}

/// One picture. Pictures run one after another, so that each is the same whatever the count is.
async fn picture(
    runner: &mut dyn StageRunner,
    job: &Job<'_>,
    image: u32,
    observer: &mut dyn Observer,
) -> Result<Vec<f32>, CascadeError> {
    let (request, stage) = (job.request, job.stage);
    let low = job.low.get(image as usize).or(job.low.first());
    let lifted = Lifted::new(stage, low, &request.noise, request.seed, image)?;
    let mut noise = vec![0.0; values(stage.size)];
    request.noise.draw(request.seed, stage.index, Draw::Initial, image, &mut noise);
    let seen = lifted.as_ref().map(|lifted| LowResolution { picture: lifted.seen(), level: lifted.level });
    runner.begin(&noise, seen).await?;
    let steps = stage.steps.len();
    for (index, step) in stage.steps.iter().enumerate() {
        observer.pause().await;
        if observer.cancelled() {
            return Err(CascadeError::Cancelled);
        }
        if let Some(profiler) = runner.profiler() {
            profiler.begin(Instant::now());
        }
        let drawn = match step.noise {
            NoiseScale::None => None,
            NoiseScale::Fixed(_) | NoiseScale::Learned { .. } => {
                request.noise.draw(request.seed, stage.index, Draw::Step(index as u32), image, &mut noise);
                Some(noise.as_slice())
            }
        };
        runner.step(step, drawn).await?;
        let done = index + 1;
        let preview = match request.preview_every {
            Some(every) if done < steps && done % every as usize == 0 => {
                let sample = runner.denoised().await?;
                Some(to_picture(stage.size, &assemble(stage.target, &sample, lifted.as_ref()))?)
            }
            _ => None,
        };
        observer.event(Event::Step {
            stage: stage.index,
            image_size: stage.size,
            image,
            images: request.count,
            step: done,
            steps,
            preview,
        });
    }
    let sample = runner.sample().await?;
    Ok(assemble(stage.target, &sample, lifted.as_ref()))
}
