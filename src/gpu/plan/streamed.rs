//! Plans whose weights are brought section by section, the next one while the GPU computes.

use super::run::Command;
use super::{Binding, PhaseTimes, Plan, PlanDescription, Profiler};
use crate::gpu::weights::slots;
use crate::gpu::{Device, GpuError, StreamedWeights};
use crate::weights::Weights;
use std::collections::BTreeSet;
use web_time::Instant;

impl PlanDescription {
    /// Makes the buffers through which the weights of `file` will pass, instead of [`Self::upload`]ing them all.
    ///
    /// # Errors
    /// Out of memory, a lost device, a weight that is not in the file, or one that two sections use.
    pub async fn stream(&self, device: &Device, file: &Weights) -> Result<StreamedWeights, GpuError> {
        StreamedWeights::new(device, file, &self.sections(), &self.used, &self.stacks).await
    }

    /// Bytes of the buffers that [`Self::stream`] makes.
    pub fn streamed_weight_bytes(&self) -> u64 {
        slots(&self.sections(), &self.used).iter().flatten().sum()
    }

    /// Bytes that the device is asked for in all where the weights are streamed.
    pub fn streamed_peak_bytes(&self) -> u64 {
        self.plan_bytes() + self.streamed_weight_bytes()
    }

    /// The weights and stacks that each section binds.
    fn sections(&self) -> Vec<BTreeSet<&str>> {
        let mut sections = Vec::new();
        for entry in &self.recorded {
            if sections.len() <= entry.section {
                sections.resize(entry.section + 1, BTreeSet::new());
            }
            let weights = entry.dispatch.bindings.iter().filter_map(|binding| match binding {
                Binding::Weight { name, .. } => Some(name.as_str()),
                _ => None,
            });
            sections[entry.section].extend(weights);
        }
        sections
    }
}

impl Plan {
    /// Runs one phase section by section: while the GPU computes one, the weights of the next are read from `file` and
    /// queued. No more than two sections' writes are queued at a time. Returns after the last submit, as [`Self::run`].
    ///
    /// # Errors
    /// No such phase, reading the file failed, or the device is lost.
    pub async fn run_streamed(
        &self,
        phase: &str,
        weights: &StreamedWeights,
        file: &mut Weights,
    ) -> Result<(), GpuError> {
        let commands = self.commands(phase)?;
        let mut before = None;
        for section in 0..weights.sections() {
            weights.bring(&self.device, file, section).await?;
            self.device.check()?;
            let last = self.submit(phase, section_of(commands, section));
            let now = self.device.milestone(Some(last));
            // The GPU still has this section to do. Its set of buffers and the queued writes of the one before are free.
            if let Some(before) = before.replace(now) {
                self.device.reached(before).await?;
            }
        }
        Ok(())
    }

    /// The same, timed as [`Self::profile`] does; nothing is read while the GPU computes then.
    ///
    /// # Errors
    /// As [`Self::run_streamed`] and [`Self::profile`].
    pub async fn profile_streamed(
        &self,
        phase: &str,
        weights: &StreamedWeights,
        file: &mut Weights,
    ) -> Result<PhaseTimes, GpuError> {
        let commands = self.commands(phase)?;
        let mut times = self.no_times();
        for section in 0..weights.sections() {
            let begun = Instant::now();
            weights.bring(&self.device, file, section).await?;
            times.wall += begun.elapsed();
            self.time(section_of(commands, section), &mut times).await?;
        }
        Ok(times)
    }
}

impl Profiler {
    /// Runs one phase as [`Plan::run_streamed`], or, timed, as [`Plan::profile_streamed`].
    ///
    /// # Errors
    /// As those two.
    pub async fn run_streamed(
        &mut self,
        plan: &Plan,
        phase: &'static str,
        weights: &StreamedWeights,
        file: &mut Weights,
    ) -> Result<(), GpuError> {
        if !self.is_on() {
            return plan.run_streamed(phase, weights, file).await;
        }
        let prepared = self.prepared();
        let times = plan.profile_streamed(phase, weights, file).await?;
        self.note(plan, phase, &times, prepared);
        Ok(())
    }
}

/// The commands of a section lie side by side.
fn section_of(commands: &[Command], section: usize) -> &[Command] {
    let first = commands.partition_point(|command| command.section < section);
    let end = commands.partition_point(|command| command.section <= section);
    &commands[first..end]
}
