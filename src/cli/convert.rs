//! `imagen convert`.

use super::args::Convert;
use super::exit::Failure;
use crate::convert::{self, Progress};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

pub(super) fn run(options: &Convert, json: bool) -> Result<(), Failure> {
    let mut report = Report { json, bar: ProgressBar::hidden() };
    let sources: Vec<_> = options.sources.iter().chain(&options.text_encoder).collect();
    convert::convert_with(&sources, options.config.as_deref(), &options.output, &options.quantize, &mut |progress| {
        report.show(progress);
    })
    .map_err(Failure::new)?;
    report.bar.finish_and_clear();
    if json {
        println!("{}", json!({"event": "result", "path": options.output}));
    } else {
        println!("{}", options.output.display());
    }
    Ok(())
}

/// A bar per file, or one JSON object per finished file.
struct Report {
    json: bool,
    bar: ProgressBar,
}

impl Report {
    fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Tensor { .. } if self.json => {}
            Progress::Tensor { file, tensor, done, total } => {
                if self.bar.prefix() != file {
                    self.start(file, total);
                }
                self.bar.set_message(tensor.to_owned());
                self.bar.set_position(done);
            }
            Progress::File { file, size } if self.json => {
                println!("{}", json!({"event": "file", "file": file, "bytes": size}))
            }
            Progress::File { file, size } => {
                self.bar.finish_and_clear();
                eprintln!("{file}: {}", HumanBytes(size));
            }
            Progress::Note(message) if self.json => println!("{}", json!({"event": "notice", "message": message})),
            Progress::Note(message) => self.bar.suspend(|| eprintln!("Note: {message}")),
        }
    }

    fn start(&mut self, file: &str, total: u64) {
        let style = ProgressStyle::with_template("{prefix:>20} {bar:30} {bytes} of {total_bytes}, {eta} left  {msg}");
        self.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(file.to_owned());
    }
}
