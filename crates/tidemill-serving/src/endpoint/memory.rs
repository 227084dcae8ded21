//! Calls that the cache of predictions answers, in whole or in part.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{Float64Type, SchemaRef};

use super::cache::{CachedRow, Freshness, PredictionCache};
use super::call::{Answer, Call, Outcome, Step};
use super::graph::{Graph, fitted};
use super::guard::add;
use super::rows::{interleaved, row_keys, take_rows, with_columns};
use crate::inference::request_error::RequestError;

impl Graph {
    /// Calls a model for the rows that the cache lacks. Equal requests for one row that arrive meanwhile wait for the
    /// answer of the first.
    pub(super) fn start_cached(self: &Arc<Self>, at: usize, call: Call, cache: &Arc<PredictionCache>) -> Step {
        let node = &self.nodes[at];
        let now = Instant::now();
        let keys = row_keys(&call.batch, node.keyed_by.as_deref(), node.seed);
        let found: Vec<Option<CachedRow>> =
            keys.iter().map(|key| cache.get(*key, Freshness::Fresh(node.generation), now)).collect();
        let missing: Vec<usize> = (0..found.len()).filter(|row| found[*row].is_none()).collect();
        add(&node.guard.counters.cache_hits, found.len() - missing.len());
        add(&node.guard.counters.cache_misses, missing.len());
        if missing.is_empty() {
            let rows: Vec<CachedRow> = found.into_iter().flatten().collect();
            let answer =
                |predictions| Answer { predictions, version: node.version, trail: Arc::clone(&node.cached_label) };
            return Step::Done(assembled(&rows, &self.outputs).map(answer));
        }
        let alone = keys.len() == 1;
        if let Some(answered) = keys.first().filter(|_| alone).and_then(|key| cache.follow(*key)) {
            let graph = Arc::clone(self);
            return Step::later(async move {
                let waited = async { Ok(answered.await.ok()) };
                match Call::in_time(call.deadline, None, waited).await? {
                    Some(outcome) => outcome,
                    // The first request was given up.
                    None => graph.start_guarded(at, call).finish().await,
                }
            });
        }
        let rest = if missing.len() == keys.len() {
            Ok(call)
        } else {
            take_rows(&call.batch, &missing).map(|batch| call.with_batch(batch))
        };
        let rest = match rest {
            Ok(rest) => rest,
            Err(error) => return Step::failed(error),
        };
        let leader_key = keys.first().copied().filter(|_| alone);
        let remember = {
            let (graph, cache) = (Arc::clone(self), Arc::clone(cache));
            move |outcome: Outcome| graph.remember(at, &cache, &keys, found, &missing, outcome?)
        };
        match self.start_guarded(at, rest) {
            Step::Done(outcome) => Step::Done(remember(outcome)),
            Step::Later(work) => {
                let leader = leader_key.and_then(|key| cache.lead(key));
                Step::later(async move {
                    let outcome = remember(work.await);
                    if let Some(leader) = leader {
                        leader.tell(&outcome);
                    }
                    outcome
                })
            }
        }
    }

    /// Puts the answer to the missing rows into the cache, and makes one answer of all rows.
    fn remember(
        &self,
        at: usize,
        cache: &PredictionCache,
        keys: &[u128],
        found: Vec<Option<CachedRow>>,
        missing: &[usize],
        answer: Answer,
    ) -> Outcome {
        let (node, now) = (&self.nodes[at], Instant::now());
        let predictions = fitted(answer.predictions, &self.outputs, &answer.trail)?;
        let number = match predictions.columns() {
            [only] => only.as_primitive_opt::<Float64Type>(),
            _ => None,
        };
        for (place, row) in missing.iter().enumerate() {
            let cached = match number {
                Some(numbers) => CachedRow::Number(numbers.value(place)),
                None => CachedRow::Row(take_rows(&predictions, &[place])?),
            };
            cache.put(keys[*row], node.generation, cached, now);
        }
        if missing.len() == keys.len() {
            return Ok(Answer { predictions, ..answer });
        }
        let (mut order, mut hits, mut misses) = (Vec::with_capacity(keys.len()), Vec::new(), 0);
        for row in found {
            match row {
                Some(row) => {
                    order.push((0, hits.len()));
                    hits.push(row);
                }
                None => {
                    order.push((1, misses));
                    misses += 1;
                }
            }
        }
        let hits = assembled(&hits, &self.outputs)?;
        Ok(Answer { predictions: interleaved(&[&hits, &predictions], &order)?, ..answer })
    }
}

/// The batch of remembered rows, with these outputs.
pub(super) fn assembled(rows: &[CachedRow], outputs: &SchemaRef) -> Result<RecordBatch, RequestError> {
    let numbers: Option<Vec<f64>> = rows
        .iter()
        .map(|row| match row {
            CachedRow::Number(number) => Some(*number),
            CachedRow::Row(_) => None,
        })
        .collect();
    if let Some(numbers) = numbers {
        let column: ArrayRef = Arc::new(Float64Array::from(numbers));
        return with_columns(Arc::clone(outputs), vec![column], rows.len());
    }
    let batches: Option<Vec<&RecordBatch>> = rows
        .iter()
        .map(|row| match row {
            CachedRow::Row(batch) => Some(batch),
            CachedRow::Number(_) => None,
        })
        .collect();
    let batches = batches.ok_or_else(|| RequestError::internal("the cache has rows of two kinds"))?;
    let order: Vec<(usize, usize)> = (0..batches.len()).map(|at| (at, 0)).collect();
    interleaved(&batches, &order)
}
