//! The memory budget of a cascade: decides the residency of each run and remembers what did not fit.

use super::CascadeError;
use super::events::{During, Event, Observer};
use super::files::ModelFiles;
use super::manifest::Manifest;
use super::networks::{Networks, Wanted};
use super::residency::{Decision, Residency};

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
        let decision = self.plan(&wanted, networks, files, manifest).await?;
        let residency = decision.residency;
        observer.event(Event::Memory(decision.clone()));
        self.decided = Some((wanted, decision));
        Ok(residency)
    }

    /// What a run would be told, with its bytes counted in any case.
    pub async fn plan(
        &self,
        wanted: &Wanted,
        networks: &dyn Networks,
        files: &dyn ModelFiles,
        manifest: &Manifest,
    ) -> Result<Decision, CascadeError> {
        let budget = self.budget.filter(|_| networks.on_gpu());
        let needs = networks.needs(files, manifest, wanted).await?;
        let residency = match budget {
            None if manifest.total_bytes() <= SMALL_BYTES => self.at_least,
            _ => needs.decide(budget, self.at_least).map_err(|needed| {
                let budget = budget.unwrap_or_default();
                CascadeError::GpuMemory { budget, needed }
            })?,
        };
        Ok(Decision { residency, bytes: Some(needs.peak(residency)), budget, after: None })
    }

    /// Notes that memory ran out with more loaded than `residency` allows.
    pub fn step_down(&mut self, residency: Residency, during: During, observer: &mut dyn Observer) {
        self.at_least = residency;
        self.recount();
        observer.event(Event::Memory(Decision { residency, bytes: None, budget: self.budget, after: Some(during) }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::super::mock::{large_cascade, tiny_cascade};
    use super::*;
    use pollster::block_on;

    #[derive(Default)]
    struct Decisions(Vec<Decision>);

    impl Observer for Decisions {
        fn event(&mut self, event: Event) {
            if let Event::Memory(decision) = event {
                self.0.push(decision);
            }
        }
    }

    #[test]
    fn a_plan_says_before_a_run_what_the_run_decides() {
        let request = Request::new("a red house");
        // 5 GiB of text encoder, and two stages of 100 bytes.
        let text = 5 << 30;
        for budget in [None, Some(text + 200), Some(text + 199), Some(text - 1)] {
            let (mut cascade, script) = large_cascade();
            cascade.set_gpu_memory(budget);
            let plan = block_on(cascade.memory_plan(&request)).unwrap();
            assert!(script.borrow().log.is_empty(), "nothing is loaded for it");
            let mut decisions = Decisions::default();
            block_on(cascade.generate(&request, &mut decisions)).unwrap();
            assert_eq!(decisions.0, [plan], "{budget:?}");
        }
        let (mut cascade, _) = large_cascade();
        cascade.set_gpu_memory(Some(1 << 20));
        let error = block_on(cascade.memory_plan(&request)).unwrap_err();
        assert!(
            matches!(error, CascadeError::GpuMemory { budget: 0x10_0000, needed } if needed > 0x10_0000),
            "{error}"
        );
    }

    #[test]
    fn a_small_model_is_counted_too_and_earlier_stages_alone_take_less() {
        let (cascade, _) = tiny_cascade();
        let whole = block_on(cascade.memory_plan(&Request::new("a red house"))).unwrap();
        assert_eq!((whole.residency, whole.budget), (Residency::KeepAll, None));
        let request = Request { stop_at_stage: Some(1), ..Request::new("a red house") };
        let first = block_on(cascade.memory_plan(&request)).unwrap();
        assert!(first.bytes > Some(0) && first.bytes < whole.bytes, "{first:?} {whole:?}");
    }
}
