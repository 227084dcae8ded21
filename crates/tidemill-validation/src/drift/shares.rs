//! Distances of aligned shares.

/// Shares below this count as this much in the population stability index, which is infinite otherwise.
pub(super) const SHARE_MIN: f64 = 1e-4;

/// Counts of the same values or bins on two sides.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pairs(pub Vec<(f64, f64)>);

impl Pairs {
    /// What is counted on each side.
    pub fn totals(&self) -> (f64, f64) {
        self.0.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1))
    }

    /// Each count by the total of its side; zeros on an empty side.
    fn shares(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let totals = self.totals();
        let share = |count: f64, total: f64| if total > 0.0 { count / total } else { 0.0 };
        self.0.iter().map(move |(p, q)| (share(*p, totals.0), share(*q, totals.1)))
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
            .map(|(p, q)| {
                let m = f64::midpoint(p, q);
                part(p, m) + part(q, m)
            })
            .sum();
        (sum / 2.0).clamp(0.0, 1.0)
    }

    /// The largest difference of two shares.
    pub fn l_infinity(&self) -> f64 {
        self.degenerate(1.0).unwrap_or_else(|| self.shares().map(|(p, q)| (p - q).abs()).fold(0.0, f64::max).min(1.0))
    }

    /// The largest difference of two counts, divided by all counts of both sides.
    pub fn normalized_absolute_difference(&self) -> f64 {
        let totals = self.totals();
        let all = totals.0 + totals.1;
        if all > 0.0 { self.0.iter().map(|(p, q)| (p - q).abs() / all).fold(0.0, f64::max).min(1.0) } else { 0.0 }
    }

    /// Population stability index: the sum of `(q - p) ln(q / p)`, shares lifted to at least [`SHARE_MIN`].
    pub fn population_stability_index(&self) -> f64 {
        if self.degenerate(1.0) == Some(0.0) {
            return 0.0;
        }
        let lifted = |share: f64| share.max(SHARE_MIN);
        self.shares()
            .filter(|(p, q)| p > &0.0 || q > &0.0)
            .map(|(p, q)| (lifted(q) - lifted(p)) * (lifted(q) / lifted(p)).ln())
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
        let pairs = Pairs(vec![(10.0, 60.0), (40.0, 60.0), (50.0, 80.0)]);
        near(pairs.jensen_shannon(), 0.046_930_300_568_985_47);
        near(pairs.l_infinity(), 0.2);
        near(pairs.normalized_absolute_difference(), 50.0 / 300.0);
        near(pairs.population_stability_index(), 0.270_805_020_110_221);
    }

    #[test]
    fn nothing_is_as_far_from_something_as_can_be() {
        for (pairs, far) in [(vec![(0.0, 3.0)], 1.0), (vec![(2.0, 0.0)], 1.0), (vec![(0.0, 0.0)], 0.0), (vec![], 0.0)] {
            let pairs = Pairs(pairs);
            assert_eq!((pairs.jensen_shannon(), pairs.l_infinity()), (far, far));
            assert_eq!(pairs.population_stability_index() > 0.0, far > 0.0);
        }
        assert_eq!(Pairs(vec![(1.0, 0.0), (0.0, 1.0)]).jensen_shannon(), 1.0);
    }

    fn pairs() -> impl Strategy<Value = Pairs> {
        let count = prop_oneof![Just(0.0), 1.0..1e9];
        prop::collection::vec((count.clone(), count), 0..30).prop_map(Pairs)
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_bounded_and_zero_to_oneself(pairs in pairs(), scale in 0.1..10.0f64) {
            let swapped = Pairs(pairs.0.iter().map(|(p, q)| (*q, *p)).collect());
            let mirrored = Pairs(pairs.0.iter().map(|(p, _)| (*p, p * scale)).collect());
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
