//! `imagen evaluate` and `imagen evaluate train-judge`.

use super::args::{Sampling, Setup};
use super::evaluate_report::Judgement;
use super::exit::Failure;
use super::model::{self, Opened};
use super::train_judge::{self, TrainJudge};
use super::{interrupt, lora, per_stage};
use crate::cascade::manifest::MANIFEST_FILE;
use crate::cascade::{CascadeError, Event, Manifest, Observer, Request};
use crate::dataset::{Kind, Told};
use crate::evaluate::{Composition, EvaluateError, Judge, Samples};
use crate::train::data;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pollster::block_on;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Scores how well a model's pictures show what storybook captions say.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "EXAMPLES:
  imagen evaluate train-judge -o judge.safetensors
  imagen evaluate --judge judge.safetensors --prompts 200 -o evaluation --sheet sheet.html
  imagen evaluate --judge judge.safetensors --held-out --stage 256 -o held-out
  imagen evaluate --judge judge.safetensors --pictures samples

What was made stays in the folder of --output: the same command goes on there. docs/evaluation.md says what is scored.")]
pub struct Evaluate {
    #[command(subcommand)]
    command: Option<EvaluateCommand>,
    #[command(flatten)]
    setup: Setup,
    /// The judge, a file made by `imagen evaluate train-judge`.
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// How many captions to draw.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    prompts: u64,
    /// Seed of the captions and of all noise.
    #[arg(short, long, default_value_t = 0, value_name = "K")]
    seed: u64,
    /// Draw captions of the pairs of kind and colour that data for training lack.
    #[arg(long)]
    held_out: bool,
    /// Draw captions of a kind of thing that ordinary scenes never show: windmill.
    #[arg(long, value_name = "KIND", conflicts_with = "held_out", value_parser = super::dataset::novel)]
    novel: Option<Kind>,
    /// The last stage that runs, by its image size, 64 pixels at the least [default: the first such stage].
    #[arg(long, value_name = "SIZE")]
    stage: Option<u32>,
    #[command(flatten)]
    sampling: Sampling,
    /// Folder for the pictures and their captions, which may be new.
    #[arg(short, long, value_name = "DIR", conflicts_with = "pictures")]
    output: Option<PathBuf>,
    /// Judge these pictures instead: a folder with NAME.txt or metadata.jsonl, or WebDataset shards.
    #[arg(long, value_name = "PATH")]
    pictures: Option<PathBuf>,
    /// Also write a page with every picture and what the judge read in it.
    #[arg(long, value_name = "FILE.html")]
    sheet: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum EvaluateCommand {
    /// Train a judge on renders of `imagen dataset storybook`, made while it learns. Takes some minutes.
    TrainJudge(TrainJudge),
}

impl From<EvaluateError> for Failure {
    fn from(error: EvaluateError) -> Self {
        match error {
            EvaluateError::Setting { .. } => Self::usage(error),
            EvaluateError::Cascade(error) => error.into(),
            EvaluateError::Train(error) => error.into(),
            EvaluateError::Dataset(error) => error.into(),
            _ => Self::new(error),
        }
    }
}

pub(super) fn run(options: &Evaluate, json: bool) -> Result<(), Failure> {
    match &options.command {
        Some(EvaluateCommand::TrainJudge(options)) => train_judge::run(options, json),
        None => evaluate(options, json),
    }
}

impl Evaluate {
    fn composition(&self) -> Composition {
        match self.novel {
            Some(kind) => Composition::Of(kind),
            None if self.held_out => Composition::HeldOut,
            None => Composition::Ordinary,
        }
    }
}

fn evaluate(options: &Evaluate, json: bool) -> Result<(), Failure> {
    let judge = options.judge.as_deref().ok_or_else(|| {
        Failure::usage("no judge; give one with --judge FILE, made by `imagen evaluate train-judge -o FILE`")
    })?;
    let judge = Judge::load(judge)?;
    let (folder, stopped) = match (&options.pictures, &options.output) {
        (Some(path), _) => {
            threads(options.setup.threads)?;
            (path, false)
        }
        (None, Some(output)) => {
            // Found out now rather than after minutes of sampling.
            if let Ok(told) = Told::read(&options.composition().caption(options.seed, 0)) {
                judge.about.knows(&told).map_err(Failure::usage)?;
            }
            (output, draw(options, output, json)?)
        }
        (None, None) => {
            return Err(Failure::usage("where to? give a folder for the pictures with --output, or judge --pictures"));
        }
    };
    let judgement = judge_folder(&judge, folder)?;
    let count = judgement.pictures()?;
    judgement.tell(&judge, json);
    if let Some(path) = &options.sheet {
        judgement.sheet(path)?;
    }
    match stopped {
        true => Err(Failure::cancelled(format!(
            "stopped after {count} of {} pictures; the same command goes on",
            options.prompts
        ))),
        false => Ok(()),
    }
}

/// Judges the captioned pictures that lie there.
fn judge_folder(judge: &Judge, path: &Path) -> Result<Judgement, Failure> {
    let dataset = data::open(path)?;
    dataset.notes().iter().for_each(|note| eprintln!("Note: {note}"));
    let read = |index| match dataset.read(index) {
        Ok(record) => Ok((record.caption, record.picture)),
        Err(reason) => Err(format!("{}: {reason}", dataset.name(index))),
    };
    Ok(Judgement::new(judge, (0..dataset.len()).map(read)))
}

/// Makes what is missing in the folder; true where it was stopped.
fn draw(options: &Evaluate, output: &Path, json: bool) -> Result<bool, Failure> {
    let path = model::find(options.setup.model.as_deref())?;
    let bytes = std::fs::read(path.join(MANIFEST_FILE)).map_err(Failure::new)?;
    let manifest = Manifest::from_json(&bytes)?;
    let request = request(options, &manifest)?;
    let adapters = options.sampling.lora.iter().map(lora::LoraOption::identity).collect::<Result<Vec<_>, _>>();
    let adapters = adapters.map_err(|error| Failure::new(format!("cannot read the adapter: {error}")))?;
    // The manifest holds the hashes of all weights.
    let model = json!({"name": manifest.name, "manifest": hex::encode(Sha256::digest(&bytes)), "adapters": adapters});
    let composition = options.composition();
    let samples = Samples::open(output, model, request, (composition, options.seed, options.prompts))?;
    let Opened { mut cascade, .. } = model::open(&options.setup, json)?;
    lora::apply(&mut cascade, &options.sampling.lora)?;
    let bar = bar(options.prompts, "{bar:30} {pos} of {len} pictures, {eta} left  {msg}", json);
    let mut count = 0;
    let drawn = block_on(samples.draw(&mut cascade, &mut Watch { bar: &bar }, |made| {
        count = made;
        bar.set_position(made);
        if json {
            println!("{}", json!({"event": "picture", "made": made, "count": options.prompts}));
        }
    }));
    bar.finish_and_clear();
    match drawn {
        Ok(()) => Ok(false),
        Err(EvaluateError::Cascade(CascadeError::Cancelled)) if count > 0 => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A request for one picture up to the stage, with the sampling's settings.
fn request(options: &Evaluate, manifest: &Manifest) -> Result<Request, Failure> {
    let least = crate::evaluate::SIZE as u32;
    let size = match options.stage {
        Some(size) if size < least => {
            return Err(Failure::usage(format!("--stage {size}: a judge needs {least}×{least} pixels")));
        }
        Some(size) => size,
        None => {
            let fitting = manifest.stages.iter().map(|stage| stage.image_size).find(|size| *size >= least);
            fitting.ok_or_else(|| Failure::usage(format!("no stage of the model makes {least}×{least} pixels")))?
        }
    };
    let mut request = Request {
        adapters: options.sampling.lora.iter().map(ToString::to_string).collect(),
        ..Request::new("a picture")
    };
    per_stage::apply(&mut request, manifest, &options.sampling);
    request.stop_at_stage = Some(per_stage::stage_number("stage", manifest, size)?);
    request.check(manifest)?;
    request.prompt.clear();
    Ok(request)
}

/// Shows the steps of the picture that is being made, and stops at Ctrl-C.
struct Watch<'a> {
    bar: &'a ProgressBar,
}

#[async_trait::async_trait(?Send)]
impl Observer for Watch<'_> {
    fn event(&mut self, event: Event) {
        match event {
            Event::Loading { part, .. } => self.bar.set_message(format!("loading {part}")),
            Event::Step { image_size, step, steps, .. } => {
                self.bar.set_message(format!("{image_size}×{image_size}: step {step} of {steps}"));
            }
            Event::Notice(notice) => self.bar.suspend(|| eprintln!("Note: {notice}")),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::interrupted()
    }
}

/// A bar on stderr.
pub(super) fn bar(length: u64, template: &str, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    // The templates are constants; a mistake in one would only make the bar plain.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
}

/// Sets the number of threads, for commands that open no model.
pub(super) fn threads(threads: Option<u16>) -> Result<(), Failure> {
    match threads {
        // Fails only if the pool runs already; nothing has used it yet.
        Some(threads) => {
            rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(Failure::new)
        }
        None => Ok(()),
    }
}
