//! The tree-structured Parzen estimator (Bergstra et al. 2011), over all parameters of a group together.

use tidemill_core::SplitMix64;

use super::cost::Costs;
use super::parzen::Parzen;
use crate::front::ranks;
use crate::{Condition, Direction, Domain, Point, Space, Trial, TrialState};

/// Candidates of which the best is proposed.
const CANDIDATES: usize = 24;
/// The share of trials that are good ones, and how many at most.
const GOOD_SHARE: f64 = 0.1;
const GOOD_MAX: usize = 25;
/// The power of a trial's time that the improvement to expect of it is divided by at the beginning of a budget; it falls to 0 with
/// the time that is left (Lee et al. 2020, "Cost-aware Bayesian optimization"). The whole time would favour what is cheap and
/// hopeless.
const COST_WEIGHT: f64 = 0.5;

/// Proposes the point that good trials make likelier than bad ones do; `None` where every candidate has been tried.
pub(super) fn propose(
    space: &Space,
    direction: Direction,
    trials: &[&Trial],
    thrift: f64,
    random: &mut SplitMix64,
    is_new: &dyn Fn(&Point) -> bool,
) -> Option<Point> {
    let (good, bad) = split(direction, trials);
    let groups = groups(space);
    let mut candidates: Vec<(f64, Point)> =
        (0..CANDIDATES).map(|_| (0.0, Point(vec![None; space.dimensions().len()]))).collect();
    for (when, places) in &groups {
        let domains: Vec<&Domain> = places.iter().map(|at| &space.dimensions()[*at].domain).collect();
        let of_group = |trials: &[&Trial]| -> Vec<Vec<f64>> {
            let values = |trial: &&Trial| places.iter().map(|at| trial.point.0.get(*at).copied().flatten()).collect();
            trials.iter().filter_map(values).collect()
        };
        let (likely, unlikely) = (Parzen::new(&of_group(&good), &domains), Parzen::new(&of_group(&bad), &domains));
        for (gain, point) in &mut candidates {
            if !when
                .iter()
                .all(|when| point.0[when.parent].is_some_and(|value| when.values.contains(&(value as usize))))
            {
                continue;
            }
            let values = likely.draw(random);
            *gain += likely.log_density(&values) - unlikely.log_density(&values);
            places.iter().zip(values).for_each(|(at, value)| point.0[*at] = Some(value));
        }
    }
    if thrift > 0.0 {
        let costs = Costs::of(space, trials);
        for (gain, point) in &mut candidates {
            *gain = log_improvement(*gain) - COST_WEIGHT * thrift * costs.log_seconds(point);
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.into_iter().map(|(_, point)| point).find(is_new)
}

/// The logarithm of the improvement to expect where good trials are likelier by the factor `e^gain` than bad ones (Bergstra et
/// al. 2011, formula 6), up to a number that is the same for all.
fn log_improvement(gain: f64) -> f64 {
    -(GOOD_SHARE + (1.0 - GOOD_SHARE) * (-gain).exp()).ln()
}

/// Parameters that matter under the same conditions, parents first.
fn groups(space: &Space) -> Vec<(&[Condition], Vec<usize>)> {
    let mut groups: Vec<(&[Condition], Vec<usize>)> = Vec::new();
    for (at, dimension) in space.dimensions().iter().enumerate() {
        match groups.iter_mut().find(|(when, _)| *when == dimension.when.as_slice()) {
            Some((_, places)) => places.push(at),
            None => groups.push((&dimension.when, vec![at])),
        }
    }
    groups
}

/// The good trials and the others, each oldest first.
///
/// Trials that were ended early rank behind those that were not: the longer they ran the better, then by their last value.
/// Of several objectives, those on better fronts come first, and on one front those that lie alone (Ozaki et al. 2022,
/// "Multiobjective Tree-Structured Parzen Estimator"). Those that break a limit rank behind all of them, the more the further.
/// Those that run still are among the bad ones, so that parallel trials do not all look at the same place.
fn split<'a>(direction: Direction, trials: &[&'a Trial]) -> (Vec<&'a Trial>, Vec<&'a Trial>) {
    let fronts = trials.iter().any(|trial| !trial.also.is_empty()).then(|| ranks(direction, trials));
    let rank = |at: usize, trial: &Trial| -> Option<(u8, u64, f64)> {
        match trial.state {
            TrialState::Completed if trial.violation > 0.0 => Some((2, 0, trial.violation)),
            TrialState::Completed => match &fronts {
                Some(fronts) => fronts[at].map(|(front, crowded)| (0, front, crowded)),
                None => Some((0, 0, direction.loss(trial.value?))),
            },
            TrialState::Pruned => {
                let (step, value) = trial.last_step()?;
                Some((1, u64::MAX - step, direction.loss(value)))
            }
            TrialState::Running | TrialState::Failed => None,
        }
    };
    let mut ranked: Vec<((u8, u64, f64), &Trial)> =
        trials.iter().enumerate().filter_map(|(at, trial)| Some((rank(at, trial)?, *trial))).collect();
    ranked.sort_by(|((a, b, c), _), ((d, e, f), _)| (a, b).cmp(&(d, e)).then(c.total_cmp(f)));
    let count = ((ranked.len() as f64 * GOOD_SHARE).ceil() as usize).min(GOOD_MAX);
    let mut good: Vec<&Trial> = ranked[..count].iter().map(|(_, trial)| *trial).collect();
    good.sort_by_key(|trial| trial.number);
    let is_good = |trial: &&Trial| good.iter().any(|other| other.number == trial.number);
    let bad = trials.iter().copied().filter(|trial| !is_good(trial)).collect();
    (good, bad)
}
