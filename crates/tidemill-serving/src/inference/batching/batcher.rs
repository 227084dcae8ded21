//! Drives the queue of one model version.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use hyper::StatusCode;
use tidemill_model::Explanation;
use tokio::sync::oneshot;

use super::queue::{Decision, Dropped, Item, Policy, Queue};
use crate::inference::compute_pool::{ComputePool, late};
use crate::inference::request::InferenceRequest;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::inference::target::{Inference, Target, Thread};
use crate::models::versions::{ServedVersion, VersionTarget};
use crate::observability::metrics::BatchMetrics;

/// A model version whose requests run together: each gets its part of the answer.
#[derive(Debug)]
pub(crate) struct Batcher {
    version: ServedVersion,
    /// Itself, for the requests in its queue: a version with requests stays in memory.
    me: Weak<Self>,
    timeout: Duration,
    metrics: BatchMetrics,
    state: Mutex<State>,
    rows_max: usize,
}

#[derive(Debug)]
struct State {
    queue: Queue<WaitingRequest>,
    /// When a thread will next call `turn`.
    alarm: Option<Instant>,
}

/// A request in the queue.
#[derive(Debug)]
struct WaitingRequest {
    /// Keeps the version in memory.
    _batcher: Arc<Batcher>,
    request: InferenceRequest,
    answer: oneshot::Sender<Result<InferenceResponse, RequestError>>,
}

impl Target for Batcher {
    fn signature(&self) -> &TargetSignature {
        self.version.signature()
    }

    fn compute_pool(&self) -> &ComputePool {
        self.version.compute_pool()
    }

    /// A request whose receiver is dropped before its turn costs nothing.
    fn infer(&self, request: InferenceRequest, thread: Thread<'_>) -> Inference {
        let rows = request.batch.num_rows();
        // Batching gains nothing for larger requests.
        let Some(me) = self.me.upgrade().filter(|_| rows <= self.rows_max) else {
            return self.version.infer(request, thread);
        };
        self.metrics.joined(rows);
        let (answer, answered) = oneshot::channel();
        let arrived = Instant::now();
        let deadline = arrived + request.timeout.min(self.timeout);
        let item =
            Item { rows, arrived, deadline, payload: WaitingRequest { _batcher: Arc::clone(&me), request, answer } };
        if self.state().queue.push(item).is_err() {
            self.metrics.refused.increment(1);
            let message = "the batching queue of the model is full: try again shortly";
            return Inference::Done(Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message)));
        }
        me.advance();
        Inference::Pending(answered)
    }

    fn explain(&self, batch: &RecordBatch, trees: usize) -> Result<Explanation, RequestError> {
        self.version.explain(batch, trees)
    }
}

impl VersionTarget for Batcher {
    fn version(&self) -> &ServedVersion {
        &self.version
    }
}

impl Batcher {
    pub(crate) fn new(version: ServedVersion, policy: Policy, timeout: Duration, metrics: BatchMetrics) -> Arc<Self> {
        let queue = Queue::new(policy, |waiting: &WaitingRequest| waiting.answer.is_closed());
        let state = Mutex::new(State { queue, alarm: None });
        Arc::new_cyclic(|me| Self { version, me: me.clone(), timeout, metrics, state, rows_max: policy.rows_max })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what can be started.
    fn advance(self: &Arc<Self>) {
        while let Some(batch) = self.turn() {
            let batcher = Arc::clone(self);
            tokio::task::spawn_blocking(move || batcher.run_batches(batch));
        }
    }

    /// Runs a batch, then every batch that can run after it, so that a busy model needs no new thread for each.
    fn run_batches(self: &Arc<Self>, first: Vec<Item<WaitingRequest>>) {
        let mut next = Some(first);
        while let Some(batch) = next {
            self.run(batch);
            self.state().queue.finished();
            next = self.turn();
        }
    }

    /// The next batch to run now. If one is due later, this schedules a wake-up for it.
    fn turn(self: &Arc<Self>) -> Option<Vec<Item<WaitingRequest>>> {
        let now = Instant::now();
        let mut dropped = Dropped::default();
        let (turn, alarm) = {
            let mut state = self.state();
            let turn = state.queue.turn(now, &mut dropped);
            let alarm = match &turn {
                Decision::Wait(at) if state.alarm.is_none_or(|alarm| alarm > *at) => {
                    state.alarm = Some(*at);
                    Some(*at)
                }
                _ => None,
            };
            (turn, alarm)
        };
        if let Some(at) = alarm {
            let batcher = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep_until(at.into()).await;
                {
                    let mut state = batcher.state();
                    if state.alarm == Some(at) {
                        state.alarm = None;
                    }
                }
                batcher.advance();
            });
        }
        if dropped.gone > 0 {
            self.metrics.gone.increment(dropped.gone as u64);
        }
        for item in dropped.late {
            self.metrics.late.increment(1);
            // The client may have left meanwhile; then the answer is dropped.
            let _ = item.payload.answer.send(Err(late(self.timeout)));
        }
        match turn {
            Decision::Run(batch) => Some(batch),
            Decision::Wait(_) | Decision::Idle => None,
        }
    }

    fn run(&self, items: Vec<Item<WaitingRequest>>) {
        let now = Instant::now();
        let rows = items.iter().map(|item| item.rows).sum();
        self.metrics.ran(rows, items.iter().map(|item| now - item.arrived));
        let together = match &items[..] {
            [item] => self.predict(&item.payload.request.batch).map(Some),
            items => Ok(self.predict_together(items)),
        };
        let mut from = 0;
        for Item { rows, arrived, payload: WaitingRequest { request, answer, .. }, .. } in items {
            let predictions = match &together {
                Ok(Some(all)) => Ok(all.slice(from, rows)),
                // One request that cannot be answered must not fail the others in its batch.
                Ok(None) => self.predict(&request.batch),
                Err(error) => Err(error.clone()),
            };
            from += rows;
            if predictions.is_ok() {
                self.version.ran(request.operation, rows, arrived.elapsed());
            }
            // The client may have left meanwhile; then the answer is dropped.
            let _ = answer.send(predictions.map(|predictions| self.version.response(predictions)));
        }
    }

    /// `None` if the batch as a whole fails.
    fn predict_together(&self, items: &[Item<WaitingRequest>]) -> Option<RecordBatch> {
        let batches = || items.iter().map(|item| &item.payload.request.batch);
        let all = concat_batches(batches().next()?.schema_ref(), batches()).ok()?;
        self.predict(&all).ok().filter(|predictions| predictions.num_rows() == all.num_rows())
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, RequestError> {
        let panicked = |_| RequestError::internal("answering the request panicked");
        std::panic::catch_unwind(AssertUnwindSafe(|| self.version.predict(batch))).map_err(panicked)?
    }
}
