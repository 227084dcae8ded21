//! Finds the highest rate that a server can handle.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::{Load, LoadError, LoadProgress, Measured, Rate, Requests, Target, run};

/// The search ends when the result is known to this fraction.
const TOLERANCE: f64 = 0.05;

/// The conditions under which a rate counts as met.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    /// 99 of 100 requests must take at most this long, measured from the moment they were due.
    pub p99_ms: f64,
    /// At most this fraction of requests may fail.
    pub failed_max: f64,
}

impl Goal {
    /// Whether the measurement meets the goal. Latency counts from when requests were due, so it also shows a rate that
    /// the client could not send.
    pub fn is_met(&self, measured: &Measured) -> bool {
        let wrong = (measured.failed + measured.unsent) as f64;
        measured.ok > 0 && measured.latency.p99_ms <= self.p99_ms && wrong <= self.failed_max * measured.requests as f64
    }
}

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Whether it met the goal.
    pub held: bool,
    /// What was measured.
    pub measured: Measured,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capacity {
    /// The goal.
    pub goal: Goal,
    /// The highest rate that met the goal; 0 if none did.
    pub rate: f64,
    /// Successful responses per second when every connection sends as soon as it has its response.
    pub rate_max: f64,
    /// Every rate tried, in order.
    pub probes: Vec<Probe>,
}

impl Capacity {
    /// The measurement at the highest rate that met the goal.
    pub fn best(&self) -> Option<&Measured> {
        let held = self.probes.iter().filter(|probe| probe.held).map(|probe| &probe.measured);
        held.max_by(|a, b| a.rate_asked.unwrap_or_default().total_cmp(&b.rate_asked.unwrap_or_default()))
    }
}

/// Searches for the highest rate that meets `goal`: measures the most that the connections can send, then halves the
/// interval below until it is narrow. A rate that fails is tried once more, so that other work on the machine does not
/// decide.
///
/// `load` sets how long each rate is tried and over how many connections; `tried` is called after each.
pub async fn find_capacity(
    target: &Target,
    requests: &Arc<Requests>,
    load: &Load,
    goal: Goal,
    watch: &Arc<LoadProgress>,
    mut tried: impl FnMut(&Probe),
) -> Result<Capacity, LoadError> {
    if !(goal.p99_ms > 0.0 && goal.p99_ms.is_finite() && (0.0..1.0).contains(&goal.failed_max)) {
        return Err(LoadError::Setting { reason: "the bound on latency must be above 0".to_owned() });
    }
    let flat_out = Load { rate: Rate::Max, ..load.clone() };
    let rate_max = run(target, requests, &flat_out, watch).await?.rate;
    let mut search = Search::new(rate_max);
    let mut probes = Vec::new();
    while let Some(rate) = search.next() {
        let mut held = false;
        for _ in 0..2 {
            if held || watch.is_stopped() {
                break;
            }
            let probed = Load { rate: Rate::PerSecond(rate), ..load.clone() };
            let measured = run(target, requests, &probed, watch).await?;
            held = goal.is_met(&measured) && !watch.is_stopped();
            let probe = Probe { held, measured };
            tried(&probe);
            probes.push(probe);
        }
        if watch.is_stopped() {
            break;
        }
        search.record(rate, held);
        // A server that was overloaded gets time to finish its backlog.
        if !held {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(Capacity { goal, rate: search.low, rate_max, probes })
}

/// Halves the interval between a rate that met the goal and one that did not.
#[derive(Debug)]
struct Search {
    low: f64,
    high: f64,
    /// The search gives up below this rate.
    floor: f64,
}

impl Search {
    /// Waiting clients reach the maximum throughput; a tenth more is taken as out of reach.
    fn new(rate_max: f64) -> Self {
        Self { low: 0.0, high: rate_max * 1.1, floor: rate_max / 50.0 }
    }

    fn next(&self) -> Option<f64> {
        let narrow = self.high - self.low <= TOLERANCE * self.high || self.high < 1.0;
        let hopeless = self.low == 0.0 && self.high < self.floor;
        (!narrow && !hopeless).then(|| f64::midpoint(self.low, self.high))
    }

    fn record(&mut self, rate: f64, held: bool) {
        if held {
            self.low = self.low.max(rate);
        } else {
            self.high = self.high.min(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_search_ends_just_below_what_holds(rate_max in 10.0..1e6f64, share in 0.05..1.05f64) {
            let limit = rate_max * share;
            let mut search = Search::new(rate_max);
            let mut steps = 0;
            while let Some(rate) = search.next() {
                search.record(rate, rate <= limit);
                steps += 1;
            }
            prop_assert!(search.low <= limit);
            prop_assert!(search.low >= limit * (1.0 - TOLERANCE) || limit < 1.0 / (1.0 - TOLERANCE), "{search:?}");
            prop_assert!(steps < 12);
        }

        #[test]
        fn where_nothing_holds_the_search_ends(rate_max in 0.0..1e6f64) {
            let mut search = Search::new(rate_max);
            let mut steps = 0;
            while let Some(rate) = search.next() {
                search.record(rate, false);
                steps += 1;
            }
            prop_assert_eq!(search.low, 0.0);
            prop_assert!(steps < 8);
        }
    }
}
