//! Splits: which arm a unit belongs to.
//!
//! Weighted rendezvous hashing: every arm draws a number for the unit, from a hash of the salt, the arm and the unit,
//! and the smallest `-ln(u) / weight` wins. Shares are exact on average; if the weight of one arm grows beside the others,
//! units move to that arm and nowhere else; and no state is needed, so all servers agree.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The arms of a split.
#[derive(Debug, Clone)]
pub(super) struct Split {
    arms: Vec<Arm>,
    /// The arm of rows without a unit.
    heaviest: usize,
}

#[derive(Debug, Clone)]
struct Arm {
    /// What the arm leads to.
    node: usize,
    seed: u64,
    weight: f64,
}

impl Split {
    /// A split among arms: name, destination and weight. Arms of weight 0 receive nothing.
    pub(super) fn new<'a>(salt: &str, arms: impl IntoIterator<Item = (&'a str, usize, f64)>) -> Self {
        let salt = xxh3_64_with_seed(salt.as_bytes(), 0);
        let arms: Vec<Arm> = arms
            .into_iter()
            .map(|(name, node, weight)| Arm { node, seed: xxh3_64_with_seed(name.as_bytes(), salt), weight })
            .collect();
        let heaviest = arms.iter().enumerate().max_by(|a, b| a.1.weight.total_cmp(&b.1.weight));
        Self { heaviest: heaviest.map_or(0, |(at, _)| at), arms }
    }

    /// The destination of the unit whose bytes these are.
    pub(super) fn of_unit(&self, unit: &[u8]) -> Option<usize> {
        self.draw(|seed| xxh3_64_with_seed(unit, seed))
    }

    /// The destination of a unit that is a number.
    pub(super) fn of_number(&self, unit: u64) -> Option<usize> {
        self.of_unit(&unit.to_le_bytes())
    }

    /// The destination of rows without a unit.
    pub(super) fn without_unit(&self) -> Option<usize> {
        self.arms.get(self.heaviest).map(|arm| arm.node)
    }

    fn draw(&self, hash: impl Fn(u64) -> u64) -> Option<usize> {
        let cost = |arm: &Arm| {
            // From 0 (exclusive) to 1: the logarithm is finite.
            let uniform = ((hash(arm.seed) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            -uniform.ln() / arm.weight
        };
        let arms = self.arms.iter().filter(|arm| arm.weight > 0.0);
        arms.map(|arm| (cost(arm), arm.node)).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNITS: u64 = 100_000;

    #[test]
    fn a_hundred_thousand_units_are_split_within_half_a_percent() {
        for weights in [&[90.0, 10.0][..], &[50.0, 50.0], &[99.0, 1.0], &[40.0, 35.0, 25.0]] {
            let arms = weights.iter().enumerate().map(|(at, weight)| (["a", "b", "c"][at], at, *weight));
            let split = Split::new("taxi", arms);
            let mut counts = vec![0u64; weights.len()];
            for unit in 0..UNITS {
                counts[split.of_unit(format!("rider-{unit}").as_bytes()).unwrap()] += 1;
            }
            for (count, weight) in counts.iter().zip(weights) {
                let share = 100.0 * *count as f64 / UNITS as f64;
                assert!((share - weight).abs() < 0.5, "{share} % instead of {weight} %");
            }
        }
    }

    #[test]
    fn a_ramp_moves_units_only_to_the_candidate() {
        let of = |candidate: f64| {
            let rest = 100.0 - candidate;
            let arms = [("champion", 0, rest * 0.75), ("other", 1, rest * 0.25), ("candidate", 2, candidate)];
            Split::new("taxi", arms)
        };
        let steps: Vec<Split> = [1.0, 5.0, 25.0, 50.0, 99.0].map(of).to_vec();
        for unit in 0..20_000u64 {
            for pair in steps.windows(2) {
                let (before, after) = (pair[0].of_number(unit).unwrap(), pair[1].of_number(unit).unwrap());
                assert!(after == before || after == 2, "unit {unit} moved from {before} to {after}");
            }
        }
    }

    #[test]
    fn an_arm_without_weight_receives_nothing_and_a_row_without_a_unit_goes_to_the_heaviest() {
        let split = Split::new("s", [("a", 7, 0.0), ("b", 8, 100.0)]);
        assert!((0..1000).all(|unit| split.of_number(unit) == Some(8)));
        assert_eq!(split.without_unit(), Some(8));
        assert_eq!(Split::new("s", []).of_number(1), None);
    }

    proptest! {
        #[test]
        fn a_unit_stays_where_it_is(salt in ".{0,8}", unit in any::<Vec<u8>>(), weight in 1.0..99.0f64) {
            let split = || Split::new(&salt, [("a", 0, weight), ("b", 1, 100.0 - weight)]);
            prop_assert_eq!(split().of_unit(&unit), split().of_unit(&unit));
        }
    }
}
