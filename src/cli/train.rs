//! `imagen train` and `imagen train export`.

use super::exit::Failure;
use super::interrupt;
use super::train_settings::Settings;
use crate::cascade::Manifest;
use crate::convert::Mixture;
use crate::train::{self, Ended, Event, TrainError, Watcher};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

/// Trains one stage of a cascade on pictures with captions.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "EXAMPLES:
  imagen train --data pictures --stage 64 --output run --steps 2000 --rate 1e-4
  imagen train --config run.toml --rate 5e-5
  imagen train export run -o models/mine --quantize q8_0

A run that was stopped or killed goes on from its last checkpoint when it is started again. docs/training.md has a
walk-through and says what each setting does.")]
pub struct Train {
    #[command(subcommand)]
    command: Option<TrainCommand>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum TrainCommand {
    /// Make a model of a run's checkpoint: the averaged weights, beside the other parts of the model that it began from.
    Export(Export),
}

#[derive(Debug, Args)]
struct Export {
    /// The run's folder, or a checkpoint.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Format of the trained networks' large weights, as in `imagen convert`.
    #[arg(long, default_value = "f16", value_name = "FORMAT")]
    quantize: Mixture,
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Setting { .. } | TrainError::Settings { .. } => Self::usage(error),
            _ => Self::new(error),
        }
    }
}

pub(super) fn run(options: &Train, json: bool) -> Result<(), Failure> {
    match &options.command {
        Some(TrainCommand::Export(options)) => export(options, json),
        None => begin(&options.settings, |_, _| Ok(Settings::default()), json),
    }
}

fn export(options: &Export, json: bool) -> Result<(), Failure> {
    let checkpoint = match options.run.is_dir() {
        true => options.run.join(train::CHECKPOINT),
        false => options.run.clone(),
    };
    let manifest = train::export(&checkpoint, &options.output, options.quantize)?;
    if json {
        println!("{}", json!({"event": "result", "path": options.output, "bytes": manifest.total_bytes()}));
    } else {
        println!("{}", options.output.display());
    }
    Ok(())
}

/// Runs a training with these settings, and those of `preset` where nothing is said.
pub(super) fn begin(
    settings: &Settings,
    preset: impl FnOnce(&Settings, &Manifest) -> Result<Settings, TrainError>,
    json: bool,
) -> Result<(), Failure> {
    let (options, threads) = settings.resolve(preset)?;
    if let Some(threads) = threads {
        // Fails only if the pool runs already; nothing has used it yet.
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(Failure::new)?;
    }
    interrupt::listen()?;
    let mut report = Report { json, leads: false, bar: ProgressBar::hidden() };
    let ended = train::run(&options, &mut report);
    report.bar.finish_and_clear();
    let ended = ended?;
    let file = if options.lora.is_some() { train::ADAPTER } else { train::CHECKPOINT };
    match json {
        // Of several processes, one tells.
        _ if !report.leads => {}
        true => println!("{}", json!({"event": "result", "path": options.out, "finished": ended == Ended::Finished})),
        false => println!("{}", options.out.join(file).display()),
    }
    match ended {
        Ended::Finished => Ok(()),
        Ended::Stopped => Err(Failure::cancelled("stopped; the same command goes on from the checkpoint")),
    }
}

/// A bar, or one JSON object per event.
struct Report {
    json: bool,
    /// Whether this is the process of the run that tells how it goes on.
    leads: bool,
    bar: ProgressBar,
}

impl Watcher for Report {
    fn event(&mut self, event: &Event) {
        self.leads |= matches!(event, Event::Started { .. });
        if self.json {
            println!("{}", as_json(event));
            return;
        }
        match event {
            Event::Note(message) => self.bar.suspend(|| eprintln!("Note: {message}")),
            Event::Started { step, updates, pictures, parameters } => {
                eprintln!("{:.1} M parameters, {pictures} pictures", *parameters as f64 / 1e6);
                if *step > 0 {
                    eprintln!("Going on after step {step}");
                }
                let style = ProgressStyle::with_template("{pos:>7} of {len} {bar:30} {eta} left  {msg}");
                self.bar = ProgressBar::with_draw_target(Some(*updates), ProgressDrawTarget::stderr())
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                    .with_position(*step);
                self.bar.reset_eta();
            }
            Event::Step { step, report, mean_loss, examples_per_second } => {
                let (rate, norm) = (report.rate, report.norm);
                self.bar.set_message(format!(
                    "loss {mean_loss:.4}, rate {rate:.2e}, gradient {norm:.2}, {examples_per_second:.2} pictures/s"
                ));
                self.bar.set_position(*step);
            }
            Event::Checkpoint { .. } | Event::Adapter { .. } => {}
            Event::Prior { made, pictures } => eprintln!("{made} of {pictures} samples of the model itself are made"),
            Event::Sheet { path } => self.bar.suspend(|| eprintln!("{}", path.display())),
        }
    }

    fn stopped(&self) -> bool {
        interrupt::interrupted()
    }
}

fn as_json(event: &Event) -> serde_json::Value {
    match event {
        Event::Note(message) => json!({"event": "notice", "message": message}),
        Event::Started { step, updates, pictures, parameters } => json!({
            "event": "started", "step": step, "steps": updates, "pictures": pictures, "parameters": parameters,
        }),
        Event::Step { step, report, examples_per_second, .. } => json!({
            "event": "step", "step": step, "loss": report.loss, "rate": report.rate, "gradient_norm": report.norm,
            "examples_per_second": examples_per_second,
        }),
        Event::Checkpoint { step, path } => json!({"event": "checkpoint", "step": step, "path": path}),
        Event::Sheet { path } => json!({"event": "sheet", "path": path}),
        Event::Adapter { path } => json!({"event": "adapter", "path": path}),
        Event::Prior { made, pictures } => json!({"event": "prior", "made": made, "pictures": pictures}),
    }
}
