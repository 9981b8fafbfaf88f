//! Batches, made ahead of their use on threads of their own. Which examples a batch holds depends on the seed and on its number
//! alone: not on the threads, nor on where the run began.

use super::super::draws::{Draws, Purpose};
use super::super::example::{Captioned, Example, prepare};
use super::super::{StageTask, TrainError};
use super::{Dataset, fit};
use crate::text::Tokenizer;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Batches that wait ready.
const AHEAD: usize = 2;

/// How batches are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Loading {
    /// Examples of a batch of the largest crops; of smaller crops there are more, so that a batch has the same pixels.
    pub batch: usize,
    /// Pixels per side of the crops, of which each batch has one.
    pub crops: Vec<usize>,
    /// Pixels that a picture's shorter side has to have.
    pub least: usize,
    /// Threads.
    pub workers: usize,
    pub share: Share,
}

/// The part of every batch that is made: each `of`th example, beginning with number `rank`, which is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub rank: usize,
    pub of: usize,
}

impl Share {
    pub const WHOLE: Self = Self { rank: 0, of: 1 };
}

/// The examples of one update.
#[derive(Debug)]
pub struct Batch {
    /// This process's [`Share`] of them.
    pub examples: Vec<Example>,
    /// How many the whole batch has.
    pub count: usize,
    /// Pictures that were found broken while it was made: their names, and why.
    pub broken: Vec<(String, String)>,
}

/// Makes batches from a position in the data on.
pub struct Loader {
    batches: Receiver<Result<Batch, TrainError>>,
}

/// Which picture each example is of: every pass over the data has an order of its own.
pub struct Order {
    seed: u64,
    count: usize,
    pass: Option<u64>,
    order: Vec<usize>,
}

impl Order {
    /// The order of `count` pictures.
    pub fn new(seed: u64, count: usize) -> Self {
        Self { seed, count, pass: None, order: Vec::new() }
    }

    /// The picture of the `number`th example.
    pub fn at(&mut self, number: u64) -> usize {
        let (pass, at) = (number / self.count as u64, (number % self.count as u64) as usize);
        if self.pass != Some(pass) {
            self.order = Draws::new(self.seed, pass, Purpose::Order).order(self.count);
            self.pass = Some(pass);
        }
        self.order[at]
    }
}

impl Loader {
    /// Starts making the batches from update `step` on, whose first example is the `first` of the run.
    ///
    /// # Errors
    /// [`TrainError::Setting`] where the threads cannot be had, [`TrainError::Empty`] for a set of no pictures.
    pub fn start(
        dataset: Arc<dyn Dataset>,
        mut task: StageTask,
        tokenizer: Tokenizer,
        loading: Loading,
        (seed, step, first): (u64, u64, u64),
    ) -> Result<Self, TrainError> {
        if dataset.is_empty() {
            let reason = "it lists no picture".to_owned();
            return Err(TrainError::Empty { path: "the data set".to_owned(), reason });
        }
        task.flip &= dataset.may_be_mirrored();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(loading.workers).build();
        let pool = pool.map_err(|error| TrainError::setting("workers", error))?;
        let order = Order::new(seed, dataset.len());
        let maker = Maker { dataset, task, tokenizer, loading, seed, order, broken: Mutex::default() };
        let (sender, batches) = sync_channel(AHEAD);
        std::thread::spawn(move || pool.install(|| maker.run(&sender, step, first)));
        Ok(Self { batches })
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`TrainError::Unreadable`] where no picture of the set can be used.
    pub fn next(&self) -> Result<Batch, TrainError> {
        let ended = |_| Err(TrainError::setting("data", "the threads that read it ended early"));
        self.batches.recv().unwrap_or_else(ended)
    }
}

struct Maker {
    dataset: Arc<dyn Dataset>,
    task: StageTask,
    tokenizer: Tokenizer,
    loading: Loading,
    seed: u64,
    order: Order,
    /// What is known to be broken, and why.
    broken: Mutex<BTreeMap<usize, String>>,
}

impl Maker {
    /// Makes batches until nobody wants them any more or one fails.
    fn run(mut self, sender: &SyncSender<Result<Batch, TrainError>>, mut step: u64, mut number: u64) {
        loop {
            let batch = self.batch(step, number);
            let made = batch.as_ref().map_or(0, |batch| batch.count as u64);
            let failed = batch.is_err();
            if sender.send(batch).is_err() || failed {
                return;
            }
            (step, number) = (step + 1, number + made);
        }
    }

    fn batch(&mut self, step: u64, first: u64) -> Result<Batch, TrainError> {
        let Loading { batch, crops, share, .. } = &self.loading;
        let size = crops[Draws::new(self.seed, step, Purpose::Batch).below(crops.len())];
        let largest = crops.iter().copied().max().unwrap_or(size);
        let count = batch * (largest / size).pow(2);
        let numbers = (first..first + count as u64).skip(share.rank).step_by(share.of);
        let numbers: Vec<(u64, usize)> = numbers.map(|number| (number, self.order.at(number))).collect();
        let before: Vec<usize> = self.known().keys().copied().collect();
        let examples = numbers.into_par_iter().map(|(number, index)| self.example(number, index, size));
        let examples = examples.collect::<Result<Vec<Example>, TrainError>>()?;
        let new = |(index, reason): (&usize, &String)| {
            (!before.contains(index)).then(|| (self.dataset.name(*index), reason.clone()))
        };
        let broken = self.known().iter().filter_map(new).collect();
        Ok(Batch { examples, count, broken })
    }

    /// The example of a picture, or of the first one behind it that is not broken.
    fn example(&self, number: u64, index: usize, size: usize) -> Result<Example, TrainError> {
        let count = self.dataset.len();
        for index in (index..count).chain(0..index) {
            if self.known().contains_key(&index) {
                continue;
            }
            match self.captioned(index) {
                // Cannot fail for what was read: crops fit the picture, and the tokenizer took the caption.
                Ok(captioned) => return prepare(&self.task, &self.tokenizer, &captioned, (self.seed, number), size),
                Err(reason) => self.known().insert(index, reason),
            };
        }
        let first =
            self.known().iter().next().map(|(index, reason)| format!("{}: {reason}", self.dataset.name(*index)));
        Err(TrainError::Unreadable { path: "the data set".to_owned(), count, first: first.unwrap_or_default() })
    }

    fn captioned(&self, index: usize) -> Result<Captioned, String> {
        let record = self.dataset.read(index)?;
        self.tokenizer.encode(&record.caption).map_err(|error| error.to_string())?;
        let picture = fit(&record.picture, self.task.image_size, self.loading.least)?;
        Ok(Captioned { picture, caption: record.caption })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, String>> {
        // Held for single operations, none of which panics.
        self.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
