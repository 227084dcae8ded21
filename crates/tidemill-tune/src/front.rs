//! Several objectives: which trials no other is better than in all of them.

use crate::{Direction, Trial};

/// What a trial is compared by, less being better: its value, then the others. `None` without a result.
fn losses(direction: Direction, trial: &Trial) -> Option<Vec<f64>> {
    let value = direction.loss(trial.result()?);
    Some(std::iter::once(value).chain(trial.also.iter().copied()).collect())
}

/// Whether `a` is at least as good as `b` in everything and better in something.
fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// The places of the trials that no other dominates, the best value first.
pub fn pareto_front(direction: Direction, trials: &[Trial]) -> Vec<usize> {
    let known: Vec<(usize, Vec<f64>)> =
        trials.iter().enumerate().filter_map(|(at, trial)| Some((at, losses(direction, trial)?))).collect();
    let is_free = |(_, own): &&(usize, Vec<f64>)| !known.iter().any(|(_, other)| dominates(other, own));
    let mut front: Vec<&(usize, Vec<f64>)> = known.iter().filter(is_free).collect();
    front.sort_by(|a, b| a.1[0].total_cmp(&b.1[0]).then(a.0.cmp(&b.0)));
    front.into_iter().map(|(at, _)| *at).collect()
}

/// For each trial the number of the front that it is on, the best being 0, and how near its neighbours on that front are: less for one
/// that lies alone (Deb et al. 2002, NSGA-II). `None` without a result.
pub(crate) fn ranks(direction: Direction, trials: &[&Trial]) -> Vec<Option<(u64, f64)>> {
    let points: Vec<Option<Vec<f64>>> = trials.iter().map(|trial| losses(direction, trial)).collect();
    let mut ranks = vec![None; trials.len()];
    let mut left: Vec<usize> = (0..trials.len()).filter(|at| points[*at].is_some()).collect();
    let point = |at: usize| points[at].as_deref().unwrap_or_default();
    for rank in 0.. {
        if left.is_empty() {
            break;
        }
        let (front, rest): (Vec<usize>, Vec<usize>) =
            left.iter().partition(|at| !left.iter().any(|other| dominates(point(*other), point(**at))));
        for at in &front {
            ranks[*at] = Some((rank, -crowding(&front, *at, &point)));
        }
        left = rest;
    }
    ranks
}

/// How far the neighbours of a point on its front lie apart, as shares of the front; infinite at its ends.
fn crowding<'a>(front: &[usize], own: usize, point: &impl Fn(usize) -> &'a [f64]) -> f64 {
    let mut sum = 0.0;
    for objective in 0..point(own).len() {
        let of = |at: usize| point(at).get(objective).copied().unwrap_or(f64::INFINITY);
        let mut values: Vec<f64> = front.iter().map(|at| of(*at)).collect();
        values.sort_by(f64::total_cmp);
        let place = values.iter().position(|value| *value == of(own)).unwrap_or(0);
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return f64::INFINITY };
        if place == 0 || place + 1 == values.len() {
            return f64::INFINITY;
        }
        if last > first {
            sum += (values[place + 1] - values[place - 1]) / (last - first);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, Point, TrialState};

    fn trial(value: f64, also: f64) -> Trial {
        let started = Trial::started(0, Params::new(), Point::default());
        Trial { state: TrialState::Completed, value: Some(value), also: vec![also], ..started }
    }

    #[test]
    fn fronts_follow_each_other() {
        let trials =
            [trial(0.9, 5.0), trial(0.8, 1.0), trial(0.7, 1.0), trial(0.95, 9.0), trial(0.94, 7.0), trial(0.1, 0.5)];
        assert_eq!(pareto_front(Direction::Maximize, &trials), [3, 4, 0, 1, 5]);
        let ranks = ranks(Direction::Maximize, &trials.iter().collect::<Vec<_>>());
        let rank = |at: usize| ranks[at].unwrap().0;
        assert_eq!((0..6).map(rank).collect::<Vec<_>>(), [0, 0, 1, 0, 0, 0]);
        // The ends of a front count as alone.
        assert_eq!((ranks[3].unwrap().1, ranks[5].unwrap().1), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        assert!(ranks[4].unwrap().1 > f64::NEG_INFINITY);
    }

    #[test]
    fn a_trial_that_breaks_a_limit_is_on_no_front() {
        let broken = Trial { violation: 0.5, ..trial(0.99, 0.1) };
        assert_eq!(pareto_front(Direction::Maximize, &[broken, trial(0.5, 1.0)]), [1]);
    }
}
