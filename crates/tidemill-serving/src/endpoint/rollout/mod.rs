//! Rollouts: the share of a candidate grows step by step, as long as guards hold.
//!
//! [`Rollout`] is a state machine without a clock: outcomes of requests and the time go in, the share of the candidate comes
//! out. Its position is kept in a file, so that a restart goes on with the step it was at. The counts of that step begin
//! anew: no decision rests on what was lost.

mod progress;
mod sequential;
mod watch;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_core::seconds_of_span;

pub(super) use self::progress::Progress;
use self::sequential::{Interval, of_mean, of_rate, ratio_differs};
pub(super) use self::watch::{Watch, WatchedUnit};
use super::spec::{OnFail, RolloutSpec};

/// The chance that a guard ever fails although it holds.
const ALPHA: f64 = 0.05;
/// Units that are remembered of each side, to compare the shares of units.
const UNITS_MAX: usize = 50_000;

/// The rollout of an endpoint.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) spec: RolloutSpec,
    /// The candidate, and its version.
    pub(super) subject: String,
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    progress: Progress,
    began: Instant,
    candidate: Side,
    others: Side,
}

/// What was answered by one side of the split in this step.
#[derive(Debug, Clone, Default)]
struct Side {
    rows: u64,
    errors: u64,
    slow: u64,
    scores: u64,
    sum: f64,
    squares: f64,
    units: HashSet<u64>,
}

/// The outcome of rows that one model answered.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) is_candidate: bool,
    pub(super) rows: usize,
    pub(super) failed: bool,
    pub(super) took: Duration,
    /// The first output of each row.
    pub(super) scores: &'a [f64],
    /// The unit of each row, if the split has units.
    pub(super) units: &'a [u64],
}

impl Side {
    fn add(&mut self, outcome: &Outcome<'_>, slow_ms: Option<f64>) {
        let rows = outcome.rows as u64;
        self.rows += rows;
        if outcome.failed {
            self.errors += rows;
        }
        if slow_ms.is_some_and(|slow| outcome.took.as_secs_f64() * 1e3 > slow) {
            self.slow += rows;
        }
        for score in outcome.scores.iter().filter(|score| score.is_finite()) {
            self.scores += 1;
            self.sum += score;
            self.squares += score * score;
        }
        let room = UNITS_MAX.saturating_sub(self.units.len());
        self.units.extend(outcome.units.iter().take(room));
    }

    fn mean(&self, alpha: f64) -> Interval {
        of_mean(self.scores, self.sum, self.squares, alpha)
    }
}

impl Rollout {
    /// A rollout that goes on from `progress`.
    pub(super) fn new(spec: &RolloutSpec, subject: String, progress: Progress, now: Instant) -> Self {
        let every = Duration::from_secs(seconds_of_span(&spec.every).unwrap_or_default());
        let state = State { progress, began: now, candidate: Side::default(), others: Side::default() };
        Self { spec: spec.clone(), subject, every, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn progress(&self) -> Progress {
        self.state().progress.clone()
    }

    /// The share of the candidate now, in percent.
    pub(super) fn share(&self) -> f64 {
        match self.state().progress {
            Progress::RolledBack { .. } => 0.0,
            Progress::Step { step } | Progress::Held { step, .. } => {
                self.spec.steps.get(step).copied().unwrap_or(100.0)
            }
            Progress::Done => self.spec.steps.last().copied().unwrap_or(100.0),
        }
    }

    /// Whether outcomes still matter.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state().progress, Progress::Step { .. })
    }

    /// Counts the outcome of a request.
    pub(super) fn record(&self, outcome: &Outcome<'_>) {
        let slow_ms = self.spec.guards.latency_p99_ms.map(|guard| guard.at_most);
        let mut state = self.state();
        let side = if outcome.is_candidate { &mut state.candidate } else { &mut state.others };
        side.add(outcome, slow_ms);
    }

    /// Moves on, if it is time and everything holds; stops if something does not. Returns the new position if it has
    /// changed.
    pub(super) fn tick(&self, now: Instant) -> Option<Progress> {
        let mut state = self.state();
        let Progress::Step { step } = state.progress else { return None };
        let next = if let Some(reason) = self.failure(&state, step) {
            match self.spec.on_fail {
                OnFail::Rollback => Progress::RolledBack { step, reason },
                OnFail::Hold => Progress::Held { step, reason },
            }
        } else if step + 1 >= self.spec.steps.len() {
            // The last step has no other side to compare with: it must hold out its time.
            if now.saturating_duration_since(state.began) < self.every || state.candidate.rows < self.spec.min_requests
            {
                return None;
            }
            Progress::Done
        } else if self.waits_for(&state, step, now).is_none() {
            Progress::Step { step: step + 1 }
        } else {
            return None;
        };
        state.progress = next.clone();
        state.began = now;
        (state.candidate, state.others) = (Side::default(), Side::default());
        Some(next)
    }

    /// What the next step waits for.
    fn waits_for(&self, state: &State, step: usize, now: Instant) -> Option<String> {
        let elapsed = now.saturating_duration_since(state.began);
        if elapsed < self.every {
            let left = (self.every - elapsed).as_secs().max(1);
            return Some(format!("another {}", tidemill_core::span_of_seconds(left)));
        }
        let rows = state.candidate.rows;
        if rows < self.spec.min_requests {
            return Some(format!("rows: {rows} of {}", self.spec.min_requests));
        }
        let next = self.spec.steps.get(step + 1)?;
        let is_in = |steps: &[f64]| steps.iter().any(|step| (step - next).abs() < 1e-9);
        (is_in(&self.spec.approve) && !is_in(&self.spec.approved)).then(|| format!("approval of {next} %"))
    }

    /// Why the rollout must stop.
    fn failure(&self, state: &State, step: usize) -> Option<String> {
        let (candidate, others, guards) = (&state.candidate, &state.others, &self.spec.guards);
        if let Some(guard) = &guards.error_rate {
            let rate = of_rate(candidate.errors, candidate.rows, ALPHA);
            if let Some(at_most) = guard.at_most.filter(|at_most| rate.low > *at_most) {
                let is = percent(candidate.errors, candidate.rows);
                return Some(format!("error_rate: {is} of the candidate's rows fail, and {} % may", at_most * 100.0));
            }
            let other = of_rate(others.errors, others.rows, ALPHA / 2.0);
            let own = of_rate(candidate.errors, candidate.rows, ALPHA / 2.0);
            if guard.no_worse_by.is_some_and(|by| own.low - other.high > by) {
                let (is, are) = (percent(candidate.errors, candidate.rows), percent(others.errors, others.rows));
                return Some(format!("error_rate: {is} of the candidate's rows fail, and {are} of the others'"));
            }
        }
        if let Some(guard) = &guards.latency_p99_ms
            && of_rate(candidate.slow, candidate.rows, ALPHA).low > 0.01
        {
            let is = percent(candidate.slow, candidate.rows);
            return Some(format!("latency_p99_ms: {is} of the candidate's rows take more than {} ms", guard.at_most));
        }
        if let Some(guard) = &guards.score_mean {
            let (own, other) = (candidate.mean(ALPHA / 2.0), others.mean(ALPHA / 2.0));
            if own.low - other.high > guard.within || other.low - own.high > guard.within {
                let mean = |side: &Side| side.sum / side.scores.max(1) as f64;
                let (is, are) = (mean(candidate), mean(others));
                return Some(format!("score_mean: the candidate's mean is {is:.4}, and that of the others {are:.4}"));
            }
        }
        let share = self.spec.steps.get(step).map_or(0.0, |share| share / 100.0);
        let (units, all) = (candidate.units.len() as u64, (candidate.units.len() + others.units.len()) as u64);
        let full = candidate.units.len() >= UNITS_MAX || others.units.len() >= UNITS_MAX;
        (!full && share < 1.0 && ratio_differs(units, all, share)).then(|| {
            format!("sample ratio: {units} of {all} units went to the candidate, where {} % should", share * 100.0)
        })
    }

    /// The state, for status pages.
    pub(super) fn status(&self, now: Instant) -> Value {
        let share = self.share();
        let state = self.state();
        let (candidate, others) = (&state.candidate, &state.others);
        let rate = of_rate(candidate.errors, candidate.rows, ALPHA);
        let mut value = json!({
            "candidate": self.spec.candidate,
            "share": share,
            "steps": self.spec.steps,
            "rows": candidate.rows,
            "rows_of_others": others.rows,
            "errors": candidate.errors,
            "error_rate": { "low": rate.low, "high": rate.high },
        });
        let (name, reason) = match &state.progress {
            Progress::Step { step } => {
                value["step"] = json!(step + 1);
                value["waits_for"] = json!(self.waits_for(&state, *step, now));
                ("running", None)
            }
            Progress::Held { reason, .. } => ("held", Some(reason)),
            Progress::RolledBack { reason, .. } => ("rolled_back", Some(reason)),
            Progress::Done => ("done", None),
        };
        value["state"] = json!(name);
        if let Some(reason) = reason {
            value["reason"] = json!(reason);
        }
        value
    }
}

fn percent(part: u64, of: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / of.max(1) as f64)
}

#[cfg(test)]
mod tests;
