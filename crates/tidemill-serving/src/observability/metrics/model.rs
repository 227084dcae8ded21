//! The series of one model, stored with its versions.

use std::fmt;
use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::protocol::operation::Operation;

/// The series of a model that batches.
pub(crate) struct BatchMetrics {
    pub(super) rows: [Histogram; 2],
    pub(super) queue: Histogram,
    pub(super) tfs_queue: Histogram,
    pub(super) runs: Counter,
    pub(super) input: Histogram,
    pub(super) padding: Histogram,
    /// Requests whose client has left.
    pub(crate) gone: Counter,
    /// Requests whose deadline has passed.
    pub(crate) late: Counter,
    /// Requests that found the queue full.
    pub(crate) refused: Counter,
}

impl fmt::Debug for BatchMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchMetrics").finish_non_exhaustive()
    }
}

impl BatchMetrics {
    /// Records that a request of `rows` rows joins the queue.
    pub(crate) fn joined(&self, rows: usize) {
        self.input.record(rows as f64);
    }

    /// Records that a batch of `rows` rows is about to run, and how long its requests have waited.
    pub(crate) fn ran(&self, rows: usize, waited: impl Iterator<Item = Duration>) {
        self.runs.increment(1);
        self.padding.record(0.0);
        for histogram in &self.rows {
            histogram.record(rows as f64);
        }
        for waited in waited {
            self.queue.record(waited.as_secs_f64());
            self.tfs_queue.record(waited.as_secs_f64() * 1e6);
        }
    }
}

/// The series of a model's predictions.
#[derive(Clone)]
pub(crate) struct ModelMetrics {
    /// Predict, classify, regress.
    pub(super) runtime: [Histogram; 3],
    pub(super) examples: Histogram,
    pub(super) examples_total: Counter,
}

impl fmt::Debug for ModelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelMetrics").finish_non_exhaustive()
    }
}

impl ModelMetrics {
    /// Records that the model has predicted `rows` rows for a request.
    pub(crate) fn ran(&self, operation: Operation, rows: usize, took: Duration) {
        let place = match operation {
            Operation::Classify => 1,
            Operation::Regress => 2,
            _ => 0,
        };
        self.runtime[place].record(took.as_secs_f64() * 1e6);
        if place > 0 {
            self.examples.record(rows as f64);
            self.examples_total.increment(rows as u64);
        }
    }
}
