//! A build without MPI: one process, and a word to those that were started as one of several.

use crate::train::TrainError;

/// What launchers tell the processes of a run their number by: Open MPI; MPICH, Intel's MPI and Slurm's PMI.
const COUNTS: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

pub(super) struct World;

impl World {
    pub fn join() -> Result<Self, TrainError> {
        let count = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        match COUNTS.into_iter().filter_map(count).max() {
            Some(count) if count > 1 => Err(TrainError::Ranks(format!(
                "this is one of {count}, but the program was built without MPI, and each would train for itself; build it with \
                 `--features mpi`"
            ))),
            _ => Ok(Self),
        }
    }

    pub fn rank(&self) -> usize {
        0
    }

    pub fn count(&self) -> usize {
        1
    }

    /// The sums over all processes: what there is.
    pub fn add<T>(&self, _values: &mut [T]) {}

    /// The largest of all processes: what there is.
    pub fn most(&self, _values: &mut [f64]) {}
}
