//! How long every dispatch of a phase takes.
//!
//! Where the device has timestamp queries, each dispatch gets a compute pass of its own with a timestamp at either end;
//! elsewhere each is submitted and waited for by itself. Both make GPU objects or submits that a plain [`Plan::run`] does
//! not, so a phase is profiled only when that is asked for.

use super::run::Command;
use super::{Binding, Dispatch, Plan, PlanDescription};
use crate::gpu::device::{Buffer, Device};
use crate::gpu::{GpuError, plan::Tensor};
use serde::Serialize;
use std::time::Duration;
use web_time::Instant;
use wgpu::BufferUsages;

/// Where the times of a profile come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// The GPU's own timestamps around each dispatch.
    Timestamps,
    /// The clock: each dispatch was submitted and waited for by itself, and its time includes both.
    Waits,
}

/// What a dispatch is and how much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of all tensors and weights that it binds, each once: what it has to move at least.
    pub bytes: u64,
}

/// One run of a phase, dispatch by dispatch.
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTimes {
    pub timing: Timing,
    /// From the first command's recording until the GPU was done; without what only the measurement needs.
    pub wall: Duration,
    /// In the order of the plan.
    pub dispatches: Vec<(Work, Duration)>,
}

impl PlanDescription {
    pub(super) fn work(&self, dispatch: &Dispatch) -> Work {
        let mut bytes = 0;
        for (index, binding) in dispatch.bindings.iter().enumerate() {
            let again = dispatch.bindings[..index].iter().any(|other| same(other, binding));
            bytes += if again { 0 } else { self.bytes(binding) };
        }
        Work { kernel: dispatch.kernel.name, flops: dispatch.flops, bytes }
    }

    fn bytes(&self, binding: &Binding) -> u64 {
        match binding {
            Binding::Read(tensor) | Binding::Write(tensor) | Binding::Update(tensor) => tensor.bytes(),
            Binding::Weight { name, slab } => self.used.get(name).map_or(0, |layout| layout.slab_bytes(*slab)),
            Binding::Step | Binding::Empty => 0,
        }
    }
}

/// True where two bindings are the same memory.
fn same(a: &Binding, b: &Binding) -> bool {
    let tensor = |binding: &Binding| match binding {
        // Other parts of a tensor are other memory.
        Binding::Read(Tensor { id, first, .. })
        | Binding::Write(Tensor { id, first, .. })
        | Binding::Update(Tensor { id, first, .. }) => Some((*id, *first)),
        Binding::Weight { .. } | Binding::Step | Binding::Empty => None,
    };
    a == b || tensor(a).is_some_and(|place| tensor(b) == Some(place))
}

impl Plan {
    /// Runs one phase as [`Self::run`] does, with the same result, and times each of its dispatches. Returns when the
    /// GPU is done.
    ///
    /// # Errors
    /// No such phase, out of memory, or the device is lost.
    pub async fn profile(&self, phase: &str) -> Result<PhaseTimes, GpuError> {
        let mut times = self.no_times();
        self.time(self.commands(phase)?, &mut times).await?;
        Ok(times)
    }

    /// A measurement of nothing, to which [`Self::time`] adds.
    pub(super) fn no_times(&self) -> PhaseTimes {
        let timing = if self.device.has_timestamps() { Timing::Timestamps } else { Timing::Waits };
        PhaseTimes { timing, wall: Duration::ZERO, dispatches: Vec::new() }
    }

    /// Runs commands and adds what each took.
    pub(super) async fn time(&self, commands: &[Command], times: &mut PhaseTimes) -> Result<(), GpuError> {
        match times.timing {
            Timing::Timestamps => {
                for commands in commands.chunks(Stamps::MOST) {
                    self.stamp(commands, times).await?;
                }
            }
            Timing::Waits => {
                for command in commands {
                    let begun = Instant::now();
                    self.submit_passes(std::slice::from_ref(command), None);
                    self.device.finished().await?;
                    let taken = begun.elapsed();
                    times.wall += taken;
                    times.dispatches.push((command.work, taken));
                }
            }
        }
        Ok(())
    }

    async fn stamp(&self, commands: &[Command], times: &mut PhaseTimes) -> Result<(), GpuError> {
        let stamps = Stamps::new(&self.device, commands.len() as u32).await?;
        let begun = Instant::now();
        self.submit_passes(commands, Some(&stamps));
        self.device.finished().await?;
        times.wall += begun.elapsed();
        let durations = stamps.durations(&self.device).await?;
        times.dispatches.extend(commands.iter().map(|command| command.work).zip(durations));
        Ok(())
    }

    /// Submits each command in a pass of its own.
    fn submit_passes(&self, commands: &[Command], stamps: Option<&Stamps>) {
        let mut encoder = self.encoder("profile");
        for (index, command) in (0..).zip(commands) {
            let timestamp_writes = stamps.map(|stamps| stamps.around(index));
            let descriptor = wgpu::ComputePassDescriptor { label: Some(command.work.kernel), timestamp_writes };
            command.record(&mut encoder.begin_compute_pass(&descriptor));
        }
        if let Some(stamps) = stamps {
            stamps.resolve(&mut encoder);
        }
        self.device.submit([encoder.finish()]);
    }
}

/// Two timestamps for each of a number of passes, and the buffers through which they come back.
struct Stamps {
    passes: u32,
    queries: wgpu::QuerySet,
    resolved: Buffer,
    readback: Buffer,
}

impl Stamps {
    /// Passes that one query set can hold.
    const MOST: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

    async fn new(device: &Device, passes: u32) -> Result<Self, GpuError> {
        let count = passes * 2;
        let bytes = u64::from(count * wgpu::QUERY_SIZE);
        let descriptor = wgpu::QuerySetDescriptor { label: Some("profile"), ty: wgpu::QueryType::Timestamp, count };
        let queries = device.scoped("timestamps", bytes, || device.wgpu().create_query_set(&descriptor)).await?;
        let resolved = device.buffer("timestamps", bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC).await?;
        let readback = device.buffer("timestamps", bytes, BufferUsages::COPY_DST | BufferUsages::MAP_READ).await?;
        Ok(Self { passes, queries, resolved, readback })
    }

    /// The timestamps of a pass.
    fn around(&self, pass: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(pass * 2),
            end_of_pass_write_index: Some(pass * 2 + 1),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..self.passes * 2, self.resolved.wgpu(), 0);
        encoder.copy_buffer_to_buffer(self.resolved.wgpu(), 0, self.readback.wgpu(), 0, self.resolved.bytes());
    }

    /// What each pass took, once all submitted work is done.
    async fn durations(&self, device: &Device) -> Result<Vec<Duration>, GpuError> {
        let ticks: Vec<u64> = device.read_mapped(&self.readback, self.readback.bytes()).await?;
        let period = f64::from(device.timestamp_period());
        // Drivers may turn back their clock between two passes; nothing took less than no time.
        let duration = |pair: &[u64]| Duration::from_secs_f64(pair[1].saturating_sub(pair[0]) as f64 * period * 1e-9);
        Ok(ticks.chunks_exact(2).map(duration).collect())
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
