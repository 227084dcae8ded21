//! Asynchronous successive halving: bad trials end early.

use std::collections::BTreeMap;

use crate::{Direction, Point};

/// The rule (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning"; the variant that stops).
///
/// A trial that reaches a rung goes on only if its value there is among the best `1 / reduction` of all that have reached the
/// rung so far. The first trials of a rung have nothing to be compared with and go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halving {
    /// The first rung: no trial ends before this step.
    pub min_steps: u64,
    /// By how much rungs lie apart, and the share of trials that go on: 3 means every third.
    pub reduction: f64,
    /// A trial must have been worse for so many steps beyond a rung before it ends: its best value up to there counts.
    pub patience: u64,
}

/// The values at each rung.
#[derive(Debug, Default)]
pub(crate) struct Rungs {
    /// By the parameters that matter in a trial, and the step of the rung: the losses of all trials that reached it. What
    /// learners of two kinds have reached after as many rounds says nothing about which is better.
    losses: BTreeMap<(Vec<bool>, u64), Vec<f64>>,
}

impl Halving {
    /// The steps at which trials are compared, up to `until`.
    pub fn rungs(&self, until: u64) -> impl Iterator<Item = u64> {
        let (mut next, reduction) = (self.min_steps.max(1) as f64, self.reduction.max(1.5));
        std::iter::from_fn(move || {
            let rung = next.round() as u64;
            next *= reduction;
            (rung <= until).then_some(rung)
        })
    }
}

impl Rungs {
    /// Takes the values of a trial at `point` up to its last step, of which those before `known` were taken already; whether it
    /// should end here.
    pub fn report(
        &mut self,
        rule: &Halving,
        direction: Direction,
        point: &Point,
        steps: &[(u64, f64)],
        known: u64,
    ) -> bool {
        let Some(&(last, _)) = steps.last() else { return false };
        let mut ends = false;
        for rung in rule.rungs(last.saturating_sub(rule.patience)) {
            if rung + rule.patience <= known {
                continue;
            }
            let reached = steps.iter().filter(|(step, _)| *step <= rung + rule.patience);
            let best = reached.map(|(_, value)| direction.loss(*value)).fold(f64::INFINITY, f64::min);
            let losses = self.losses.entry((point.active(), rung)).or_default();
            let better = losses.iter().filter(|loss| **loss < best).count();
            losses.push(best);
            // Of 1 or 2 nobody ends; of 3 with a reduction of 3 the best goes on, and so forth.
            let go_on = ((losses.len() as f64 / rule.reduction).floor() as usize).max(1);
            ends |= losses.len() as f64 >= rule.reduction && better >= go_on;
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Halving = Halving { min_steps: 10, reduction: 3.0, patience: 0 };

    #[test]
    fn rungs_lie_apart_by_the_reduction() {
        assert_eq!(RULE.rungs(300).collect::<Vec<_>>(), [10, 30, 90, 270]);
    }

    #[test]
    fn the_best_third_of_a_rung_goes_on() {
        let mut rungs = Rungs::default();
        let mut at = |value: f64| rungs.report(&RULE, Direction::Minimize, &Point::default(), &[(10, value)], 0);
        assert_eq!([at(0.5), at(0.6), at(0.4), at(0.45), at(0.7)], [false, false, false, true, true]);
        // The second of six is among the best third.
        assert!(!at(0.42));
        assert!(at(f64::INFINITY), "a trial without a finite value ends");
    }

    #[test]
    fn a_late_start_is_forgiven_within_the_patience() {
        let rule = Halving { patience: 5, ..RULE };
        let mut rungs = Rungs::default();
        for value in [0.1, 0.2, 0.3] {
            rungs.report(&rule, Direction::Minimize, &Point::default(), &[(10, value), (15, value)], 0);
        }
        assert!(
            !rungs.report(&rule, Direction::Minimize, &Point::default(), &[(10, 0.9)], 0),
            "the rung is not decided yet"
        );
        assert!(!rungs.report(&rule, Direction::Minimize, &Point::default(), &[(10, 0.9), (15, 0.05)], 10));
        assert!(rungs.report(&rule, Direction::Minimize, &Point::default(), &[(10, 0.9), (15, 0.8)], 10));
    }

    #[test]
    fn a_rung_counts_once() {
        let mut rungs = Rungs::default();
        rungs.report(&RULE, Direction::Maximize, &Point::default(), &[(10, 0.9)], 0);
        rungs.report(&RULE, Direction::Maximize, &Point::default(), &[(10, 0.9), (20, 0.91)], 10);
        assert_eq!(rungs.losses[&(Vec::new(), 10)], [-0.9]);
    }

    #[test]
    fn learners_of_two_kinds_are_not_compared_by_their_rounds() {
        let mut rungs = Rungs::default();
        let (one, other) = (Point(vec![Some(0.0), Some(1.0), None]), Point(vec![Some(1.0), None, Some(1.0)]));
        for value in [0.1, 0.2, 0.3] {
            rungs.report(&RULE, Direction::Minimize, &one, &[(10, value)], 0);
        }
        assert!(!rungs.report(&RULE, Direction::Minimize, &other, &[(10, 0.9)], 0));
        assert!(rungs.report(&RULE, Direction::Minimize, &one, &[(10, 0.9)], 0));
    }
}
