//! `imagen dataset`.

use super::args::{Dataset, DatasetKind, GrammarTokenizer, Storybook};
use super::exit::{Exit, Failure};
use super::interrupt;
use super::save::write_file;
use crate::dataset::{self, Scene, TokenizerError};
use crate::dataset::{DatasetError, Form, Kind, Order, Pairs, contact_sheet, vacant, write};
use crate::image::png;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::ops::ControlFlow;
use std::path::Path;

impl From<DatasetError> for Failure {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::Cancelled { .. } => Self { exit: Exit::Cancelled, message: error.to_string() },
            DatasetError::Size(_) | DatasetError::Count(_) => Self::usage(error),
            _ => Self::new(error),
        }
    }
}

pub(super) fn run(options: &Dataset, json: bool) -> Result<(), Failure> {
    match &options.kind {
        DatasetKind::Storybook(options) => storybook(options, json),
        DatasetKind::Tokenizer(options) => tokenizer(options, json),
    }
}

fn tokenizer(options: &GrammarTokenizer, json: bool) -> Result<(), Failure> {
    let made = match &options.captions {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
            dataset::tokenizer(text.lines(), options.size)
        }
        None => {
            let captions = (0..dataset::CAPTIONS).map(|index| Scene::new(0, index, Pairs::Usual).caption);
            dataset::tokenizer(captions, options.size)
        }
    };
    let tokenizer = made.map_err(|error| match error {
        TokenizerError::Size { .. } => Failure::usage(error),
        _ => Failure::new(error),
    })?;
    let path = &options.output;
    write_file(path, tokenizer.as_bytes())
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    if json {
        println!("{}", json!({"event": "result", "path": path}));
    } else {
        println!("{}", path.display());
    }
    Ok(())
}

fn storybook(options: &Storybook, json: bool) -> Result<(), Failure> {
    if let Some(threads) = options.threads {
        // Fails only if the pool runs already; nothing has used it yet.
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global().map_err(Failure::new)?;
    }
    interrupt::listen()?;
    let pairs = match options.novel {
        Some(kind) => Pairs::Of(kind),
        None if options.held_out => Pairs::HeldOut,
        None => Pairs::Usual,
    };
    let order = Order { seed: options.seed, count: options.count, size: options.size, pairs };
    let form = if options.tar { Form::Shards { pictures: options.shard_size } } else { Form::Folder };
    vacant(&options.output)?;
    if let Some(path) = &options.contact_sheet {
        sheet(&order, path)?;
    }
    let bar = bar(options.count, json);
    let made = write(&order, &options.output, form, |written| {
        bar.set_position(written);
        if json {
            println!("{}", json!({"event": "pictures", "written": written, "count": order.count}));
        }
        if interrupt::interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    made?;
    if json {
        println!("{}", json!({"event": "result", "path": options.output, "pictures": order.count}));
    } else {
        println!("{}", options.output.display());
    }
    Ok(())
}

/// A kind that ordinary scenes do not show.
pub(super) fn novel(name: &str) -> Result<Kind, String> {
    let called = |kind: &Kind| kind.names()[0];
    let names = || Kind::NOVEL.iter().map(called).collect::<Vec<_>>().join(", ");
    Kind::NOVEL.into_iter().find(|kind| called(kind) == name).ok_or_else(|| format!("choose of {}", names()))
}

fn sheet(order: &Order, path: &Path) -> Result<(), Failure> {
    let bytes = png::write_plain(&contact_sheet(order)?).map_err(Failure::new)?;
    std::fs::write(path, bytes).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

fn bar(count: u64, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    // The template is a constant; a mistake in it would only make the bar plain.
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} pictures, {per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(count), ProgressDrawTarget::stderr())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
