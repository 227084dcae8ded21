//! Drives the queue of one model version.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use hyper::StatusCode;
use tokio::sync::oneshot;

use super::queue::{Decision, Dropped, Item, Policy, Queue};
use crate::inference::request_error::RequestError;
use crate::models::versions::ServedVersion;
use crate::observability::metrics::BatchMetrics;

/// Puts the requests for one model version together and hands each its part of the answer.
#[derive(Debug)]
pub(crate) struct Batcher {
    timeout: Duration,
    metrics: BatchMetrics,
    state: Mutex<State>,
    rows_max: usize,
}

#[derive(Debug)]
struct State {
    queue: Queue<Request>,
    /// When somebody will take a turn next.
    alarm: Option<Instant>,
}

#[derive(Debug)]
struct Request {
    model: Arc<ServedVersion>,
    batch: RecordBatch,
    answer: oneshot::Sender<Result<RecordBatch, RequestError>>,
}

impl Batcher {
    pub(crate) fn new(policy: Policy, timeout: Duration, metrics: BatchMetrics) -> Arc<Self> {
        let queue = Queue::new(policy, |request: &Request| request.answer.is_closed());
        let state = Mutex::new(State { queue, alarm: None });
        Arc::new(Self { timeout, metrics, state, rows_max: policy.rows_max })
    }

    /// Larger requests gain nothing from company.
    pub(crate) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Predicts the rows of `batch` together with those of others. A caller that goes away before its turn costs
    /// nothing.
    pub(crate) async fn predict(
        self: &Arc<Self>,
        model: Arc<ServedVersion>,
        batch: RecordBatch,
    ) -> Result<RecordBatch, RequestError> {
        self.metrics.joined(batch.num_rows());
        let (answer, answered) = oneshot::channel();
        let arrived = Instant::now();
        let item = Item {
            rows: batch.num_rows(),
            arrived,
            deadline: arrived + self.timeout,
            payload: Request { model, batch, answer },
        };
        if self.state().queue.arrive(item).is_err() {
            self.metrics.refused.increment(1);
            let message = "the batching queue of the model is full: try again shortly";
            return Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message));
        }
        self.advance();
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError::internal("a batch ended without an answer")),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> RequestError {
        let timeout = self.timeout;
        RequestError::new(StatusCode::GATEWAY_TIMEOUT, format!("there is no answer after {timeout:?}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what can be started.
    fn advance(self: &Arc<Self>) {
        while let Some(batch) = self.turn() {
            let batcher = Arc::clone(self);
            tokio::task::spawn_blocking(move || batcher.work(batch));
        }
    }

    /// Runs a batch, and whatever can run when it has, so that a busy model needs no new thread for each.
    fn work(self: &Arc<Self>, first: Vec<Item<Request>>) {
        let mut next = Some(first);
        while let Some(batch) = next {
            self.run(batch);
            self.state().queue.finished();
            next = self.turn();
        }
    }

    /// The next batch, if there is one for now; where there will be one later somebody is set to come back.
    fn turn(self: &Arc<Self>) -> Option<Vec<Item<Request>>> {
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
            // Who left meanwhile misses nothing.
            let _ = item.payload.answer.send(Err(self.late()));
        }
        match turn {
            Decision::Run(batch) => Some(batch),
            Decision::Wait(_) | Decision::Idle => None,
        }
    }

    fn run(&self, items: Vec<Item<Request>>) {
        let now = Instant::now();
        let rows = items.iter().map(|item| item.rows).sum();
        self.metrics.ran(rows, items.iter().map(|item| now - item.arrived));
        let (rows, requests): (Vec<usize>, Vec<Request>) =
            items.into_iter().map(|item| (item.rows, item.payload)).unzip();
        let together = match &requests[..] {
            [request] => predict(&request.model, &request.batch).map(Some),
            requests => Ok(predict_together(requests)),
        };
        let mut from = 0;
        for (rows, request) in rows.into_iter().zip(requests) {
            let answer = match &together {
                Ok(Some(all)) => Ok(all.slice(from, rows)),
                // One request that cannot be answered must not take the others with it.
                Ok(None) => predict(&request.model, &request.batch),
                Err(error) => Err(error.clone()),
            };
            from += rows;
            // Who left meanwhile misses nothing.
            let _ = request.answer.send(answer);
        }
    }
}

/// `None` where the batch does not work as a whole.
fn predict_together(requests: &[Request]) -> Option<RecordBatch> {
    let first = requests.first()?;
    let all = concat_batches(first.batch.schema_ref(), requests.iter().map(|request| &request.batch)).ok()?;
    predict(&first.model, &all).ok().filter(|predictions| predictions.num_rows() == all.num_rows())
}

fn predict(model: &ServedVersion, batch: &RecordBatch) -> Result<RecordBatch, RequestError> {
    let panicked = |_| RequestError::internal("a fault of the server: answering the request panicked");
    let predicted =
        std::panic::catch_unwind(AssertUnwindSafe(|| model.model.predict_tensors(batch))).map_err(panicked)?;
    Ok(predicted?)
}
