//! What answers in place of a model that fails.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use hyper::StatusCode;

use super::cache::Freshness;
use super::call::{Answer, Call, Outcome, Step};
use super::graph::{From, Graph};
use super::guard::{add, is_fault};
use super::memory::assembled;
use super::rows::{row_keys, take_rows};
use crate::inference::request_error::RequestError;

/// Something that answers in place of a model.
#[derive(Debug)]
pub(super) enum Fallback {
    /// The last answers to equal rows.
    Cached,
    /// An error: 503.
    Unavailable,
    /// These outputs: a batch of one row.
    Outputs(RecordBatch),
    /// Another model.
    Model(usize),
}

impl Graph {
    /// Answers a request that a model failed to answer with `error`. If no fallback answers, this is the result.
    pub(super) fn fall_back(self: &Arc<Self>, at: usize, call: Call, from: From, error: RequestError) -> Step {
        let node = &self.nodes[at];
        tracing::debug!(model = node.name, error = error.message, "a fallback answers");
        add(&node.guard.counters.fallbacks, 1);
        self.fall_back_after(at, 0, call, from, error)
    }

    /// As [`fall_back`](Self::fall_back), without the fallbacks before `first`.
    fn fall_back_after(self: &Arc<Self>, at: usize, first: usize, call: Call, from: From, error: RequestError) -> Step {
        let node = &self.nodes[at];
        for (index, fallback) in node.fallback.iter().enumerate().skip(first) {
            match fallback {
                // Rows in other models have other columns than those that are remembered.
                Fallback::Cached if from == From::Model => {}
                Fallback::Cached => {
                    if let Some(outcome) = self.remembered(at, &call) {
                        return Step::Done(outcome.map(|answer| self.named_after(at, answer)));
                    }
                }
                Fallback::Unavailable => {
                    let message = format!("model `{}` is not available: {}", node.name, error.message);
                    return Step::failed(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, message));
                }
                Fallback::Outputs(row) => {
                    let predictions = take_rows(row, &vec![0; call.batch.num_rows()]);
                    let answer = |predictions| Answer { predictions, version: None, trail: Arc::from("default") };
                    return Step::Done(predictions.map(|rows| self.named_after(at, answer(rows))));
                }
                Fallback::Model(other) => {
                    let (graph, other) = (Arc::clone(self), *other);
                    // Another model answers without its own fallbacks: those of the first one go on.
                    return match self.start_plain(other, call.clone(), from) {
                        Step::Done(Err(next)) if is_fault(&next) => {
                            self.fall_back_after(at, index + 1, call, from, error)
                        }
                        Step::Done(outcome) => Step::Done(outcome.map(|answer| self.named_after(at, answer))),
                        Step::Later(work) => Step::later(async move {
                            match work.await {
                                Err(next) if is_fault(&next) => {
                                    graph.fall_back_after(at, index + 1, call, from, error).finish().await
                                }
                                outcome => outcome.map(|answer| graph.named_after(at, answer)),
                            }
                        }),
                    };
                }
            }
        }
        Step::failed(error)
    }

    fn named_after(&self, at: usize, answer: Answer) -> Answer {
        let trail = format!("{} > {}", self.nodes[at].name, answer.trail);
        Answer { trail: Arc::from(trail), ..answer }
    }

    /// The last answers to all rows, whatever their age; `None` if there is none for some row.
    fn remembered(&self, at: usize, call: &Call) -> Option<Outcome> {
        let (node, cache) = (&self.nodes[at], self.cache.as_ref()?);
        let now = Instant::now();
        let keys = row_keys(&call.batch, node.keyed_by.as_deref(), node.seed);
        let rows: Option<Vec<_>> = keys.iter().map(|key| cache.get(*key, Freshness::Any, now)).collect();
        let predictions = assembled(&rows?, &self.outputs);
        Some(predictions.map(|predictions| Answer { predictions, version: None, trail: Arc::from("cached") }))
    }
}
