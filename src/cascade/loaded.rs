//! The networks that are loaded, and which of them may stay beside each other.

use super::loading::Loading;
use super::networks::{PromptEncoder, StageShape};
use super::residency::Residency;
use super::stage::StageRunner;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A part of a run: the text encoder, or the stage of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Stage(usize),
}

/// A text encoder and the counters of what it reads.
pub(super) struct LoadedEncoder {
    pub encoder: Box<dyn PromptEncoder>,
    pub loading: Rc<Loading>,
}

/// What is loaded. Nothing is, at first.
#[derive(Default)]
pub(super) struct Loaded {
    residency: Residency,
    pub encoder: Option<LoadedEncoder>,
    pub stages: BTreeMap<usize, (StageShape, Box<dyn StageRunner>)>,
}

impl Loaded {
    /// What the text encoder is loaded for.
    pub fn streams_text(&self) -> bool {
        self.residency == Residency::StreamTextEncoder
    }

    /// Drops everything.
    pub fn unload(&mut self) {
        self.encoder = None;
        self.stages.clear();
    }

    /// From now on only this may stay; what was loaded under another rule goes.
    pub fn settle(&mut self, residency: Residency) {
        if self.residency != residency {
            self.unload();
            self.residency = residency;
        }
    }

    /// Drops what may not stay beside `part`, which is about to be loaded.
    pub fn make_room(&mut self, part: Part) {
        match part {
            Part::Text if self.residency >= Residency::DropTextEncoder => self.stages.clear(),
            Part::Text => {}
            Part::Stage(index) => {
                self.stages.remove(&index);
                if self.residency >= Residency::DropTextEncoder {
                    self.encoder = None;
                }
                if self.residency >= Residency::OneAtATime {
                    self.stages.clear();
                }
            }
        }
    }

    /// After memory ran out in `part`: drops it, and takes the next residency under which there is more room for it.
    /// None where there is no such residency.
    pub fn step_down(&mut self, part: Part) -> Option<Residency> {
        match part {
            Part::Text => self.encoder = None,
            Part::Stage(index) => drop(self.stages.remove(&index)),
        }
        let frees = |residency: &Residency| match (residency, part) {
            (Residency::KeepAll, _) => false,
            (Residency::DropTextEncoder, Part::Text) => !self.stages.is_empty(),
            (Residency::DropTextEncoder, Part::Stage(_)) => self.encoder.is_some(),
            (Residency::OneAtATime, _) => !self.stages.is_empty(),
            (Residency::StreamTextEncoder, part) => part == Part::Text,
        };
        let later = Residency::ALL.into_iter().filter(|residency| *residency > self.residency);
        let residency = later.into_iter().find(frees)?;
        self.residency = residency;
        self.make_room(part);
        Some(residency)
    }
}
