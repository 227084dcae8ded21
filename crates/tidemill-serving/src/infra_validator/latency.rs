//! Percentiles of measured latencies.

use std::time::Duration;

/// Latency of requests, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Latency {
    pub(super) requests: usize,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
}

impl Latency {
    /// Percentiles by nearest rank. `None` for no requests.
    pub(super) fn of(mut measured: Vec<Duration>) -> Option<Self> {
        measured.sort_unstable();
        let rank = |percent: usize| {
            let rank = (measured.len() * percent).div_ceil(100).max(1);
            measured.get(rank - 1).map(|latency| latency.as_secs_f64() * 1e3)
        };
        Some(Self { requests: measured.len(), p50_ms: rank(50)?, p95_ms: rank(95)?, p99_ms: rank(99)? })
    }

    pub(super) fn named(&self) -> [(&'static str, f64); 3] {
        [("p50", self.p50_ms), ("p95", self.p95_ms), ("p99", self.p99_ms)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect()).unwrap();
        assert_eq!(latency, Latency { requests: 200, p50_ms: 100.0, p95_ms: 190.0, p99_ms: 198.0 });
        assert_eq!(Latency::of(vec![Duration::from_millis(3)]).unwrap().p99_ms, 3.0);
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
