//! The memory budget of a cascade: decides the residency of each run and remembers what did not fit.

use super::CascadeError;
use super::events::{Event, Observer};
use super::files::ModelFiles;
use super::manifest::Manifest;
use super::networks::{Networks, Wanted};
use super::residency::{Decision, Residency, in_words};

/// A model whose files have at most so many bytes stays loaded where no budget was named. Its headers are not looked at
/// for that, because a source may have to fetch a whole file to show them.
const SMALL_BYTES: u64 = 512 << 20;

/// A budget, and what was decided under it.
#[derive(Default)]
pub(super) struct Memory {
    budget: Option<u64>,
    /// Less would not do: memory ran out.
    at_least: Residency,
    decided: Option<(Wanted, Decision)>,
}

impl Memory {
    /// Sets the budget in bytes and forgets what failed before.
    pub fn set_budget(&mut self, budget: Option<u64>) {
        *self = Self { budget, ..Self::default() };
    }

    /// The parts take other bytes than before.
    pub fn recount(&mut self) {
        self.decided = None;
    }

    /// The residency of a run; an event tells it where bytes were counted and something changed.
    pub async fn decide(
        &mut self,
        wanted: Wanted,
        networks: &dyn Networks,
        files: &dyn ModelFiles,
        manifest: &Manifest,
        observer: &mut dyn Observer,
    ) -> Result<Residency, CascadeError> {
        let budget = self.budget.filter(|_| networks.on_gpu());
        if budget.is_none() && manifest.total_bytes() <= SMALL_BYTES {
            return Ok(self.at_least);
        }
        match &self.decided {
            Some((known, decision)) if *known == wanted => return Ok(decision.residency),
            _ => {}
        }
        let needs = networks.needs(files, manifest, &wanted).await?;
        let residency = needs.decide(budget, self.at_least).map_err(|needed| CascadeError::GpuMemory {
            budget: in_words(budget.unwrap_or_default()).to_string(),
            needed: in_words(needed).to_string(),
        })?;
        let decision = Decision { residency, bytes: Some(needs.peak(residency)), budget, after: None };
        observer.event(Event::Memory(decision.clone()));
        self.decided = Some((wanted, decision));
        Ok(residency)
    }

    /// Notes that memory ran out in `part` with more loaded than `residency` allows.
    pub fn step_down(&mut self, residency: Residency, part: &str, observer: &mut dyn Observer) {
        self.at_least = residency;
        self.recount();
        let after = Some(part.to_owned());
        observer.event(Event::Memory(Decision { residency, bytes: None, budget: self.budget, after }));
    }
}
