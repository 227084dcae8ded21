//! Who proposes the parameters of the next trial.

mod grid;
mod parzen;
mod tpe;

use serde::{Deserialize, Serialize};
use tidemill_core::SplitMix64;

use crate::{Direction, Domain, Point, Space, Trial, TrialState};

/// The ways to propose trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Learns from the trials before: a tree-structured Parzen estimator over all parameters together.
    #[default]
    Tpe,
    /// Spreads trials evenly, in no order.
    QuasiRandom,
    /// Draws every trial at random.
    Random,
    /// All combinations, one after the other; ranges of numbers without steps are cut into ten values.
    Grid,
}

/// Proposes trials: the same seed, number and trials before give the same proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    /// How.
    pub kind: SamplerKind,
    /// Draws other trials.
    pub seed: u64,
    /// Trials that are spread evenly before [`SamplerKind::Tpe`] learns from them.
    pub startup_trials: u64,
}

/// Attempts to find a point that has not been tried.
const ATTEMPTS: u64 = 200;

impl Sampler {
    /// The parameters of the trial `number`. `trials`: those before as far as they are known, in the order of their numbers;
    /// one that runs still counts as a bad one, so that others look elsewhere. `allows`: whether a point may be proposed.
    ///
    /// `None`: every point has been tried.
    pub fn propose(
        &self,
        space: &Space,
        direction: Direction,
        trials: &[&Trial],
        number: u64,
        allows: &dyn Fn(&Point) -> bool,
    ) -> Option<Point> {
        if self.kind == SamplerKind::Grid {
            return grid::points(space).into_iter().filter(allows).nth(usize::try_from(number).ok()?);
        }
        let is_new = |point: &Point| allows(point) && !trials.iter().any(|trial| trial.point == *point);
        let size = space.size();
        if size.is_some_and(|size| trials.len() as u64 >= size) {
            return None;
        }
        let finished = trials.iter().filter(|trial| trial.state != TrialState::Running).count() as u64;
        if self.kind == SamplerKind::Tpe && finished >= self.startup_trials {
            let mut random = self.random(number, 0);
            if let Some(point) = tpe::propose(space, direction, trials, &mut random, &is_new) {
                return Some(point);
            }
        }
        if self.kind != SamplerKind::Random {
            let point = self.spread(space, number);
            if is_new(&point) {
                return Some(point);
            }
        }
        for attempt in 1..=ATTEMPTS {
            let mut random = self.random(number, attempt);
            let point = space.build(|_, domain| domain.at(random.unit()));
            if is_new(&point) {
                return Some(point);
            }
        }
        // Few points are left, or few are allowed: look at all of them where they can be counted.
        size?;
        grid::points(space).into_iter().find(is_new)
    }

    fn random(&self, number: u64, attempt: u64) -> SplitMix64 {
        SplitMix64::new(SplitMix64::hash(self.seed ^ SplitMix64::hash(number.wrapping_mul(1009).wrapping_add(attempt))))
    }

    /// Point `number` of a sequence that fills the space evenly (Roberts 2018: an additive recurrence with the powers of a
    /// generalised golden ratio), shifted by the seed.
    fn spread(&self, space: &Space, number: u64) -> Point {
        let dimensions = space.dimensions().len();
        let mut ratio = 2.0_f64;
        for _ in 0..60 {
            ratio = (1.0 + ratio).powf(1.0 / (dimensions as f64 + 1.0));
        }
        space.build(|at, domain: &Domain| {
            let shift = SplitMix64::to_unit(SplitMix64::hash(self.seed.wrapping_add(at as u64)));
            let step = ratio.powi(-(at as i32 + 1));
            domain.at((shift + step * (number + 1) as f64).fract())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn space() -> Space {
        Space::parse(&json!({
            "x": { "float": [-5, 5] },
            "y": { "float": [-5, 5] },
        }))
        .unwrap()
    }

    /// Runs a study of `count` trials on a function of the parameters; the best value.
    fn best(kind: SamplerKind, seed: u64, count: u64, space: &Space, f: impl Fn(&Point) -> f64) -> f64 {
        let sampler = Sampler { kind, seed, startup_trials: 10 };
        let mut trials: Vec<Trial> = Vec::new();
        for number in 0..count {
            let Some(point) =
                sampler.propose(space, Direction::Minimize, &trials.iter().collect::<Vec<_>>(), number, &|_| true)
            else {
                break;
            };
            let value = Some(f(&point));
            trials.push(Trial {
                number,
                params: space.params(&point),
                point,
                state: TrialState::Completed,
                value,
                noise: None,
                steps: Vec::new(),
                facts: serde_json::Map::new(),
                reason: None,
                seconds: 0.0,
            });
        }
        trials.iter().filter_map(|trial| trial.value).fold(f64::INFINITY, f64::min)
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    /// Branin's function of two numbers, moved to -5 to 5: the least value is 0.397887.
    fn branin(point: &Point) -> f64 {
        let (x, y) = (point.0[0].unwrap() * 1.5 + 2.5, point.0[1].unwrap() * 1.5 + 7.5);
        let pi = std::f64::consts::PI;
        let a = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
        a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x.cos() + 10.0
    }

    #[test]
    fn learning_from_trials_beats_chance_on_a_known_function() {
        let space = space();
        let of = |kind| median((0..20).map(|seed| best(kind, seed, 30, &space, branin)).collect());
        let (tpe, random) = (of(SamplerKind::Tpe), of(SamplerKind::Random));
        assert!(tpe < random, "{tpe} against {random}");
        let of = |kind| median((0..20).map(|seed| best(kind, seed, 100, &space, branin)).collect());
        assert!(of(SamplerKind::Tpe) < 0.5, "{}", of(SamplerKind::Tpe));
    }

    #[test]
    fn every_point_of_a_small_space_is_proposed_once() {
        let space = Space::parse(&json!({
            "kind": ["a", "b"],
            "n": { "int": [1, 5], "when": { "kind": "a" } },
        }))
        .unwrap();
        for kind in [SamplerKind::Tpe, SamplerKind::Random, SamplerKind::QuasiRandom, SamplerKind::Grid] {
            let sampler = Sampler { kind, seed: 3, startup_trials: 2 };
            let (mut trials, mut seen) = (Vec::<Trial>::new(), std::collections::BTreeSet::new());
            for number in 0.. {
                let Some(point) =
                    sampler.propose(&space, Direction::Maximize, &trials.iter().collect::<Vec<_>>(), number, &|_| true)
                else {
                    break;
                };
                assert!(seen.insert(format!("{:?}", space.params(&point))), "{kind:?} {number}");
                let value = Some(point.0.iter().flatten().sum());
                let params = space.params(&point);
                trials.push(Trial {
                    number,
                    params,
                    point,
                    state: TrialState::Completed,
                    value,
                    noise: None,
                    steps: Vec::new(),
                    facts: serde_json::Map::new(),
                    reason: None,
                    seconds: 0.0,
                });
            }
            assert_eq!(seen.len(), 6, "{kind:?}");
        }
    }

    #[test]
    fn proposals_depend_on_nothing_but_what_they_are_given() {
        let space = space();
        let one = best(SamplerKind::Tpe, 7, 40, &space, branin);
        assert_eq!(one.to_bits(), best(SamplerKind::Tpe, 7, 40, &space, branin).to_bits());
        assert_ne!(one.to_bits(), best(SamplerKind::Tpe, 8, 40, &space, branin).to_bits());
    }
}
