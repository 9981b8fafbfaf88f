//! What `imagen evaluate` says: a table of scores with the judge's own beside them, or one JSON object.

use super::exit::Failure;
use super::save::write_file;
use crate::evaluate::{Attribute, Judge, Judged, Section, Share, Tally, sheet};
use image::RgbImage;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Pictures that were judged, and their scores.
pub(super) struct Judgement {
    judged: Vec<Judged>,
    sections: BTreeMap<Section, Tally>,
    /// What could not be judged, and why.
    left_out: Vec<String>,
}

impl Judgement {
    /// Has these pictures judged by their captions. What cannot be judged is left out, and named.
    pub(super) fn new(judge: &Judge, pictures: impl Iterator<Item = Result<(String, RgbImage), String>>) -> Self {
        let mut all = Self { judged: Vec::new(), sections: BTreeMap::new(), left_out: Vec::new() };
        for picture in pictures {
            let judged = picture.and_then(|(caption, picture)| {
                judge.judge(&caption, &picture).map_err(|reason| format!("{caption:?}: {reason}"))
            });
            match judged {
                Ok(judged) => {
                    all.sections.entry(judged.section).or_default().add(&judged.marks);
                    all.judged.push(judged);
                }
                Err(reason) => all.left_out.push(reason),
            }
        }
        all
    }

    /// How many were judged.
    ///
    /// # Errors
    /// Where none was, with the first reason.
    pub(super) fn pictures(&self) -> Result<usize, Failure> {
        match (self.judged.len(), self.left_out.first()) {
            (0, Some(first)) => {
                let count = self.left_out.len();
                Err(Failure::new(format!("none of the {count} pictures can be judged; the first: {first}")))
            }
            (count, _) => Ok(count),
        }
    }

    /// Says the scores.
    pub(super) fn tell(&self, judge: &Judge, json: bool) {
        if json {
            let sections = self.sections.iter().map(|(section, tally)| {
                let own = judge.about.accuracy.get(section);
                (word(section), json!({"pictures": tally.pictures(), "scores": scores(tally, own)}))
            });
            let sections: serde_json::Map<String, Value> = sections.collect();
            let result = json!({"event": "result", "sections": sections, "left_out": self.left_out});
            println!("{result}");
            return;
        }
        for note in &self.left_out {
            eprintln!("Note: left out: {note}");
        }
        for (section, tally) in &self.sections {
            println!("{} captions, {} pictures", title(*section), tally.pictures());
            println!("  {:<10} {:>8} {:>16} {:>9} {:>14}", "", "shown", "95 % interval", "of", "of renders");
            for (attribute, share) in &tally.0 {
                let own = judge.about.accuracy.get(section).and_then(|own| own.0.get(attribute));
                println!("{}", row(*attribute, *share, own.copied()));
            }
        }
    }

    /// Writes the page of all pictures.
    pub(super) fn sheet(&self, path: &Path) -> Result<(), Failure> {
        let page = sheet(&self.judged)?;
        write_file(path, page.as_bytes())
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn row(attribute: Attribute, share: Share, own: Option<Share>) -> String {
    let [low, high] = share.interval();
    let own = own.map_or_else(|| "–".to_owned(), |own| percent(own.value()));
    let interval = format!("{:.1}–{:.1} %", 100.0 * low, 100.0 * high);
    let name = word(&attribute);
    format!("  {name:<10} {:>8} {interval:>16} {:>9} {own:>14}", percent(share.value()), share.of)
}

fn scores(tally: &Tally, own: Option<&Tally>) -> Value {
    let score = |(attribute, share): (&Attribute, &Share)| {
        let own = own.and_then(|own| own.0.get(attribute)).map(|own| own.value());
        let value = json!({
            "right": share.right, "of": share.of, "share": share.value(), "interval": share.interval(), "judge": own,
        });
        (word(attribute), value)
    };
    tally.0.iter().map(score).collect::<serde_json::Map<String, Value>>().into()
}

/// Says how well a judge reads true renders.
pub(super) fn tell_judge(judge: &Judge, path: &Path, json: bool) {
    if json {
        let about = &judge.about;
        let accuracy = about.accuracy.iter().map(|(section, own)| (word(section), scores(own, None)));
        let accuracy: serde_json::Map<String, Value> = accuracy.collect();
        println!("{}", json!({"event": "result", "path": path, "steps": about.steps, "accuracy": accuracy}));
        return;
    }
    eprintln!("Reads true renders right, after {} steps:", judge.about.steps);
    for (section, own) in &judge.about.accuracy {
        let shares = own.0.iter().map(|(attribute, share)| format!("{} {}", word(attribute), percent(share.value())));
        eprintln!("  {}: {}", title(*section), shares.collect::<Vec<_>>().join(", "));
    }
    println!("{}", path.display());
}

const fn title(section: Section) -> &'static str {
    match section {
        Section::Ordinary => "Ordinary",
        Section::HeldOut => "Held-out",
        Section::Novel => "Novel",
    }
}

/// The name of a value in JSON.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}
