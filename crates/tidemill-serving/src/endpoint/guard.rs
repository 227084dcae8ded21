//! What stands before a model: its limits and its circuit breaker; and the counters of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::{Breaker, BreakerStatus};
use super::spec::{BreakerSpec, LimitsSpec};
use crate::inference::request_error::RequestError;

/// What a model did in an endpoint, since it has been part of it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) rows: AtomicU64,
    /// Answers that were errors of the model, not of the client.
    pub(super) errors: AtomicU64,
    /// Requests rejected by limits or the breaker.
    pub(super) rejected: AtomicU64,
    /// Requests that something else answered in its place.
    pub(super) fallbacks: AtomicU64,
    pub(super) cache_hits: AtomicU64,
    pub(super) cache_misses: AtomicU64,
    /// Time spent on requests, in microseconds.
    pub(super) micros: AtomicU64,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// Limits and breaker of one model.
#[derive(Debug)]
pub(super) struct Guard {
    limits: LimitsSpec,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    breaker: Option<Breaker>,
    pub(super) counters: Arc<Counters>,
}

/// A request in work. Dropped without an outcome, it counts as cancelled.
#[derive(Debug)]
pub(super) struct Entry {
    guard: Arc<Guard>,
    started: Instant,
    _place: Option<OwnedSemaphorePermit>,
    done: bool,
}

/// How a request may go on.
pub(super) enum Admission {
    /// At once.
    Now(Entry),
    /// When a place is free.
    Wait(Waiting),
}

/// A request in the queue of a model.
pub(super) struct Waiting {
    guard: Arc<Guard>,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Waiting {
    /// Waits for a place.
    pub(super) async fn enter(self) -> Result<Entry, RequestError> {
        let place = Arc::clone(&self.guard.places).acquire_owned().await;
        let place = place.map_err(|_| RequestError::internal("the limit of a model is gone"))?;
        Ok(Entry::new(&self.guard, Some(place)))
    }
}

impl Guard {
    pub(super) fn new(limits: LimitsSpec, breaker: Option<BreakerSpec>, counters: Arc<Counters>) -> Self {
        let places = limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limits,
            places: Arc::new(Semaphore::new(places)),
            waiting: Arc::default(),
            breaker: breaker.map(Breaker::new),
            counters,
        }
    }

    /// The time for an answer.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.limits.timeout_ms.map(Duration::from_millis)
    }

    /// Lets a request in, or rejects it.
    pub(super) fn admit(self: &Arc<Self>, name: &str) -> Result<Admission, RequestError> {
        let rejected = |message: String| {
            add(&self.counters.rejected, 1);
            Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message))
        };
        if let Some(breaker) = &self.breaker
            && let Err(left) = breaker.admit(Instant::now())
        {
            let secs = left.as_secs_f64().ceil();
            return rejected(format!("model `{name}` fails too often: it is left alone for another {secs} s"));
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Admission::Now(Entry::new(self, Some(place))));
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Waiting { guard: Arc::clone(self), waiting: Arc::clone(&self.waiting) };
        if waiting >= self.limits.queue {
            drop(place);
            if let Some(breaker) = &self.breaker {
                breaker.cancelled();
            }
            let (works, queue) = (self.limits.concurrency, self.limits.queue);
            return rejected(format!("model `{name}` works on {works} requests, and {queue} wait: try again shortly"));
        }
        Ok(Admission::Wait(place))
    }

    /// Requests in work and waiting.
    pub(super) fn load(&self) -> (usize, usize) {
        let limit = self.limits.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        (limit.saturating_sub(self.places.available_permits()), self.waiting.load(Ordering::Relaxed))
    }

    /// The state of the breaker, if there is one.
    pub(super) fn breaker(&self) -> Option<BreakerStatus> {
        self.breaker.as_ref().map(|breaker| breaker.status(Instant::now()))
    }
}

impl Entry {
    fn new(guard: &Arc<Guard>, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { guard: Arc::clone(guard), started: Instant::now(), _place: place, done: false }
    }

    /// Records the outcome of the request.
    pub(super) fn end<T>(mut self, result: &Result<T, RequestError>, rows: usize) {
        self.done = true;
        let (now, failed) = (Instant::now(), result.as_ref().err().is_some_and(is_fault));
        let took = now.saturating_duration_since(self.started);
        let counters = &self.guard.counters;
        add(&counters.requests, 1);
        add(&counters.rows, rows);
        add(&counters.errors, usize::from(failed));
        counters.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        if let Some(breaker) = &self.guard.breaker {
            breaker.record(now, failed, took);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(breaker) = self.guard.breaker.as_ref().filter(|_| !self.done) {
            breaker.cancelled();
        }
    }
}

/// Whether an error is one of the server or the model: another model may answer, and the breaker counts it. Mistakes of
/// clients are not.
pub(super) fn is_fault(error: &RequestError) -> bool {
    let ours = error.status.is_server_error() && error.status != StatusCode::NOT_IMPLEMENTED;
    ours || error.status == StatusCode::TOO_MANY_REQUESTS
}
