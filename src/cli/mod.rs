//! The commands of `imagen`: thin shells around [`cascade`](crate::cascade), [`convert`](crate::convert) and
//! [`dataset`](crate::dataset).

mod args;
mod batch;
mod convert;
mod dataset;
mod encode;
#[cfg(feature = "train")]
mod evaluate;
#[cfg(feature = "train")]
mod evaluate_report;
mod exit;
#[cfg(feature = "train")]
mod finetune;
mod generate;
mod inspect;
mod inspect_model;
mod interrupt;
mod lora;
mod model;
mod per_stage;
mod progress;
mod save;
#[cfg(feature = "train")]
mod setting;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
mod train_judge;
#[cfg(feature = "train")]
mod train_settings;
mod tune;
#[cfg(feature = "train")]
mod tuning;

pub use args::{Arguments, Command};
pub use exit::{Exit, Failure};

/// Runs one command and tells how the process should end. Everything for people goes to stderr, results to stdout.
pub fn run(arguments: Arguments) -> Exit {
    let json = arguments.json;
    let result = match arguments.command {
        Command::Generate(command) => generate::run(&command, json),
        Command::Encode(command) => encode::run(&command, json),
        Command::Convert(command) => convert::run(&command, json),
        Command::Dataset(command) => dataset::run(&command, json),
        #[cfg(feature = "train")]
        Command::Evaluate(command) => evaluate::run(&command, json),
        Command::Inspect(command) => inspect::run(&command, json),
        #[cfg(feature = "train")]
        Command::Finetune(command) => finetune::run(&command, json),
        #[cfg(feature = "train")]
        Command::Train(command) => train::run(&command, json),
        Command::Tune(command) => tune::run(&command, json),
    };
    exit::report(result, json)
}
