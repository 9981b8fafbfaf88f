//! Progress and cancellation while weights are read and pipelines are made.
//!
//! Loading happens deep inside other modules that know no observer. So a [`Source`] that counts is put under them; it
//! gives way after every read, and [`watch`] reports and asks for cancellation whenever the work gives way.

use super::{CascadeError, Event, Observer};
use crate::weights::{Source, WeightsError};
use async_trait::async_trait;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// Counters of one part's loading, shared between the work and its watcher.
#[derive(Debug, Default)]
pub(super) struct Loading {
    bytes: Cell<u64>,
    total: Cell<u64>,
    pipelines: Cell<usize>,
    all_pipelines: Cell<usize>,
}

impl Loading {
    /// Counts from the start again: what was read once is read anew.
    pub(super) fn restart(&self) {
        self.bytes.set(0);
    }

    /// Tells that `done` of `total` pipelines are made.
    pub(super) fn compiled(&self, done: usize, total: usize) {
        self.pipelines.set(done);
        self.all_pipelines.set(total);
    }
}

/// A source that counts what is read from it.
pub(super) struct Counted {
    inner: Box<dyn Source>,
    loading: Rc<Loading>,
}

impl Counted {
    pub(super) fn new(inner: Box<dyn Source>, loading: &Rc<Loading>) -> Self {
        loading.total.set(inner.len());
        Self { inner, loading: Rc::clone(loading) }
    }
}

#[async_trait(?Send)]
impl Source for Counted {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    async fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, WeightsError> {
        let bytes = self.inner.read(offset, length).await?;
        let done = (self.loading.bytes.get() + length as u64).min(self.inner.len());
        self.loading.bytes.set(done);
        give_way().await;
        Ok(bytes)
    }
}

/// Lets the watcher look, once.
pub(super) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs `work`, reporting what `loading` counts as events of `part`, and drops it when the observer cancels.
pub(super) async fn watch<T>(
    work: impl Future<Output = Result<T, CascadeError>>,
    part: &str,
    loading: &Loading,
    observer: &mut dyn Observer,
) -> Result<T, CascadeError> {
    let mut work = pin!(work);
    let (mut bytes, mut pipelines) = (0, 0);
    poll_fn(|context| {
        let state = work.as_mut().poll(context);
        if loading.bytes.get() != bytes {
            bytes = loading.bytes.get();
            observer.event(Event::Loading { part: part.to_owned(), done: bytes, total: loading.total.get() });
        }
        if loading.pipelines.get() != pipelines {
            pipelines = loading.pipelines.get();
            let total = loading.all_pipelines.get();
            observer.event(Event::Compiling { part: part.to_owned(), done: pipelines, total });
        }
        if state.is_pending() && observer.cancelled() {
            return Poll::Ready(Err(CascadeError::Cancelled));
        }
        state
    })
    .await
}
