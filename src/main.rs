//! The `imagen` command line program.

use clap::Parser;
use imagen_web::cli::{self, Arguments};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(Arguments::parse()).into()
}
