//! How a judge is trained: on fresh renders only, so that there is nothing to learn by heart, and then tried on others.

use super::example::{Example, truth};
use super::network::{Network, SIZE, batch};
use super::score::{Section, Tally, mark};
use super::{EvaluateError, Judge};
use crate::dataset::{Kind, Pairs, Scene, Told, render};
use crate::train::{Decay, Optimizer, OptimizerOptions, Rate, parameters};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::time::Instant;

/// Pictures of an update.
const BATCH: u64 = 32;
const RATE: Rate = Rate { peak: 2e-3, last: 2e-5, warm_up: 0, decay: Decay::Cosine, updates: 100_000 };
/// Updates until the full rate.
const WARM_UP: f64 = 50.0;
/// Updates of the moving average.
const AVERAGE: f64 = 0.99;
/// What a judge is to learn, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lesson {
    /// Scenes, softening and first weights follow from it.
    pub seed: u64,
    /// Updates; the same number gives the same judge.
    pub steps: u64,
    /// As many updates as there is time for, instead: which those are depends on the machine.
    pub minutes: Option<f64>,
    /// Renders of each [`Section`] that its own accuracy is measured on.
    pub tried: u64,
    /// A kind of [`Kind::NOVEL`] that it is to know too.
    pub novel: Option<Kind>,
}

/// Where the training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    pub step: u64,
    /// Of the whole training, 0 to 1.
    pub share: f64,
    pub loss: f64,
    pub pictures_per_second: f64,
}

/// Trains a judge. `watch` hears of every update, and may stop it: then there is none.
///
/// # Errors
/// [`EvaluateError::Setting`] for no time at all, [`EvaluateError::Diverged`] where the loss is no number.
pub fn train(
    lesson: &Lesson,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<Judge>, EvaluateError> {
    if lesson.steps == 0 {
        return Err(EvaluateError::setting("steps", "0 is less than 1"));
    }
    if lesson.minutes.is_some_and(|minutes| !(minutes > 0.0 && minutes.is_finite())) {
        return Err(EvaluateError::setting("minutes", "it is not above 0"));
    }
    let kinds: Vec<Kind> = Kind::ALL.into_iter().chain(lesson.novel).collect();
    let device = Device::flex().autodiff();
    let mut network = Network::new(kinds.len(), lesson.seed, &device);
    let options = OptimizerOptions { ema: AVERAGE, ..OptimizerOptions::default() };
    let mut optimizer = Optimizer::new(options, parameters::collect(&network));
    let begun = Instant::now();
    let share = |step: u64| match lesson.minutes {
        Some(minutes) => begun.elapsed().as_secs_f64() / (60.0 * minutes),
        None => step as f64 / lesson.steps as f64,
    };
    let mut step = 0;
    loop {
        let before = share(step);
        if before >= 1.0 {
            break;
        }
        let numbers = step * BATCH..(step + 1) * BATCH;
        let examples = numbers.into_par_iter().map(|number| Example::new(lesson, number));
        let examples = examples.collect::<Result<Vec<Example>, EvaluateError>>()?;
        let truth = truth(&examples, &kinds, &device);
        let pictures = examples.into_iter().map(|example| example.picture).collect();
        let loss = network.forward(batch(pictures, &device)).loss(truth);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let loss = f64::from(loss.into_scalar::<f32>());
        if !loss.is_finite() {
            return Err(EvaluateError::Diverged { step });
        }
        let gradients = parameters::gradients(&network, gradients);
        let norm = parameters::norm(&gradients);
        let rate = RATE.at((before * RATE.updates as f64) as u64) * ((step + 1) as f64 / WARM_UP).min(1.0);
        optimizer.update(rate, gradients, norm);
        network = parameters::place(network, &optimizer.weights);
        step += 1;
        let pictures_per_second = (step * BATCH) as f64 / begun.elapsed().as_secs_f64().max(1e-9);
        if watch(&Progress { step, share: share(step).min(1.0), loss, pictures_per_second }).is_break() {
            return Ok(None);
        }
    }
    let network = parameters::place(network.valid(), &optimizer.average);
    let mut judge = Judge::new(network, kinds, lesson.seed, step);
    let novel = lesson.novel.map(|kind| (Section::Novel, Pairs::Of(kind)));
    let sections = [(Section::Ordinary, Pairs::Usual), (Section::HeldOut, Pairs::HeldOut)];
    for (section, pairs) in sections.into_iter().chain(novel) {
        judge.about.accuracy.insert(section, accuracy(&judge, lesson, pairs)?);
    }
    Ok(Some(judge))
}

/// The score of true renders, of scenes that it did not learn from.
pub(super) fn accuracy(judge: &Judge, lesson: &Lesson, pairs: Pairs) -> Result<Tally, EvaluateError> {
    let scene = |index| Scene::new(!lesson.seed, index, pairs);
    let mut tally = Tally::default();
    for first in (0..lesson.tried).step_by(BATCH as usize) {
        let scenes: Vec<Scene> = (first..(first + BATCH).min(lesson.tried)).into_par_iter().map(scene).collect();
        let pictures = scenes.par_iter().map(|scene| Ok(render(scene, SIZE as u32)?.to_planar()));
        let readings = judge.read(pictures.collect::<Result<Vec<_>, EvaluateError>>()?);
        for (scene, reading) in scenes.iter().zip(readings) {
            // The grammar reads its own captions.
            if let Ok(told) = Told::read(&scene.caption) {
                tally.add(&mark(&told, &reading));
            }
        }
    }
    Ok(tally)
}
