//! How long a model takes for a row, as it would in the model server.

use std::time::{Duration, Instant};

use tidemill_core::ComponentError;
use tidemill_model::{FeatureBlock, Learner};

use crate::trainer::Prepared;

/// Predictions that are timed, and for how long at most.
const CALLS: usize = 300;
const CALLS_MIN: usize = 30;
const TIME_MAX: Duration = Duration::from_millis(200);
/// The share of calls that are at least as fast as what is reported.
const SHARE: f64 = 0.99;

/// What a row takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    /// From the raw row to the prediction, in microseconds.
    pub(super) whole_us: f64,
    /// The learner alone.
    pub(super) learner_us: f64,
}

/// The 99th percentile of what a row of raw input takes, one after the other: features and prediction, by the code that answers
/// requests.
pub(super) fn measure(prepared: &Prepared<'_>, learner: &Learner) -> Result<Option<Latency>, ComponentError> {
    let (sample, graph) = prepared.sample();
    if sample.num_rows() == 0 {
        return Ok(None);
    }
    let bound = graph.bind(&sample.schema())?;
    let rows: Vec<_> = (0..sample.num_rows()).map(|row| sample.slice(row, 1)).collect();
    let mut block = FeatureBlock::new();
    let (mut whole, mut of_learner) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
    let began = Instant::now();
    for row in rows.iter().cycle().take(CALLS) {
        let start = Instant::now();
        bound.apply(row, &mut block)?;
        let features = start.elapsed();
        learner.predict(&block)?;
        let all = start.elapsed();
        whole.push(all);
        of_learner.push(all.saturating_sub(features));
        if whole.len() >= CALLS_MIN && began.elapsed() > TIME_MAX {
            break;
        }
    }
    Ok(Some(Latency { whole_us: percentile(&mut whole), learner_us: percentile(&mut of_learner) }))
}

fn percentile(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let place = ((times.len() as f64 * SHARE).ceil() as usize).clamp(1, times.len()) - 1;
    (times[place].as_secs_f64() * 1e7).round() / 10.0
}
