//! Adds up what the runs of a plan took: by phase, and there by kernel.

use super::{PhaseTimes, Plan, Timing};
use crate::gpu::GpuError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use web_time::Instant;

/// Runs the phases of a plan, and times them after [`Self::start`].
#[derive(Debug, Default)]
pub struct Profiler {
    on: bool,
    /// When the weights had been loaded, until a run that is not profiled.
    loaded: Option<Instant>,
    /// When the work for the next run began.
    begun: Option<Instant>,
    compiled: Option<Compiled>,
    phases: Vec<(&'static str, Sums)>,
}

/// What a plan's runs took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanProfile {
    /// How the plan was made; none where it was there already.
    pub compiled: Option<Compiled>,
    /// In the order in which they first ran.
    pub phases: Vec<PhaseProfile>,
}

/// The making of a plan's pipelines.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compiled {
    /// Distinct pipelines of the plan.
    pub pipelines: usize,
    /// Those of them that the device did not have yet.
    pub new: usize,
    pub seconds: f64,
    /// The new ones by kernel.
    pub kernels: BTreeMap<&'static str, CompiledKernel>,
}

/// The variants of one kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CompiledKernel {
    pub new: usize,
    pub seconds: f64,
}

/// What the runs of one phase took, all of them together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseProfile {
    pub phase: &'static str,
    pub runs: usize,
    pub timing: Timing,
    /// From the work for a run on the CPU until the GPU was done with it.
    pub wall_seconds: f64,
    /// The sum over all kernels.
    pub kernel_seconds: f64,
    /// What `wall_seconds` has beyond them: noise, uploads, recording, submitting, gaps between the dispatches.
    pub outside_seconds: f64,
    /// From the loaded weights to the end of the first run; none where the plan had run before.
    pub first_run_seconds: Option<f64>,
    /// The longest first.
    pub kernels: Vec<KernelProfile>,
}

/// What the dispatches of one kernel took, all of them together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelProfile {
    pub kernel: &'static str,
    pub calls: usize,
    pub seconds: f64,
    /// Part of the phase's `kernel_seconds`, from 0 to 1.
    pub share: f64,
    pub flops: u64,
    pub bytes: u64,
    /// None where the kernel tells no operations, or its time is below the clock's.
    pub gflop_per_second: Option<f64>,
    pub gbyte_per_second: Option<f64>,
}

#[derive(Debug)]
struct Sums {
    runs: usize,
    timing: Timing,
    wall: Duration,
    first_run: Option<Duration>,
    kernels: BTreeMap<&'static str, KernelSums>,
}

#[derive(Debug, Default)]
struct KernelSums {
    calls: usize,
    time: Duration,
    flops: u64,
    bytes: u64,
}

impl Compiled {
    /// Counts one pipeline.
    pub(super) fn add(&mut self, kernel: &'static str, new: bool, time: Duration) {
        let seconds = time.as_secs_f64();
        self.pipelines += 1;
        self.seconds += seconds;
        if new {
            self.new += 1;
            let entry = self.kernels.entry(kernel).or_default();
            entry.new += 1;
            entry.seconds += seconds;
        }
    }
}

impl Profiler {
    /// Times all runs from now on, or none.
    pub fn start(&mut self, on: bool) {
        self.on = on;
        self.phases.clear();
    }

    /// To be called when the weights are on the device and before the plan is compiled: what the first run waits for
    /// counts from here.
    pub fn loaded(&mut self) {
        self.loaded = Some(Instant::now());
    }

    /// Lets the next run's wall-clock time count from `begun`; else it counts from the recording of its commands.
    pub fn begin(&mut self, begun: Instant) {
        self.begun = Some(begun);
    }

    /// Runs one phase: as [`Plan::run`], or, timed, as [`Plan::profile`].
    ///
    /// # Errors
    /// As those two.
    pub async fn run(&mut self, plan: &Plan, phase: &'static str) -> Result<(), GpuError> {
        if !self.is_on() {
            return plan.run(phase);
        }
        let prepared = self.prepared();
        let times = plan.profile(phase).await?;
        self.note(plan, phase, &times, prepared);
        Ok(())
    }

    /// Whether the next run is to be timed; if not, what was begun for it is forgotten.
    pub(super) fn is_on(&mut self) -> bool {
        if !self.on {
            (self.loaded, self.begun) = (None, None);
        }
        self.on
    }

    /// What the work for the next run took so far.
    pub(super) fn prepared(&mut self) -> Duration {
        self.begun.take().map_or(Duration::ZERO, |begun| begun.elapsed())
    }

    /// Adds a run that took this.
    pub(super) fn note(&mut self, plan: &Plan, phase: &'static str, times: &PhaseTimes, prepared: Duration) {
        let first_run = self.loaded.map(|loaded| loaded.elapsed());
        if first_run.is_some() {
            self.compiled = Some(plan.compiled().clone());
        }
        self.add(phase, times, prepared, first_run);
    }

    /// What was timed since [`Self::start`]; none where nothing was. Starts anew.
    pub fn take(&mut self) -> Option<PlanProfile> {
        self.loaded = None;
        let compiled = self.compiled.take();
        let phases: Vec<_> = self.phases.drain(..).map(|(phase, sums)| sums.profile(phase)).collect();
        (!phases.is_empty()).then_some(PlanProfile { compiled, phases })
    }

    fn add(&mut self, phase: &'static str, times: &PhaseTimes, prepared: Duration, first_run: Option<Duration>) {
        let place = self.phases.iter().position(|(name, _)| *name == phase).unwrap_or_else(|| {
            let (timing, kernels) = (times.timing, BTreeMap::new());
            self.phases.push((phase, Sums { runs: 0, timing, wall: Duration::ZERO, first_run, kernels }));
            self.phases.len() - 1
        });
        let sums = &mut self.phases[place].1;
        sums.runs += 1;
        sums.wall += prepared + times.wall;
        for (work, time) in &times.dispatches {
            let kernel = sums.kernels.entry(work.kernel).or_default();
            kernel.calls += 1;
            kernel.time += *time;
            kernel.flops += work.flops;
            kernel.bytes += work.bytes;
        }
    }
}

impl Sums {
    fn profile(self, phase: &'static str) -> PhaseProfile {
        let all = self.kernels.values().map(|kernel| kernel.time).sum::<Duration>().as_secs_f64();
        let mut kernels: Vec<_> = self.kernels.into_iter().map(|(kernel, sums)| sums.profile(kernel, all)).collect();
        kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let wall_seconds = self.wall.as_secs_f64();
        PhaseProfile {
            phase,
            runs: self.runs,
            timing: self.timing,
            wall_seconds,
            kernel_seconds: all,
            // The GPU's clock and ours may disagree by a little.
            outside_seconds: (wall_seconds - all).max(0.0),
            first_run_seconds: self.first_run.map(|time| time.as_secs_f64()),
            kernels,
        }
    }
}

impl KernelSums {
    fn profile(self, kernel: &'static str, all: f64) -> KernelProfile {
        let seconds = self.time.as_secs_f64();
        let rate = |amount: u64| (amount > 0 && seconds > 0.0).then(|| amount as f64 / seconds / 1e9);
        KernelProfile {
            kernel,
            calls: self.calls,
            seconds,
            share: if all > 0.0 { seconds / all } else { 0.0 },
            flops: self.flops,
            bytes: self.bytes,
            gflop_per_second: rate(self.flops),
            gbyte_per_second: rate(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::plan::Work;

    fn times(wall: u64, dispatches: &[(&'static str, u64, u64, u64)]) -> PhaseTimes {
        let dispatches = dispatches.iter().map(|&(kernel, flops, bytes, milliseconds)| {
            (Work { kernel, flops, bytes }, Duration::from_millis(milliseconds))
        });
        let wall = Duration::from_millis(wall);
        PhaseTimes { timing: Timing::Timestamps, wall, dispatches: dispatches.collect() }
    }

    #[test]
    fn runs_add_up_by_phase_and_kernel() {
        let mut profiler = Profiler::default();
        let step = times(110, &[("conv", 4_000_000, 1000, 40), ("norm", 0, 500, 20), ("conv", 2_000_000, 3000, 20)]);
        profiler.add("prompt", &times(7, &[("linear", 10, 10, 5)]), Duration::ZERO, Some(Duration::from_millis(900)));
        profiler.add("step", &step, Duration::from_millis(10), Some(Duration::from_secs(1)));
        profiler.add("step", &step, Duration::from_millis(30), Some(Duration::from_secs(2)));
        let profile = profiler.take().unwrap();
        assert_eq!(
            profile.phases.iter().map(|phase| (phase.phase, phase.runs)).collect::<Vec<_>>(),
            [("prompt", 1), ("step", 2)]
        );
        let step = &profile.phases[1];
        assert_eq!((step.wall_seconds, step.kernel_seconds), (0.26, 0.16));
        assert!((step.outside_seconds - 0.1).abs() < 1e-9, "{}", step.outside_seconds);
        assert_eq!(step.first_run_seconds, Some(1.0), "the first, not the last");
        let [conv, norm] = step.kernels.as_slice() else { panic!("{:?}", step.kernels) };
        assert_eq!((conv.kernel, conv.calls, conv.flops, conv.bytes), ("conv", 4, 12_000_000, 8000));
        assert_eq!((conv.share, norm.share), (0.75, 0.25));
        assert!((conv.gflop_per_second.unwrap() - 0.1).abs() < 1e-9);
        assert!((norm.gbyte_per_second.unwrap() - 1000.0 / 0.04 / 1e9).abs() < 1e-12);
        assert_eq!(norm.gflop_per_second, None);
        assert_eq!(profiler.take(), None, "taken once");
    }

    #[test]
    fn shares_sum_to_one_unless_nothing_took_time() {
        let mut profiler = Profiler::default();
        let dispatches: Vec<_> = (1..40).map(|i| (["a", "b", "c", "d"][i % 4], 1, 1, i as u64 * i as u64)).collect();
        profiler.add("step", &times(1, &dispatches), Duration::ZERO, None);
        profiler.add("idle", &times(0, &[("a", 1, 1, 0)]), Duration::ZERO, None);
        let phases = profiler.take().unwrap().phases;
        let sum = |phase: &PhaseProfile| phase.kernels.iter().map(|kernel| kernel.share).sum::<f64>();
        assert!((sum(&phases[0]) - 1.0).abs() < 1e-12, "{}", sum(&phases[0]));
        assert!(phases[0].kernels.is_sorted_by(|a, b| a.seconds >= b.seconds));
        assert_eq!(phases[0].outside_seconds, 0.0, "clocks that disagree give no negative time");
        assert_eq!((sum(&phases[1]), phases[1].kernels[0].gflop_per_second), (0.0, None));
    }

    #[test]
    fn pipelines_are_counted_once_each() {
        let mut compiled = Compiled::default();
        for (kernel, new) in [("conv", true), ("conv", true), ("linear", false)] {
            compiled.add(kernel, new, Duration::from_millis(250));
        }
        assert_eq!((compiled.pipelines, compiled.new, compiled.seconds), (3, 2, 0.75));
        assert_eq!(compiled.kernels["conv"], CompiledKernel { new: 2, seconds: 0.5 });
        assert!(!compiled.kernels.contains_key("linear"));
    }
}
