//! What a network took on the GPU, as the program's table and the page's.

use super::events::{Event, Observer};
use crate::gpu::plan::{Compiled, KernelProfile, PhaseProfile, PlanProfile, Profiler, Timing};
use serde::Serialize;
use std::fmt::{Display, Formatter, Result};

/// What the runs of one network took, kernel by kernel. Shown as a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// "text encoder", or the stage's name.
    pub part: String,
    /// The stage's size; none for the text encoder.
    pub image_size: Option<u32>,
    #[serde(flatten)]
    pub plan: PlanProfile,
}

/// Times what runs from now on, where that is asked for and possible.
pub(super) fn start(profiler: Option<&mut Profiler>, on: bool) {
    if let Some(profiler) = profiler {
        profiler.start(on);
    }
}

/// Tells what was timed, if anything was.
pub(super) fn tell(profiler: Option<&mut Profiler>, part: &str, image_size: Option<u32>, observer: &mut dyn Observer) {
    if let Some(plan) = profiler.and_then(Profiler::take) {
        observer.event(Event::Profile(Profile { part: part.to_owned(), image_size, plan }));
    }
}

impl Display for Profile {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Profile of {}", self.part)?;
        if let Some(size) = self.image_size {
            write!(f, ", {size}×{size}")?;
        }
        if let Some(compiled) = &self.plan.compiled {
            write!(f, "\n{}", pipelines(compiled))?;
        }
        self.plan.phases.iter().try_for_each(|phase| table(f, phase))
    }
}

fn pipelines(compiled: &Compiled) -> String {
    let Compiled { pipelines, new, seconds, kernels } = compiled;
    let mut kernels: Vec<_> = kernels.iter().collect();
    kernels.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    let kernels: Vec<String> =
        kernels.iter().map(|(name, kernel)| format!("{name} {} in {:.2} s", kernel.new, kernel.seconds)).collect();
    let list = if kernels.is_empty() { String::new() } else { format!(": {}", kernels.join(", ")) };
    format!("compiling: {pipelines} pipelines, {seconds:.2} s; {new} of them new{list}")
}

fn table(f: &mut Formatter<'_>, phase: &PhaseProfile) -> Result {
    let PhaseProfile { runs, wall_seconds, kernel_seconds, outside_seconds, .. } = phase;
    let each = |seconds: f64| seconds * 1e3 / (*runs).max(1) as f64;
    let plural = if *runs == 1 { "" } else { "s" };
    write!(f, "\n{}: {runs} run{plural} of {:.2} ms; {}", phase.phase, each(*wall_seconds), source(phase.timing))?;
    if let Some(seconds) = phase.first_run_seconds {
        write!(f, "; the first was done {seconds:.2} s after the weights were loaded")?;
    }
    write!(
        f,
        "\n  {:<19}{:>7}{:>11}{:>11}{:>8}{:>11}{:>9}",
        "kernel", "calls", "s", "ms/run", "share", "GFLOP/s", "GB/s"
    )?;
    for KernelProfile { kernel, calls, seconds, share, gflop_per_second, gbyte_per_second, .. } in &phase.kernels {
        line(f, kernel, Some(*calls), [*seconds, each(*seconds)], 100.0 * share)?;
        write!(f, "{:>11}{:>9}", rate(*gflop_per_second), rate(*gbyte_per_second))?;
    }
    let calls = phase.kernels.iter().map(|kernel| kernel.calls).sum();
    line(f, "all kernels", Some(calls), [*kernel_seconds, each(*kernel_seconds)], 100.0)?;
    let part = 100.0 * outside_seconds / wall_seconds.max(f64::MIN_POSITIVE);
    line(f, "outside kernels", None, [*outside_seconds, each(*outside_seconds)], part)?;
    write!(f, " of the run")
}

fn line(f: &mut Formatter<'_>, name: &str, calls: Option<usize>, [all, each]: [f64; 2], percent: f64) -> Result {
    let calls = calls.map_or_else(String::new, |calls| calls.to_string());
    write!(f, "\n  {name:<19}{calls:>7}{all:>11.4}{each:>11.3}{percent:>6.1} %")
}

fn rate(rate: Option<f64>) -> String {
    // A software adapter manages less than one, a GPU thousands.
    rate.map_or_else(|| "–".to_owned(), |rate| if rate < 10.0 { format!("{rate:.3}") } else { format!("{rate:.1}") })
}

fn source(timing: Timing) -> &'static str {
    match timing {
        Timing::Timestamps if cfg!(target_arch = "wasm32") => "GPU timestamps, which browsers round",
        Timing::Timestamps => "GPU timestamps",
        Timing::Waits => {
            "this device has no timestamps: each dispatch was submitted and waited for, which its time includes"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::plan::CompiledKernel;
    use serde_json::json;

    fn profile(timing: Timing) -> Profile {
        let kernel = |kernel, calls, seconds, share, gflop_per_second| KernelProfile {
            kernel,
            calls,
            seconds,
            share,
            flops: 0,
            bytes: 0,
            gflop_per_second,
            gbyte_per_second: Some(12.25),
        };
        let step = PhaseProfile {
            phase: "step",
            runs: 20,
            timing,
            wall_seconds: 5.0,
            kernel_seconds: 4.0,
            outside_seconds: 1.0,
            first_run_seconds: Some(1.5),
            kernels: vec![kernel("conv", 1040, 3.0, 0.75, Some(812.34)), kernel("norm", 20, 1.0, 0.25, None)],
        };
        let kernels = [("conv", CompiledKernel { new: 2, seconds: 0.25 })].into();
        let compiled = Some(Compiled { pipelines: 57, new: 2, seconds: 1.0, kernels });
        Profile { part: "base".to_owned(), image_size: Some(64), plan: PlanProfile { compiled, phases: vec![step] } }
    }

    #[test]
    fn the_table_says_everything() {
        let table = profile(Timing::Timestamps).to_string();
        let expected = "\
Profile of base, 64×64
compiling: 57 pipelines, 1.00 s; 2 of them new: conv 2 in 0.25 s
step: 20 runs of 250.00 ms; GPU timestamps; the first was done 1.50 s after the weights were loaded
  kernel               calls          s     ms/run   share    GFLOP/s     GB/s
  conv                  1040     3.0000    150.000  75.0 %      812.3     12.2
  norm                    20     1.0000     50.000  25.0 %          –     12.2
  all kernels           1060     4.0000    200.000 100.0 %
  outside kernels                1.0000     50.000  20.0 % of the run";
        assert_eq!(table, expected, "{table}");
    }

    #[test]
    fn a_device_without_timestamps_is_told() {
        assert!(profile(Timing::Waits).to_string().contains("no timestamps: each dispatch was submitted and waited"));
    }

    #[test]
    fn json_is_flat_and_tagged() {
        let value = serde_json::to_value(Event::Profile(profile(Timing::Timestamps))).unwrap();
        assert_eq!(
            (&value["event"], &value["part"], &value["image_size"]),
            (&json!("profile"), &json!("base"), &json!(64))
        );
        assert_eq!((&value["compiled"]["new"], &value["phases"][0]["timing"]), (&json!(2), &json!("timestamps")));
        assert_eq!(value["phases"][0]["kernels"][1]["gflop_per_second"], json!(null));
    }
}
