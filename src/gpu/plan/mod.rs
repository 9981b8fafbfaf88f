//! A network compiled into a flat list of dispatches.

mod builder;
mod compile;
mod description;
mod dispatch;
mod fitness;
mod lifetime;
mod profile;
mod profiler;
mod run;
mod step;
mod streamed;
mod tensor;

pub use builder::PlanBuilder;
pub use description::{PlanDescription, Progress};
pub use dispatch::{Binding, Dispatch, Kernel, split};
pub use profile::{PhaseTimes, Timing, Work};
pub use profiler::{Compiled, CompiledKernel, KernelProfile, PhaseProfile, PlanProfile, Profiler};
pub use run::Plan;
pub use step::{STEP_WGSL, StepParams};
pub use tensor::{Shape, Tensor};

#[cfg(test)]
mod tests;
