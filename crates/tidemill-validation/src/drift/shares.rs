//! Distances of aligned shares.

/// Shares below this count as this much in the population stability index, which is infinite otherwise.
const SHARE_MIN: f64 = 1e-4;

/// Counts of the same values or bins on two sides.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pairs(pub Vec<Pair>);

/// Counts of one value or bin on two sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// The count of the first dataset.
    pub a: f64,
    /// The count of the second.
    pub b: f64,
    /// How many values like this one it stands for: 1, and more for a value of a sample.
    pub times: f64,
}

impl From<(f64, f64)> for Pair {
    fn from((a, b): (f64, f64)) -> Self {
        Self { a, b, times: 1.0 }
    }
}

impl From<Vec<(f64, f64)>> for Pairs {
    fn from(pairs: Vec<(f64, f64)>) -> Self {
        Self(pairs.into_iter().map(Pair::from).collect())
    }
}

impl Pairs {
    /// What is counted on each side.
    pub fn totals(&self) -> (f64, f64) {
        self.0.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.a * pair.times, sum.1 + pair.b * pair.times))
    }

    /// Whether some pairs stand for more than themselves.
    pub fn is_sample(&self) -> bool {
        self.0.iter().any(|pair| pair.times > 1.0)
    }

    /// Each count by the total of its side, zeros on an empty side; and how many values have these shares.
    fn shares(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let totals = self.totals();
        let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
        self.0.iter().map(move |pair| (share(pair.a, totals.0), share(pair.b, totals.1), pair.times))
    }

    /// What is said where a side holds nothing: nothing against nothing is 0, against something `far`.
    fn degenerate(&self, far: f64) -> Option<f64> {
        let totals = self.totals();
        match (totals.0 > 0.0, totals.1 > 0.0) {
            (true, true) => None,
            (false, false) => Some(0.0),
            _ => Some(far),
        }
    }

    /// Jensen-Shannon divergence in bits: `(KL(p, m) + KL(q, m)) / 2` with `m` the mean of both.
    pub fn jensen_shannon(&self) -> f64 {
        if let Some(known) = self.degenerate(1.0) {
            return known;
        }
        let part = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
        let sum: f64 = self
            .shares()
            .map(|(p, q, times)| {
                let m = f64::midpoint(p, q);
                times * (part(p, m) + part(q, m))
            })
            .sum();
        (sum / 2.0).clamp(0.0, 1.0)
    }

    /// The largest difference of two shares.
    pub fn l_infinity(&self) -> f64 {
        self.degenerate(1.0)
            .unwrap_or_else(|| self.shares().map(|(p, q, _)| (p - q).abs()).fold(0.0, f64::max).min(1.0))
    }

    /// The largest difference of two counts, divided by all counts of both sides.
    pub fn normalized_absolute_difference(&self) -> f64 {
        let totals = self.totals();
        let all = totals.0 + totals.1;
        if all > 0.0 {
            self.0.iter().map(|pair| (pair.a - pair.b).abs() / all).fold(0.0, f64::max).min(1.0)
        } else {
            0.0
        }
    }

    /// The least share in the population stability index: [`SHARE_MIN`], or a tenth of an even share where values are so
    /// many that most shares are smaller.
    pub fn share_min(&self) -> f64 {
        let cells: f64 = self.0.iter().map(|pair| pair.times).sum();
        SHARE_MIN.min(0.1 / cells.max(1.0))
    }

    /// Population stability index: the sum of `(q - p) ln(q / p)`, shares lifted to at least [`Pairs::share_min`].
    pub fn population_stability_index(&self) -> f64 {
        if self.degenerate(1.0) == Some(0.0) {
            return 0.0;
        }
        let least = self.share_min();
        let lifted = |share: f64| share.max(least);
        self.shares()
            .filter(|(p, q, _)| p > &0.0 || q > &0.0)
            .map(|(p, q, times)| times * (lifted(q) - lifted(p)) * (lifted(q) / lifted(p)).ln())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} {expected}");
    }

    #[test]
    fn distances_are_what_scipy_and_numpy_give() {
        // p = [10, 40, 50], q = [60, 60, 80]; SciPy 1.17 and NumPy 2.4:
        // jensenshannon(p, q, base=2) ** 2; max(abs(p/100 - q/200)); max(abs(p - q)) / 300; sum((q-p) * log(q/p))
        let pairs = Pairs::from(vec![(10.0, 60.0), (40.0, 60.0), (50.0, 80.0)]);
        near(pairs.jensen_shannon(), 0.046_930_300_568_985_47);
        near(pairs.l_infinity(), 0.2);
        near(pairs.normalized_absolute_difference(), 50.0 / 300.0);
        near(pairs.population_stability_index(), 0.270_805_020_110_221);
    }

    #[test]
    fn nothing_is_as_far_from_something_as_can_be() {
        for (pairs, far) in [(vec![(0.0, 3.0)], 1.0), (vec![(2.0, 0.0)], 1.0), (vec![(0.0, 0.0)], 0.0), (vec![], 0.0)] {
            let pairs = Pairs::from(pairs);
            assert_eq!((pairs.jensen_shannon(), pairs.l_infinity()), (far, far));
            assert_eq!(pairs.population_stability_index() > 0.0, far > 0.0);
        }
        assert_eq!(Pairs::from(vec![(1.0, 0.0), (0.0, 1.0)]).jensen_shannon(), 1.0);
    }

    #[test]
    fn a_pair_that_stands_for_several_counts_as_often() {
        let sampled = Pairs(vec![(70.0, 20.0).into(), Pair { a: 10.0, b: 30.0, times: 3.0 }]);
        let all = Pairs::from(vec![(70.0, 20.0), (10.0, 30.0), (10.0, 30.0), (10.0, 30.0)]);
        near(sampled.jensen_shannon(), all.jensen_shannon());
        near(sampled.population_stability_index(), all.population_stability_index());
        near(sampled.l_infinity(), all.l_infinity());
        near(sampled.normalized_absolute_difference(), all.normalized_absolute_difference());
    }

    fn pairs() -> impl Strategy<Value = Pairs> {
        let count = prop_oneof![Just(0.0), 1.0..1e9];
        prop::collection::vec((count.clone(), count), 0..30).prop_map(Pairs::from)
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_bounded_and_zero_to_oneself(pairs in pairs(), scale in 0.1..10.0f64) {
            let swapped = Pairs(pairs.0.iter().map(|pair| (pair.b, pair.a).into()).collect());
            let mirrored = Pairs(pairs.0.iter().map(|pair| (pair.a, pair.a * scale).into()).collect());
            let all: [fn(&Pairs) -> f64; 4] = [
                Pairs::jensen_shannon,
                Pairs::l_infinity,
                Pairs::normalized_absolute_difference,
                Pairs::population_stability_index,
            ];
            for (index, distance) in all.iter().enumerate() {
                let value = distance(&pairs);
                prop_assert!(value >= 0.0 && value.is_finite() && (index == 3 || value <= 1.0), "{index}: {value}");
                prop_assert!((value - distance(&swapped)).abs() <= 1e-12 * value.max(1.0));
                // Only counts, not shares, see that one side is larger.
                prop_assert!(index == 2 || distance(&mirrored) < 1e-12);
            }
        }
    }
}
