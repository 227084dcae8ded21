//! What a trial costs, from the trials before.

use crate::{Point, Space, Trial, TrialState};

/// How far two points may lie apart, as a share of every range, to be much alike.
const REACH: f64 = 0.2;
/// What every trial counts, however far away it is.
const LEAST: f64 = 1e-6;
/// Trials are not told apart below so many seconds.
const SECONDS_MIN: f64 = 0.01;

/// The times of finished trials by their places.
pub(super) struct Costs<'a> {
    space: &'a Space,
    known: Vec<(&'a Point, f64)>,
    mean: f64,
}

impl<'a> Costs<'a> {
    /// What is known from `trials`. One that ended early says nothing about what it would have taken.
    pub fn of(space: &'a Space, trials: &[&'a Trial]) -> Self {
        let took = |trial: &&'a Trial| {
            let is_whole = matches!(trial.state, TrialState::Completed | TrialState::Failed);
            is_whole.then(|| (&trial.point, trial.seconds.max(SECONDS_MIN).ln()))
        };
        let known: Vec<(&Point, f64)> = trials.iter().filter_map(took).collect();
        let mean = known.iter().map(|(_, seconds)| seconds).sum::<f64>() / known.len().max(1) as f64;
        Self { space, known, mean }
    }

    /// The logarithm of the seconds that a trial at `point` takes: that of trials where the same parameters matter, nearer ones
    /// counting more.
    pub fn log_seconds(&self, point: &Point) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (other, seconds) in self.known.iter().filter(|(other, _)| other.active() == point.active()) {
            let weight = LEAST + (-self.distance(point, other) / (2.0 * REACH * REACH)).exp();
            sum += weight * seconds;
            weights += weight;
        }
        if weights > 0.0 { sum / weights } else { self.mean }
    }

    /// The mean square of how far two points lie apart, as shares of the ranges.
    fn distance(&self, a: &Point, b: &Point) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for ((dimension, a), b) in self.space.dimensions().iter().zip(&a.0).zip(&b.0) {
            let (Some(a), Some(b)) = (a, b) else { continue };
            let (low, high) = dimension.domain.bounds();
            let apart = match dimension.domain {
                crate::Domain::Choice(_) => f64::from(u8::from(a != b)),
                _ => (dimension.domain.search(*a) - dimension.domain.search(*b)) / (high - low).max(f64::MIN_POSITIVE),
            };
            sum += apart * apart;
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Params;

    #[test]
    fn a_trial_costs_what_others_like_it_took() {
        let space = Space::parse(&json!({
            "learner": ["quick", "slow"],
            "depth": { "int": [1, 10], "when": { "learner": "slow" } },
        }))
        .unwrap();
        let trial = |params: serde_json::Value, seconds: f64| {
            let params: Params = serde_json::from_value(params).unwrap();
            let point = space.point(&params).unwrap();
            Trial { state: TrialState::Completed, seconds, ..Trial::started(0, params, point) }
        };
        let known = [
            trial(json!({ "learner": "quick" }), 0.1),
            trial(json!({ "learner": "slow", "depth": 1 }), 2.0),
            trial(json!({ "learner": "slow", "depth": 10 }), 50.0),
        ];
        let costs = Costs::of(&space, &known.iter().collect::<Vec<_>>());
        let of = |params: serde_json::Value| costs.log_seconds(&trial(params, 0.0).point).exp();
        assert!((of(json!({ "learner": "quick" })) - 0.1).abs() < 1e-9);
        assert!((of(json!({ "learner": "slow", "depth": 2 })) - 2.0).abs() < 0.5);
        assert!((of(json!({ "learner": "slow", "depth": 9 })) - 50.0).abs() < 10.0);
    }
}
