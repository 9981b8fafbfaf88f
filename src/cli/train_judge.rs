//! `imagen evaluate train-judge`.

use super::evaluate::{bar, threads};
use super::evaluate_report;
use super::exit::Failure;
use super::interrupt;
use crate::dataset::Kind;
use crate::evaluate::{Lesson, Progress, train};
use clap::Args;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct TrainJudge {
    /// The safetensors file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Seed of the scenes and of the first weights.
    #[arg(short, long, default_value_t = 0, value_name = "K")]
    seed: u64,
    /// Updates, of 32 renders each: the same number gives the same judge.
    #[arg(long, default_value_t = 1500, value_name = "N")]
    steps: u64,
    /// As many updates as fit into this time, instead; what they come to depends on the machine.
    #[arg(long, value_name = "N", conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Also know this kind of thing, which ordinary scenes never show: windmill.
    #[arg(long, value_name = "KIND", value_parser = super::dataset::novel)]
    novel: Option<Kind>,
    /// Renders that its own accuracy is measured on, of ordinary pairs, held-out ones and the novel kind each.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    tried: u64,
    /// CPU threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

pub(super) fn run(options: &TrainJudge, json: bool) -> Result<(), Failure> {
    threads(options.threads)?;
    interrupt::listen()?;
    let folder = options.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Failure::new(format!("the output's folder {} does not exist", folder.display())));
    }
    let TrainJudge { seed, steps, minutes, tried, novel, .. } = *options;
    let lesson = Lesson { seed, steps, minutes, tried, novel };
    let bar = bar(1000, "{bar:30} {percent} %, {eta} left  {msg}", json);
    let judge = train(&lesson, &mut |&Progress { step, share, loss, pictures_per_second }| {
        bar.set_position((share * 1000.0) as u64);
        bar.set_message(format!("loss {loss:.3}, {pictures_per_second:.0} pictures/s"));
        if json {
            println!("{}", json!({"event": "step", "step": step, "share": share, "loss": loss}));
        }
        if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    let judge = judge?.ok_or_else(|| Failure::cancelled("stopped; there is no judge yet"))?;
    judge.save(&options.output)?;
    evaluate_report::tell_judge(&judge, &options.output, json);
    Ok(())
}
