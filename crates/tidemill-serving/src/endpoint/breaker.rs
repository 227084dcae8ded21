//! A circuit breaker: leaves a failing model alone for a while.
//!
//! *Closed*: requests pass, and their outcomes are counted in a sliding window. *Open*: requests are rejected at once.
//! *Half open*: a few requests pass; if they succeed it closes, if one fails it opens again, for longer. The clock is an
//! argument, so tests need no sleeps.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::spec::BreakerSpec;

/// Parts of the window: outcomes leave it a part at a time.
const PARTS: u32 = 10;

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    spec: BreakerSpec,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Successive times that it has opened without closing in between.
    times: u32,
    window: VecDeque<Part>,
    opened: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { started: u64, succeeded: u64, since: Instant },
}

#[derive(Debug)]
struct Part {
    begins: Instant,
    requests: u64,
    failures: u64,
}

/// The state of a breaker, for status pages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BreakerStatus {
    /// `closed`, `open` or `half_open`.
    pub(super) state: &'static str,
    /// The share of failures in the window.
    pub(super) failures: f64,
    /// How often it has opened.
    pub(super) opened: u64,
    /// How long it stays open.
    pub(super) open_for: Option<Duration>,
}

impl Breaker {
    pub(super) fn new(spec: BreakerSpec) -> Self {
        let state = State { phase: Phase::Closed, times: 0, window: VecDeque::new(), opened: 0 };
        Self { spec, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request may pass; if not, for how long. A request that passes must be reported with
    /// [`record`](Self::record) or [`cancelled`](Self::cancelled).
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let open = Duration::from_secs(self.spec.open_secs);
        match &mut state.phase {
            Phase::Closed => Ok(()),
            Phase::Open { until } if now < *until => Err(*until - now),
            Phase::Open { .. } => {
                state.phase = Phase::HalfOpen { started: 1, succeeded: 0, since: now };
                Ok(())
            }
            Phase::HalfOpen { started, .. } if *started < self.spec.half_open_requests => {
                *started += 1;
                Ok(())
            }
            // Trial requests that never end must not keep it half open for ever.
            Phase::HalfOpen { started, succeeded, since } if now - *since >= open => {
                (*started, *succeeded, *since) = (1, 0, now);
                Ok(())
            }
            Phase::HalfOpen { .. } => Err(open),
        }
    }

    /// Reports the outcome of a request that passed.
    pub(super) fn record(&self, now: Instant, failed: bool, took: Duration) {
        let slow = self.spec.slow_ms.is_some_and(|slow| took > Duration::from_millis(slow));
        let failed = failed || slow;
        let mut state = self.state();
        match &mut state.phase {
            Phase::Closed => {
                let (requests, failures) = state.count(now, Duration::from_secs(self.spec.window_secs), failed);
                let reached = failures as f64 >= self.spec.errors * requests as f64;
                if failed && requests >= self.spec.min_requests && reached {
                    self.open(&mut state, now);
                }
            }
            Phase::HalfOpen { .. } if failed => self.open(&mut state, now),
            Phase::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= self.spec.half_open_requests {
                    state.phase = Phase::Closed;
                    state.times = 0;
                    state.window.clear();
                }
            }
            // A request that passed before it opened.
            Phase::Open { .. } => {}
        }
    }

    /// A request that passed has ended without an outcome, as its client has left.
    pub(super) fn cancelled(&self) {
        if let Phase::HalfOpen { started, .. } = &mut self.state().phase {
            *started = started.saturating_sub(1);
        }
    }

    fn open(&self, state: &mut State, now: Instant) {
        state.times = state.times.saturating_add(1);
        state.opened += 1;
        let secs = self.spec.open_secs.saturating_mul(u64::from(state.times)).min(self.spec.open_secs_max);
        state.phase = Phase::Open { until: now + Duration::from_secs(secs) };
        state.window.clear();
    }

    pub(super) fn status(&self, now: Instant) -> BreakerStatus {
        let state = self.state();
        let (requests, failures) =
            state.window.iter().fold((0, 0), |(r, f), part| (r + part.requests, f + part.failures));
        let (name, open_for) = match state.phase {
            Phase::Closed => ("closed", None),
            Phase::Open { until } if now < until => ("open", Some(until - now)),
            Phase::Open { .. } | Phase::HalfOpen { .. } => ("half_open", None),
        };
        let failures = if requests > 0 { failures as f64 / requests as f64 } else { 0.0 };
        BreakerStatus { state: name, failures, opened: state.opened, open_for }
    }
}

impl State {
    /// Counts an outcome: requests and failures in the window now.
    fn count(&mut self, now: Instant, window: Duration, failed: bool) -> (u64, u64) {
        while self.window.front().is_some_and(|part| now.saturating_duration_since(part.begins) >= window) {
            self.window.pop_front();
        }
        let begins_new = |part: &Part| now.saturating_duration_since(part.begins) >= window / PARTS;
        if self.window.back().is_none_or(begins_new) {
            self.window.push_back(Part { begins: now, requests: 0, failures: 0 });
        }
        if let Some(part) = self.window.back_mut() {
            part.requests += 1;
            part.failures += u64::from(failed);
        }
        self.window
            .iter()
            .fold((0, 0), |(requests, failures), part| (requests + part.requests, failures + part.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> BreakerSpec {
        let spec = serde_json::json!({ "errors": 0.5, "min_requests": 4, "window_secs": 10, "open_secs": 30,
            "open_secs_max": 50, "half_open_requests": 2, "slow_ms": 100 });
        serde_json::from_value(spec).unwrap()
    }

    const FAST: Duration = Duration::from_millis(1);

    #[test]
    fn it_opens_at_the_share_of_errors_and_closes_after_successes() {
        let (breaker, start) = (Breaker::new(spec()), Instant::now());
        let at = |secs| start + Duration::from_secs(secs);
        for failed in [true, false, true] {
            assert_eq!(breaker.admit(start), Ok(()));
            breaker.record(start, failed, FAST);
        }
        assert_eq!(breaker.status(start).state, "closed");
        breaker.record(start, true, FAST);
        assert_eq!(breaker.status(start).state, "open");
        assert_eq!(breaker.admit(at(10)), Err(Duration::from_secs(20)));
        // Two trial requests pass, a third does not.
        assert_eq!((breaker.admit(at(30)), breaker.admit(at(30))), (Ok(()), Ok(())));
        assert!(breaker.admit(at(30)).is_err());
        breaker.record(at(31), false, FAST);
        assert_eq!(breaker.status(at(31)).state, "half_open");
        breaker.record(at(31), false, FAST);
        assert_eq!(breaker.status(at(31)).state, "closed");
        assert_eq!(breaker.status(at(31)).opened, 1);
    }

    #[test]
    fn a_failed_trial_opens_it_for_longer_up_to_the_limit() {
        let (breaker, mut now) = (Breaker::new(spec()), Instant::now());
        (0..4).for_each(|_| breaker.record(now, true, FAST));
        for expected in [30, 50, 50] {
            assert_eq!(breaker.admit(now), Err(Duration::from_secs(expected)));
            now += Duration::from_secs(expected);
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.record(now, true, FAST);
        }
    }

    #[test]
    fn outcomes_leave_the_window_and_slow_answers_count_as_failures() {
        let (breaker, start) = (Breaker::new(spec()), Instant::now());
        let slow = Duration::from_millis(101);
        for second in 0..40u64 {
            // Three slow answers in any window of ten seconds: fewer than it needs.
            if second % 4 == 0 {
                breaker.record(start + Duration::from_secs(second), false, slow);
            }
        }
        assert_eq!(breaker.status(start + Duration::from_secs(40)).state, "closed");
        (0..4).for_each(|_| breaker.record(start + Duration::from_mins(1), false, slow));
        assert_eq!(breaker.status(start + Duration::from_mins(1)).state, "open");
    }

    #[test]
    fn trials_that_never_end_do_not_keep_it_half_open() {
        let (breaker, start) = (Breaker::new(spec()), Instant::now());
        (0..4).for_each(|_| breaker.record(start, true, FAST));
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!((breaker.admit(at(30)), breaker.admit(at(30))), (Ok(()), Ok(())));
        assert!(breaker.admit(at(59)).is_err());
        assert_eq!(breaker.admit(at(60)), Ok(()));
        breaker.cancelled();
        assert_eq!((breaker.admit(at(60)), breaker.admit(at(60))), (Ok(()), Ok(())));
        assert!(breaker.admit(at(60)).is_err());
    }
}
