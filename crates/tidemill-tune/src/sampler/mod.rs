//! Who proposes the parameters of the next trial.

mod cost;
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
    /// one that runs still counts as a bad one, so that others look elsewhere. `thrift`: how much the time of a trial counts
    /// against it, from 0 for not at all to 1. `allows`: whether a point may be proposed.
    ///
    /// `None`: every point has been tried.
    pub fn propose(
        &self,
        space: &Space,
        direction: Direction,
        trials: &[&Trial],
        number: u64,
        thrift: f64,
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
            if let Some(point) = tpe::propose(space, direction, trials, thrift, &mut random, &is_new) {
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

    /// Point `number` of a sequence that fills the space evenly: Halton's, with digits that the seed permutes.
    fn spread(&self, space: &Space, number: u64) -> Point {
        // Small bases are even soonest: those of choices, of which few trials must see all.
        let mut order: Vec<usize> = (0..space.dimensions().len()).collect();
        order.sort_by_key(|at| !matches!(space.dimensions()[*at].domain, Domain::Choice(_)));
        let mut bases = vec![2; order.len()];
        order.iter().zip(primes(order.len())).for_each(|(at, prime)| bases[*at] = prime);
        space.build(|at, domain: &Domain| domain.at(self.radical_inverse(number, bases[at], at as u64)))
    }

    /// The digits of `number` to a base, each permuted, turned around behind the point; and below the last of them a share
    /// that the seed draws. The permutations spread the first points even where the base is large.
    fn radical_inverse(&self, number: u64, base: u64, stream: u64) -> f64 {
        let mix = |a: u64, b: u64| SplitMix64::hash(a ^ SplitMix64::hash(b));
        let stream = mix(self.seed, stream);
        let (mut rest, mut width, mut value) = (number, 1.0, 0.0);
        for place in 0.. {
            let digit = rest % base;
            rest /= base;
            width /= base as f64;
            let key = |digit: u64| mix(mix(stream, place), digit);
            let permuted = (0..base).filter(|other| key(*other) < key(digit)).count();
            value += permuted as f64 * width;
            if rest == 0 && width < 1e-3 {
                break;
            }
        }
        value + width * SplitMix64::to_unit(mix(stream, number))
    }
}

/// The first prime numbers.
fn primes(count: usize) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::with_capacity(count);
    let mut next = 2_u64;
    while found.len() < count {
        if found.iter().all(|prime| !next.is_multiple_of(*prime)) {
            found.push(next);
        }
        next += 1;
    }
    found
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
                sampler.propose(space, Direction::Minimize, &trials.iter().collect::<Vec<_>>(), number, 0.0, &|_| true)
            else {
                break;
            };
            let value = Some(f(&point));
            trials.push(Trial {
                state: TrialState::Completed,
                value,
                ..Trial::started(number, space.params(&point), point)
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
                let Some(point) = sampler.propose(
                    &space,
                    Direction::Maximize,
                    &trials.iter().collect::<Vec<_>>(),
                    number,
                    0.0,
                    &|_| true,
                ) else {
                    break;
                };
                assert!(seen.insert(format!("{:?}", space.params(&point))), "{kind:?} {number}");
                let value = Some(point.0.iter().flatten().sum());
                trials.push(Trial {
                    state: TrialState::Completed,
                    value,
                    ..Trial::started(number, space.params(&point), point)
                });
            }
            assert_eq!(seen.len(), 6, "{kind:?}");
        }
    }

    #[test]
    fn the_first_trials_are_spread_in_every_dimension() {
        let ranges: serde_json::Map<String, serde_json::Value> =
            (0..30).map(|at| (format!("p{at}"), json!({ "float": [0, 1] }))).collect();
        let mut ranges = ranges;
        ranges.insert("kind".to_owned(), json!(["a", "b", "c", "d", "e"]));
        let space = Space::parse(&ranges.into()).unwrap();
        for seed in 0..20 {
            let sampler = Sampler { kind: SamplerKind::QuasiRandom, seed, startup_trials: 10 };
            let points: Vec<Point> = (0..20).map(|number| sampler.spread(&space, number)).collect();
            for (at, dimension) in space.dimensions().iter().enumerate() {
                let values: Vec<f64> = points.iter().map(|point| point.0[at].unwrap()).collect();
                if dimension.name == "kind" {
                    assert!((0..5).all(|kind| values.contains(&f64::from(kind))), "{seed}: {values:?}");
                } else {
                    let (least, most) =
                        (values.iter().copied().fold(1.0, f64::min), values.iter().copied().fold(0.0, f64::max));
                    assert!(least < 0.3 && most > 0.7, "{seed} {}: {least} to {most}", dimension.name);
                }
            }
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
