//! From readings to scores: which of the things that a caption tells a picture shows, and how surely a share is known.

use super::layout::Layout;
use super::reading::{Reading, Seen};
use crate::dataset::{HELD_OUT, Kind, Relation, Told, ToldThing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// A kind of [`Kind::NOVEL`], whatever else there is.
    Novel,
    /// The kinds of things, however many of each, and no others.
    Kinds,
    /// Each kind in its colour, and in no other.
    Colours,
    /// How many things there are in all.
    Count,
    /// How the first lies to the second.
    Relation,
    Place,
    Time,
    Weather,
    /// All that the caption tells.
    All,
}

/// Attributes that a caption tells, and whether a picture shows them.
pub type Marks = BTreeMap<Attribute, bool>;

/// Whether a picture shows what a caption tells; what it leaves open is not among the marks.
pub fn mark(told: &Told, reading: &Reading) -> Marks {
    let seen = &reading.things;
    let kinds = told.things.iter().all(|thing| seen.iter().any(|seen| seen.kind == thing.kind))
        && seen.iter().all(|seen| told.things.iter().any(|thing| seen.kind == thing.kind));
    let mut marks = Marks::from([(Attribute::Kinds, kinds)]);
    let novel = told.things.iter().find(|thing| Kind::NOVEL.contains(&thing.kind));
    marks.extend(novel.map(|thing| (Attribute::Novel, seen.iter().any(|seen| seen.kind == thing.kind))));
    if told.things.iter().any(|thing| thing.colour.is_some()) {
        let coloured = told.things.iter().all(|thing| seen.iter().any(|seen| shows(seen, thing)))
            && seen.iter().all(|seen| told.things.iter().any(|thing| shows(seen, thing)));
        marks.insert(Attribute::Colours, coloured);
    }
    let count: usize = told.things.iter().map(|thing| usize::from(thing.count)).sum();
    marks.insert(Attribute::Count, seen.len() == count);
    if let (Some(relation), [first, second]) = (told.relation, &told.things[..]) {
        marks.insert(Attribute::Relation, related(relation, first, second, reading));
    }
    if !told.places.is_empty() {
        marks.insert(Attribute::Place, told.places.contains(&reading.place));
    }
    marks.extend(told.time.map(|time| (Attribute::Time, time == reading.time)));
    marks.extend(told.weather.map(|weather| (Attribute::Weather, weather == reading.weather)));
    marks.insert(Attribute::All, marks.values().all(|right| *right));
    marks
}

fn shows(seen: &Seen, told: &ToldThing) -> bool {
    seen.kind == told.kind && told.colour.is_none_or(|colour| colour == seen.colour)
}

/// Two of a kind are told apart by their colours; of different kinds the colours do not matter here.
fn related(relation: Relation, first: &ToldThing, second: &ToldThing, reading: &Reading) -> bool {
    let [one, other] = &reading.things[..] else { return false };
    let alike = first.kind == second.kind;
    let is = |seen: &Seen, told: &ToldThing| if alike { shows(seen, told) } else { seen.kind == told.kind };
    let (as_told, turned) = (is(one, first) && is(other, second), is(one, second) && is(other, first));
    match (relation, reading.layout) {
        (Relation::LeftOf, Layout::Two) | (Relation::Above, Layout::Above) => as_told,
        (Relation::RightOf, Layout::Two) => turned,
        (Relation::NextTo, Layout::Two) => as_told || turned,
        _ => false,
    }
}

/// What kind of composition a caption asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Pairs of kind and colour that data for training show.
    Ordinary,
    /// One of [`HELD_OUT`].
    HeldOut,
    /// One of [`Kind::NOVEL`].
    Novel,
}

impl Section {
    /// The section of a caption.
    pub fn of(told: &Told) -> Self {
        let held_out = |thing: &ToldThing| thing.colour.is_some_and(|colour| HELD_OUT.contains(&(thing.kind, colour)));
        if told.things.iter().any(|thing| Kind::NOVEL.contains(&thing.kind)) {
            Self::Novel
        } else if told.things.iter().any(held_out) {
            Self::HeldOut
        } else {
            Self::Ordinary
        }
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub right: u32,
    pub of: u32,
}

impl Share {
    /// From 0 to 1; 0 of none.
    pub fn value(self) -> f64 {
        f64::from(self.right) / f64::from(self.of.max(1))
    }

    /// Where the true share lies with a confidence of 95 %: Wilson's score interval (1927), which is good for few pictures and
    /// for shares near 0 and 1 too.
    pub fn interval(self) -> [f64; 2] {
        const Z: f64 = 1.959_963_984_540_054;
        if self.of == 0 {
            return [0.0, 1.0];
        }
        let (n, p) = (f64::from(self.of), self.value());
        let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [(middle - half).max(0.0), (middle + half).min(1.0)]
    }
}

/// Marks of many pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tally(pub BTreeMap<Attribute, Share>);

impl Tally {
    pub fn add(&mut self, marks: &Marks) {
        for (attribute, right) in marks {
            let share = self.0.entry(*attribute).or_default();
            share.right += u32::from(*right);
            share.of += 1;
        }
    }

    /// How many pictures it counts.
    pub fn pictures(&self) -> u32 {
        self.0.get(&Attribute::All).map_or(0, |share| share.of)
    }
}
