//! When a study ends.

use std::fmt;
use std::time::Duration;

use crate::{Direction, Trial, TrialState};

/// What a study may spend. What is not set is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Finished trials.
    pub trials: Option<u64>,
    /// Time, counted over all attempts at the study. No trial starts after it.
    pub wall: Option<Duration>,
    /// The time of one trial, as soon as there is a result.
    pub trial_wall: Option<Duration>,
}

/// The rule that ends a study when more trials no longer promise more.
///
/// It needs evidence: enough trials, none of the last ones better by more than the noise of the measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// Finished trials before the rule applies; by default the larger of 20 and 5 for each parameter.
    pub min_trials: Option<u64>,
    /// How many of the last trials must bring nothing; by default the larger of 10 and 30 % of all.
    pub trials: Option<u64>,
    /// The gain that counts; by default the standard error of the best trial, or nothing where that is unknown.
    pub min_gain: Option<f64>,
}

/// Whether the plateau ends a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stop {
    /// Only its budget.
    Never,
    /// A plateau too.
    Plateau(Plateau),
}

impl Default for Stop {
    fn default() -> Self {
        Self::Plateau(Plateau { min_trials: None, trials: None, min_gain: None })
    }
}

/// Why a study ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StopReason {
    /// All trials of the budget are done.
    Trials(u64),
    /// The time of the budget is over.
    Time(Duration),
    /// More trials no longer promise more.
    Plateau {
        /// Trials without a gain.
        trials: u64,
        /// The gain of the last of all trials over those before them.
        gain: f64,
        /// What would have counted.
        min_gain: f64,
    },
    /// Every combination was tried.
    Exhausted,
    /// Too many trials failed one after the other.
    Failures(u64),
    /// It was asked to end.
    Cancelled,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trials(trials) => write!(f, "all {trials} trials are done"),
            Self::Time(time) => write!(f, "the time of {} is over", seconds(*time)),
            Self::Plateau { trials, gain, min_gain } => write!(
                f,
                "the last {trials} trials gained {}, and less than {} counts as nothing",
                short(*gain),
                short(*min_gain)
            ),
            Self::Exhausted => f.write_str("every combination has been tried"),
            Self::Failures(trials) => write!(f, "{trials} trials failed one after the other"),
            Self::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 120.0 {
        format!("{} s", (seconds * 10.0).round() / 10.0)
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

fn short(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { format!("{number:.2e}") }
}

impl Plateau {
    /// Whether `trials`, in the order of their numbers, have reached a plateau. `dimensions`: how many parameters are
    /// searched.
    pub fn reached(&self, direction: Direction, trials: &[&Trial], dimensions: usize) -> Option<StopReason> {
        let is_finished = |trial: &&&Trial| matches!(trial.state, TrialState::Completed | TrialState::Pruned);
        let finished: Vec<&Trial> = trials.iter().filter(is_finished).copied().collect();
        let count = finished.len() as u64;
        if count < self.min_trials.unwrap_or_else(|| 20.max(5 * dimensions as u64)) {
            return None;
        }
        let window = self.trials.unwrap_or_else(|| 10.max((0.3 * count as f64).ceil() as u64)).min(count - 1);
        let (before, last) = finished.split_at((count - window) as usize);
        let best = |trials: &[&Trial]| {
            let losses = trials.iter().filter_map(|trial| trial.result().map(|value| direction.loss(value)));
            losses.fold(f64::INFINITY, f64::min)
        };
        let (best_before, best_last) = (best(before), best(last));
        if !best_before.is_finite() {
            return None;
        }
        let gain = (best_before - best_last).max(0.0);
        let winner = finished.iter().filter(|trial| trial.result().is_some()).min_by(|a, b| {
            let loss = |trial: &Trial| trial.result().map_or(f64::INFINITY, |value| direction.loss(value));
            loss(a).total_cmp(&loss(b))
        });
        let min_gain = self.min_gain.or_else(|| winner?.noise).unwrap_or(0.0);
        // A trial that runs and is ahead may still bring something.
        let is_ahead = |trial: &Trial| {
            trial.state == TrialState::Running
                && trial.last_step().is_some_and(|(_, value)| direction.loss(value) < best_before.min(best_last))
        };
        let is_over = gain <= min_gain && !trials.iter().copied().any(is_ahead);
        is_over.then_some(StopReason::Plateau { trials: window, gain, min_gain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Point;

    fn reached(rule: Plateau, direction: Direction, trials: &[Trial], dimensions: usize) -> Option<StopReason> {
        rule.reached(direction, &trials.iter().collect::<Vec<_>>(), dimensions)
    }

    fn trials(values: impl IntoIterator<Item = f64>, noise: Option<f64>) -> Vec<Trial> {
        let trial = |(number, value): (usize, f64)| Trial {
            state: TrialState::Completed,
            value: Some(value),
            noise,
            ..Trial::started(number as u64, crate::Params::new(), Point::default())
        };
        values.into_iter().enumerate().map(trial).collect()
    }

    #[test]
    fn a_study_ends_when_the_last_trials_bring_less_than_the_noise() {
        let rule = Plateau { min_trials: None, trials: None, min_gain: None };
        let falling = |count: usize| (0..count).map(|i| 1.0 / (1.0 + i as f64));
        // Still falling by much more than the noise.
        assert_eq!(reached(rule, Direction::Minimize, &trials(falling(40), Some(0.001)), 2), None);
        // The last 12 of 40 go from 0.0345 to 0.025.
        let reason = reached(rule, Direction::Minimize, &trials(falling(40), Some(0.02)), 2);
        assert!(matches!(reason, Some(StopReason::Plateau { trials: 12, .. })), "{reason:?}");
        // Too few trials to say.
        assert_eq!(reached(rule, Direction::Minimize, &trials(falling(19), Some(1.0)), 2), None);
        assert_eq!(reached(rule, Direction::Minimize, &trials(falling(40), Some(1.0)), 9), None);
        // Without noise only no gain at all counts.
        assert_eq!(reached(rule, Direction::Minimize, &trials(falling(40), None), 2), None);
        assert!(reached(rule, Direction::Maximize, &trials(falling(40), None), 2).is_some());
    }

    #[test]
    fn a_running_trial_that_is_ahead_keeps_the_study_alive() {
        let rule = Plateau { min_trials: Some(5), trials: Some(3), min_gain: Some(0.0) };
        let mut trials = trials([0.5; 8], None);
        assert!(reached(rule, Direction::Minimize, &trials, 1).is_some());
        trials[7].state = TrialState::Running;
        trials[7].steps = vec![(10, 0.4)];
        assert_eq!(reached(rule, Direction::Minimize, &trials, 1), None);
    }
}
