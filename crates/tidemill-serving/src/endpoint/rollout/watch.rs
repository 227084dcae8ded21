//! Observes the answers of a model for a rollout.

use std::sync::Arc;
use std::time::Instant;

use hyper::header::HeaderName;
use xxhash_rust::xxh3::xxh3_64;

use super::{Outcome, Rollout};
use crate::endpoint::call::{self, Call};
use crate::endpoint::graph::first_numbers;
use crate::endpoint::guard::is_fault;
use crate::endpoint::rows::push_cell;

/// What is observed of a model.
#[derive(Debug)]
pub(in crate::endpoint) struct Watch {
    pub(in crate::endpoint) rollout: Arc<Rollout>,
    pub(in crate::endpoint) is_candidate: bool,
    pub(in crate::endpoint) unit: WatchedUnit,
}

/// Where the units of rows are.
#[derive(Debug)]
pub(in crate::endpoint) enum WatchedUnit {
    Input(usize),
    Header(HeaderName),
    None,
}

/// A request that is observed.
#[derive(Debug)]
pub(in crate::endpoint) struct Watching {
    rollout: Arc<Rollout>,
    is_candidate: bool,
    rows: usize,
    units: Vec<u64>,
    started: Instant,
}

impl Watch {
    /// Begins to observe a request, while the rollout is running.
    pub(in crate::endpoint) fn begin(&self, call: &Call) -> Option<Watching> {
        if !self.rollout.is_running() {
            return None;
        }
        let rows = call.batch.num_rows();
        let units = match &self.unit {
            WatchedUnit::Input(at) => {
                let mut bytes = Vec::new();
                let unit = |row| {
                    bytes.clear();
                    call.batch.columns().get(*at).into_iter().for_each(|column| push_cell(&mut bytes, column, row));
                    // A row without a unit is not drawn.
                    (bytes.len() > 1).then(|| xxh3_64(&bytes))
                };
                (0..rows).filter_map(unit).collect()
            }
            WatchedUnit::Header(name) => {
                let headers = call.attributes.as_ref().map(|attributes| &attributes.headers);
                let unit = headers.and_then(|headers| headers.get(name)).map(|unit| xxh3_64(unit.as_bytes()));
                unit.into_iter().collect()
            }
            WatchedUnit::None => Vec::new(),
        };
        let (rollout, is_candidate) = (Arc::clone(&self.rollout), self.is_candidate);
        Some(Watching { rollout, is_candidate, rows, units, started: Instant::now() })
    }
}

impl Watching {
    /// Reports the outcome. Mistakes of clients do not count.
    pub(in crate::endpoint) fn end(self, outcome: &call::Outcome) {
        let (failed, scores) = match outcome {
            Ok(answer) => (false, first_numbers(&answer.predictions).unwrap_or_default()),
            Err(error) if is_fault(error) => (true, Vec::new()),
            Err(_) => return,
        };
        let (is_candidate, rows, took) = (self.is_candidate, self.rows, self.started.elapsed());
        self.rollout.record(&Outcome { is_candidate, rows, failed, took, scores: &scores, units: &self.units });
    }
}
