//! The processes of an MPI launcher, by the `mpi` crate.

use crate::train::TrainError;
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::traits::{Communicator, CommunicatorCollectives, Equivalence};

/// Values per message: counts of MPI are 32 bits.
const MOST: usize = 1 << 22;

pub(super) struct World {
    /// Dropped, it says goodbye to the others.
    universe: Universe,
}

impl World {
    pub fn join() -> Result<Self, TrainError> {
        // Only this thread talks to the others; those that compute do not.
        let begun = mpi::initialize_with_threading(Threading::Funneled);
        let (universe, _) =
            begun.ok_or_else(|| TrainError::Ranks("MPI was begun before in this process".to_owned()))?;
        Ok(Self { universe })
    }

    pub fn rank(&self) -> usize {
        // Ranks are counted from 0.
        self.universe.world().rank() as usize
    }

    pub fn count(&self) -> usize {
        self.universe.world().size() as usize
    }

    /// The sums over all processes.
    pub fn add<T: Equivalence + Clone>(&self, values: &mut [T]) {
        self.reduce(values, SystemOperation::sum());
    }

    /// The largest of all processes.
    pub fn most(&self, values: &mut [f64]) {
        self.reduce(values, SystemOperation::max());
    }

    fn reduce<T: Equivalence + Clone>(&self, values: &mut [T], operation: SystemOperation) {
        let world = self.universe.world();
        for part in values.chunks_mut(MOST) {
            let own = part.to_vec();
            world.all_reduce_into(&own[..], part, operation);
        }
    }
}
