//! What a person or a script sees of a running generation: a bar per stage, or one JSON object per event.

use super::interrupt;
use super::save::Saver;
use crate::cascade::{Event, Observer};
use async_trait::async_trait;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Instant;

/// Shows events, hands finished stages to the saver, and cancels on Ctrl-C.
pub(super) struct Progress<'a> {
    json: bool,
    saver: Option<Saver<'a>>,
    bar: ProgressBar,
    begun: Instant,
    /// Start of the stage that runs.
    started: Instant,
    /// Seconds of each finished stage, by image size.
    pub seconds: BTreeMap<u32, f64>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(json: bool, saver: Option<Saver<'a>>) -> Self {
        let now = Instant::now();
        Self { json, saver, bar: ProgressBar::hidden(), begun: now, started: now, seconds: BTreeMap::new() }
    }

    /// What was saved; ends the bars.
    pub(super) fn finish(self) -> Option<Saver<'a>> {
        self.bar.finish_and_clear();
        self.saver
    }

    fn bar(&mut self, length: u64, prefix: String, template: &str) {
        self.bar.finish();
        if self.json {
            return;
        }
        // The templates are constants; a mistake in one would only make the bar plain.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
            .with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
            .with_prefix(prefix);
        self.bar.tick();
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Loading { part, done, total } => {
                if self.bar.prefix() != *part {
                    self.bar(*total, part.clone(), "{prefix:>14} {bar:30} {msg}");
                }
                self.bar.set_position(*done);
                self.bar.set_message(format!("{} of {}", HumanBytes(*done), HumanBytes(*total)));
            }
            Event::Compiling { part, done, total } => {
                let prefix = format!("{part} shaders");
                if self.bar.prefix() != prefix {
                    self.bar(*total as u64, prefix, "{prefix:>14} {bar:30} {pos} of {len} pipelines");
                }
                self.bar.set_position(*done as u64);
            }
            Event::StageStarted { image_size, steps, images, .. } => {
                let all = (*steps as u64) * u64::from(*images);
                let template = "{prefix:>14} {bar:30} step {pos} of {len}, {per_sec}, {eta} left";
                self.bar(all, format!("{image_size}×{image_size}"), template);
            }
            Event::Step { image, step, steps, .. } => {
                self.bar.set_position(u64::from(*image) * *steps as u64 + *step as u64)
            }
            Event::StageFinished { .. } => self.bar.finish(),
            Event::Memory(decision) => self.say(&decision.to_string()),
            Event::Notice(notice) => self.say(&format!("Note: {notice}")),
            Event::Profile(profile) => self.say(&profile.to_string()),
            Event::Resumed { image_size, .. } => {
                self.say(&format!("The GPU was lost and rebuilt; going on with the {image_size}×{image_size} stage"));
            }
            _ => {}
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

#[async_trait(?Send)]
impl Observer for Progress<'_> {
    fn event(&mut self, event: Event) {
        if self.json {
            let mut line = serde_json::to_value(&event).unwrap_or_else(|_| json!({}));
            line["seconds"] = json!(self.begun.elapsed().as_secs_f64());
            if let Event::Notice(notice) = &event {
                line["message"] = json!(notice.to_string());
            }
            println!("{line}");
        } else {
            self.show(&event);
        }
        match event {
            Event::StageStarted { .. } => self.started = Instant::now(),
            Event::StageFinished { stage, image_size, pictures } => {
                self.seconds.insert(image_size, self.started.elapsed().as_secs_f64());
                if let Some(saver) = &mut self.saver {
                    saver.finished(stage, image_size, pictures);
                }
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::interrupted()
    }
}
