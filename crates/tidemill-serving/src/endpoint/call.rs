//! A request inside an endpoint, its answer, and the way from one to the other.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;

use crate::inference::compute_pool::late;
use crate::inference::context::RequestAttributes;
use crate::inference::request_error::RequestError;
use crate::protocol::operation::Operation;

/// Rows for a model of an endpoint. Clones share the rows.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) batch: RecordBatch,
    pub(super) operation: Operation,
    /// When the client stops waiting.
    pub(super) deadline: Instant,
    pub(super) attributes: Option<Arc<RequestAttributes>>,
}

/// The answer of a model of an endpoint: a column for each output tensor, a row for each row.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) predictions: RecordBatch,
    /// The version that answered, if one version did.
    pub(super) version: Option<u64>,
    /// What answered: `champion/3`, `night > rules`.
    pub(super) trail: Arc<str>,
}

pub(super) type Outcome = Result<Answer, RequestError>;

/// Work that cannot be done at once.
pub(super) type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The answer, or the work that leads to it. Work does nothing until it is awaited, and ends when it is dropped.
pub(super) enum Step {
    Done(Outcome),
    Later(Work),
}

impl Step {
    /// A step that is an async block.
    pub(super) fn later(work: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self::Later(Box::pin(work))
    }

    /// A step that failed.
    pub(super) fn failed(error: RequestError) -> Self {
        Self::Done(Err(error))
    }

    /// Applies a function to the outcome.
    pub(super) fn map(self, change: impl FnOnce(Outcome) -> Outcome + Send + 'static) -> Self {
        match self {
            Self::Done(outcome) => Self::Done(change(outcome)),
            Self::Later(work) => Self::later(async move { change(work.await) }),
        }
    }

    /// Waits for the outcome.
    pub(super) async fn finish(self) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Later(work) => work.await,
        }
    }
}

impl Call {
    /// The time that is left.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The same request for other rows.
    pub(super) fn with_batch(&self, batch: RecordBatch) -> Self {
        Self { batch, ..self.clone() }
    }

    /// Waits for work until the deadline, or for `at_most`.
    pub(super) async fn in_time<T>(
        deadline: Instant,
        at_most: Option<Duration>,
        work: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        let started = Instant::now();
        let end = at_most.map_or(deadline, |at_most| deadline.min(started + at_most));
        let result = tokio::time::timeout_at(end.into(), work).await;
        result.unwrap_or_else(|_| Err(late(end.saturating_duration_since(started))))
    }
}
