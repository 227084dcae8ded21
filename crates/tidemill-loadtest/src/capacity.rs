//! The highest rate that a server carries.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::{Load, LoadError, LoadProgress, Measured, Rate, Requests, Target, run};

/// The search ends when the answer is known to this fraction.
const TOLERANCE: f64 = 0.05;

/// What a rate must hold to count as carried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    /// 99 of 100 requests take at most so long, measured from the moment they were due.
    pub p99_ms: f64,
    /// At most this fraction of requests fails.
    pub failed_max: f64,
}

impl Goal {
    /// Whether the measurement holds it. Latency counts from when requests were due, so a rate that does not come out
    /// shows in it.
    pub fn is_met(&self, measured: &Measured) -> bool {
        let wrong = (measured.failed + measured.unsent) as f64;
        measured.ok > 0 && measured.latency.p99_ms <= self.p99_ms && wrong <= self.failed_max * measured.requests as f64
    }
}

/// One rate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Whether it was carried.
    pub held: bool,
    /// What was measured.
    pub measured: Measured,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capacity {
    /// What had to hold.
    pub goal: Goal,
    /// The highest rate that held; 0 if none did.
    pub rate: f64,
    /// Good answers a second when every connection sends as soon as it has its answer.
    pub rate_max: f64,
    /// Every rate tried, in order.
    pub probes: Vec<Probe>,
}

impl Capacity {
    /// What was measured at the highest rate that held.
    pub fn best(&self) -> Option<&Measured> {
        let held = self.probes.iter().filter(|probe| probe.held).map(|probe| &probe.measured);
        held.max_by(|a, b| a.rate_asked.unwrap_or_default().total_cmp(&b.rate_asked.unwrap_or_default()))
    }
}

/// Searches the highest rate at which `goal` holds: measures what the connections carry at most, then halves the
/// interval below until it is narrow. A rate that fails is tried once more: other work on the machine must not decide.
///
/// `load` says how long each rate is tried, and over how many connections; `tried` hears of each.
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
        search.tell(rate, held);
        // A server that was overloaded gets time to work off what is left.
        if !held {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(Capacity { goal, rate: search.low, rate_max, probes })
}

/// Halves the interval between a rate that held and one that did not.
#[derive(Debug)]
struct Search {
    low: f64,
    high: f64,
    /// Where nothing holds, the search gives up below.
    floor: f64,
}

impl Search {
    /// What waiting clients reach is as much as can be; a tenth more is taken for what cannot.
    fn new(rate_max: f64) -> Self {
        Self { low: 0.0, high: rate_max * 1.1, floor: rate_max / 50.0 }
    }

    fn next(&self) -> Option<f64> {
        let narrow = self.high - self.low <= TOLERANCE * self.high || self.high < 1.0;
        let hopeless = self.low == 0.0 && self.high < self.floor;
        (!narrow && !hopeless).then(|| f64::midpoint(self.low, self.high))
    }

    fn tell(&mut self, rate: f64, held: bool) {
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
                search.tell(rate, rate <= limit);
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
                search.tell(rate, false);
                steps += 1;
            }
            prop_assert_eq!(search.low, 0.0);
            prop_assert!(steps < 8);
        }
    }
}
