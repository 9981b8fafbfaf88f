//! The processes that train together: this one alone, or those that an MPI launcher started (feature `mpi`).
//!
//! Every process makes its share of a batch, gradients are averaged, and all make the same update. They meet in one place per
//! update, [`Ranks::combine`], and when they end, [`Ranks::depart`]: there each says whether it failed, so that one that ends with an
//! error ends all, whatever they were at.

#[cfg(not(feature = "mpi"))]
mod alone;
#[cfg(feature = "mpi")]
mod world;

#[cfg(not(feature = "mpi"))]
use alone::World;
#[cfg(feature = "mpi")]
use world::World;

use super::data::Share;
use super::{Ended, Event, Gradients, TrainError, Watcher, parameters};
use burn::tensor::{Tensor, TensorData};

/// This process among those of a run.
pub(super) struct Ranks {
    world: World,
}

impl Ranks {
    /// Joins the others. Once per process.
    ///
    /// # Errors
    /// [`TrainError::Ranks`] where there are others that this build cannot talk to.
    pub fn join() -> Result<Self, TrainError> {
        Ok(Self { world: World::join()? })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.world.count()
    }

    /// Whether this is the process that writes.
    pub fn leads(&self) -> bool {
        self.world.rank() == 0
    }

    /// What of every batch this process makes.
    pub fn share(&self) -> Share {
        Share { rank: self.world.rank(), of: self.count() }
    }

    /// The gradients of the whole batch of an update, of which this process made `share` (0 to 1), and whether any process is to stop
    /// after it. `same` are numbers that all processes must have alike, such as the update's.
    ///
    /// # Errors
    /// [`TrainError::Elsewhere`] where another process has failed, [`TrainError::Ranks`] where the numbers differ.
    pub fn combine(
        &self,
        (own, share): (Gradients, f64),
        stopped: bool,
        same: [u64; 2],
    ) -> Result<(Gradients, bool), TrainError> {
        if self.count() == 1 {
            return Ok((own, stopped));
        }
        let (failed, stopped) = self.meet(false, stopped, Some(same))?;
        match failed {
            true => Err(TrainError::Elsewhere),
            false => Ok((self.average(own, share), stopped)),
        }
    }

    /// The mean of a value over a batch, of which this process has its own over a `share`; none where any process has none.
    pub fn mean(&self, own: Option<(f64, f64)>) -> Option<f64> {
        let mut sums = own.map_or([0.0; 2], |(value, share)| [value * share, share]);
        self.world.add(&mut sums);
        // Shares add up to one where none is missing.
        (sums[1] > 1.0 - 1e-9).then_some(sums[0])
    }

    /// The last that all processes do together.
    ///
    /// # Errors
    /// That of this process, or [`TrainError::Elsewhere`].
    pub fn depart(&self, ended: Result<Ended, TrainError>) -> Result<Ended, TrainError> {
        if self.count() == 1 {
            return ended;
        }
        // All know of an error that was met with.
        if !matches!(ended, Err(TrainError::Elsewhere | TrainError::Ranks(_)))
            && self.meet(ended.is_err(), false, None)?.0
        {
            return ended.and(Err(TrainError::Elsewhere));
        }
        ended
    }

    /// Whether any process failed, and whether any is to stop. `same` is none for one that departs.
    fn meet(&self, failed: bool, stopped: bool, same: Option<[u64; 2]>) -> Result<(bool, bool), TrainError> {
        let flag = |flag: bool| f64::from(u8::from(flag));
        let [least, most] = same.map_or([[f64::NEG_INFINITY; 2]; 2], |same| {
            let same = same.map(|value| value as f64);
            [same.map(|value| -value), same]
        });
        let mut all = [
            flag(failed),
            flag(stopped),
            flag(same.is_some()),
            flag(same.is_none()),
            least[0],
            most[0],
            least[1],
            most[1],
        ];
        self.world.most(&mut all);
        let [failed, stopped, on, off, numbers @ ..] = all;
        let alike = numbers.chunks(2).all(|pair| -pair[0] == pair[1]);
        if failed == 0.0 && on > 0.0 && (off > 0.0 || !alike) {
            let reason = "they do not have the same checkpoint or data: all of them need the same files";
            return Err(TrainError::Ranks(reason.to_owned()));
        }
        Ok((failed > 0.0, stopped > 0.0))
    }

    /// The gradients of the whole batch, of which this process made `share`.
    fn average(&self, gradients: Gradients, share: f64) -> Gradients {
        let Gradients { loss, values, .. } = gradients;
        let mut sum = [loss * share];
        self.world.add(&mut sum);
        let lengths: Vec<usize> = values.values().map(|value| value.dims()[0]).collect();
        let (names, values): (Vec<String>, Vec<Tensor<1>>) = values.into_iter().unzip();
        let all = Tensor::cat(values, 0).mul_scalar(share);
        let device = all.device();
        let mut all: Vec<f32> = all.into_data().iter::<f32>().collect();
        self.world.add(&mut all);
        let all = Tensor::<1>::from_data(TensorData::new(all, [lengths.iter().sum::<usize>()]), &device);
        let values = names.into_iter().zip(all.split_with_sizes(lengths, 0)).collect();
        let norm = parameters::norm(&values);
        Gradients { loss: sum[0], values, norm }
    }
}

/// What a process that does not lead tells: pictures that it alone met.
pub(super) struct Quiet<'a> {
    pub watcher: &'a mut dyn Watcher,
    pub started: bool,
}

impl Watcher for Quiet<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { .. } => self.started = true,
            Event::Note(_) if self.started => self.watcher.event(event),
            _ => {}
        }
    }

    fn stopped(&self) -> bool {
        self.watcher.stopped()
    }
}
