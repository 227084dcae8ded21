//! Shadows: models that receive copies of requests after the answer, and whose answers are only compared.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tidemill_core::SplitMix64;
use tokio::sync::Semaphore;

use super::call::{Call, Outcome};
use super::graph::{From, Graph, first_numbers, fitted};
use super::rows::row_keys;
use super::spec::ShadowSpec;

/// A probability of at least this is a yes, for the share of decisions that differ.
const DECISION: f64 = 0.5;

/// A model that receives copies of requests.
#[derive(Debug)]
pub(super) struct Shadow {
    pub(super) name: String,
    pub(super) node: usize,
    /// Of 2⁶⁴ draws, how many choose a request.
    share: f64,
    timeout: Duration,
    pub(super) state: Arc<ShadowState>,
}

/// What a shadow has seen; kept while the endpoint changes.
#[derive(Debug)]
pub(super) struct ShadowState {
    places: Arc<Semaphore>,
    places_max: usize,
    seen: AtomicU64,
    /// Copies that were not made, as too many were in work.
    pub(super) dropped: AtomicU64,
    pub(super) compared: Mutex<Compared>,
}

/// Pairs of answers, compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Compared {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) last_error: Option<String>,
    /// Rows with both answers.
    pub(super) pairs: u64,
    pub(super) equal: u64,
    /// Pairs of numbers.
    pub(super) numbers: u64,
    pub(super) difference_sum: f64,
    pub(super) difference_max: f64,
    pub(super) answer_sum: f64,
    pub(super) shadow_sum: f64,
    /// Pairs on different sides of one half.
    pub(super) decisions_differ: u64,
    pub(super) micros: u64,
}

impl ShadowState {
    pub(super) fn new(pending_max: usize) -> Self {
        let places_max = pending_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            seen: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            compared: Mutex::default(),
        }
    }

    pub(super) fn pending_max(&self) -> usize {
        self.places_max
    }

    /// Copies in work.
    pub(super) fn pending(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    pub(super) fn compared(&self) -> Compared {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, answer: &RecordBatch, outcome: &Outcome, outputs: &SchemaRef, took: Duration) {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.requests += 1;
        compared.micros += took.as_micros() as u64;
        let fit = |outcome: &Outcome| match outcome {
            Ok(shadow) => fitted(shadow.predictions.clone(), outputs, &shadow.trail),
            Err(error) => Err(error.clone()),
        };
        match fit(outcome) {
            Ok(shadow) => compared.pair(answer, &shadow),
            Err(error) => {
                compared.errors += 1;
                compared.last_error = Some(error.message);
            }
        }
    }
}

impl Compared {
    /// Compares two answers to the same rows.
    fn pair(&mut self, answer: &RecordBatch, shadow: &RecordBatch) {
        let (ours, theirs) = (row_keys(answer, None, 0), row_keys(shadow, None, 0));
        self.pairs += ours.len() as u64;
        self.equal += ours.iter().zip(&theirs).filter(|(ours, theirs)| ours == theirs).count() as u64;
        let (Some(ours), Some(theirs)) = (first_numbers(answer), first_numbers(shadow)) else { return };
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            let difference = (ours - theirs).abs();
            if difference.is_nan() {
                continue;
            }
            self.numbers += 1;
            self.difference_sum += difference;
            self.difference_max = self.difference_max.max(difference);
            self.answer_sum += ours;
            self.shadow_sum += theirs;
            self.decisions_differ += u64::from((ours >= DECISION) != (theirs >= DECISION));
        }
    }
}

impl Shadow {
    pub(super) fn new(spec: &ShadowSpec, node: usize, state: Arc<ShadowState>) -> Self {
        let (name, timeout) = (spec.to.clone(), Duration::from_millis(spec.timeout_ms));
        Self { name, node, share: spec.share / 100.0, timeout, state }
    }

    /// Sends a copy of an answered request, unless it is not in the share or too many copies are in work. The client
    /// has its answer already, or gets it at the same time: nothing waits for the copy.
    pub(super) fn send(&self, graph: &Arc<Graph>, call: Call, answer: RecordBatch) {
        let number = self.state.seen.fetch_add(1, Ordering::Relaxed);
        if self.share < 1.0 && SplitMix64::nth(number) >= (self.share * 2f64.powi(64)) as u64 {
            return;
        }
        let Ok(place) = Arc::clone(&self.state.places).try_acquire_owned() else {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (graph, node, state, timeout) = (Arc::clone(graph), self.node, Arc::clone(&self.state), self.timeout);
        tokio::spawn(async move {
            let started = Instant::now();
            let call = Call { deadline: started + timeout, ..call };
            let work = async { graph.start_guarded_later(node, call).await };
            let outcome = Call::in_time(started + timeout, None, work).await;
            state.record(&answer, &outcome, &graph.outputs, started.elapsed());
            drop(place);
        });
    }
}

impl Graph {
    /// Calls a model on the current task.
    async fn start_guarded_later(self: &Arc<Self>, node: usize, call: Call) -> Outcome {
        self.start(node, call, From::Model).finish().await
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Float64Array};

    use super::*;

    #[test]
    fn pairs_are_compared_by_their_first_number() {
        let of = |values: Vec<f64>| {
            RecordBatch::try_from_iter([("p", Arc::new(Float64Array::from(values)) as ArrayRef)]).unwrap()
        };
        let mut compared = Compared::default();
        compared.pair(&of(vec![0.2, 0.4, 0.9, f64::NAN]), &of(vec![0.2, 0.6, 0.8, 0.5]));
        assert_eq!((compared.pairs, compared.equal, compared.numbers), (4, 1, 3));
        assert_eq!(compared.decisions_differ, 1);
        assert!((compared.difference_sum - 0.3).abs() < 1e-12 && (compared.difference_max - 0.2).abs() < 1e-12);
    }
}
