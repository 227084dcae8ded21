//! Which bin a value falls into.

use tidemill_model::trees::{CategorySet, Rule};

/// Bins a feature may have beside the one for missing values.
pub(crate) const BINS_MAX: usize = 255;

/// How the values of one feature are binned. The bin after the last one is for missing values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeatureBins {
    /// Bin `i` holds the values above `bounds[i - 1]` and not above `bounds[i]`.
    Numeric {
        /// Upper bounds, ascending; the last bin has none.
        bounds: Vec<f64>,
    },
    /// Bin 0 holds all codes without a bin of their own; bin `i` holds the code `codes[i - 1]`.
    Categorical {
        /// By falling frequency.
        codes: Vec<u32>,
        /// The bin of each code up to the highest that has one.
        bin_of: Vec<u8>,
    },
}

impl FeatureBins {
    /// Bins of a numeric feature from its values in a sample, which must hold no `NaN`.
    pub(crate) fn numeric(mut sample: Vec<f64>, bins_max: usize) -> Self {
        sample.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<(f64, u64)> = Vec::new();
        for value in sample {
            match distinct.last_mut() {
                // `==` and not the bits: 0 and -0 are one value to a threshold.
                Some((last, count)) if *last == value => *count += 1,
                _ => distinct.push((value, 1)),
            }
        }
        Self::Numeric { bounds: bounds(&distinct, bins_max.clamp(1, BINS_MAX)) }
    }

    /// Bins of a categorical feature from the number of rows of each code. The most frequent codes get a bin each.
    pub(crate) fn categorical(counts: &[u64], bins_max: usize) -> Self {
        let mut codes: Vec<u32> = (0..counts.len() as u32).filter(|code| counts[*code as usize] > 0).collect();
        codes.sort_by_key(|code| (std::cmp::Reverse(counts[*code as usize]), *code));
        codes.truncate(bins_max.clamp(2, BINS_MAX) - 1);
        let mut bin_of = vec![0; codes.iter().max().map_or(0, |code| *code as usize + 1)];
        for (at, code) in codes.iter().enumerate() {
            bin_of[*code as usize] = at as u8 + 1;
        }
        Self::Categorical { codes, bin_of }
    }

    /// How many bins hold present values.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numeric { bounds } => bounds.len() + 1,
            Self::Categorical { codes, .. } => codes.len() + 1,
        }
    }

    /// The bin of missing values.
    pub(crate) fn missing(&self) -> u8 {
        self.len() as u8
    }

    /// The bin of `value`.
    #[inline]
    pub(crate) fn bin(&self, value: f64) -> u8 {
        if value.is_nan() {
            return self.missing();
        }
        match self {
            Self::Numeric { bounds } => bounds.partition_point(|bound| *bound < value) as u8,
            Self::Categorical { bin_of, .. } => {
                let code = value as usize;
                if code as f64 == value { bin_of.get(code).copied().unwrap_or(0) } else { 0 }
            }
        }
    }

    /// The rule of a split that sends the bins of `left` left. A numeric `left` is a run from bin 0.
    pub(crate) fn rule(&self, left: &BinSet) -> Rule {
        match self {
            Self::Numeric { bounds } => {
                let last = (0..self.len()).rev().find(|bin| left.contains(*bin as u8)).unwrap_or(0);
                // Only missing values lie beyond the last bin.
                Rule::AtMost(bounds.get(last).copied().unwrap_or(f64::INFINITY))
            }
            Self::Categorical { codes, .. } => {
                let chosen = codes.iter().enumerate().filter(|(at, _)| left.contains(*at as u8 + 1));
                Rule::OneOf(chosen.map(|(_, code)| *code).collect::<CategorySet>())
            }
        }
    }
}

/// A set of bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BinSet([u64; 4]);

impl BinSet {
    /// The bins `0..=last`.
    pub(crate) fn up_to(last: u8) -> Self {
        (0..=last).collect()
    }

    pub(crate) fn insert(&mut self, bin: u8) {
        self.0[usize::from(bin >> 6)] |= 1 << (bin & 63);
    }

    #[inline]
    pub(crate) fn contains(&self, bin: u8) -> bool {
        self.0[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1
    }

    /// The bins that are not in it.
    pub(crate) fn complement(&self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// The bins that are in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// Whether it has no bin.
    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Its first and last bin below `end`, if there are any.
    pub(crate) fn ends_below(&self, end: u8) -> Option<(u8, u8)> {
        let mut bins = (0..end).filter(|bin| self.contains(*bin));
        let first = bins.next()?;
        Some((first, bins.next_back().unwrap_or(first)))
    }

    /// Membership by bin.
    pub(crate) fn table(&self) -> [bool; 256] {
        std::array::from_fn(|bin| self.contains(bin as u8))
    }
}

impl FromIterator<u8> for BinSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bins: I) -> Self {
        let mut set = Self::default();
        bins.into_iter().for_each(|bin| set.insert(bin));
        set
    }
}

/// Upper bounds of at most `bins_max` bins over ascending values with their counts: a bin each if the values are
/// few, else bins of about equal count in which frequent values stay alone (the greedy method of LightGBM's
/// `GreedyFindBin`).
fn bounds(distinct: &[(f64, u64)], bins_max: usize) -> Vec<f64> {
    let between = |at: usize| midpoint(distinct[at].0, distinct[at + 1].0);
    if distinct.len() <= bins_max {
        return (1..distinct.len()).map(|at| between(at - 1)).collect();
    }
    let total: u64 = distinct.iter().map(|(_, count)| count).sum();
    let frequent = |at: usize| distinct[at].1 as f64 >= total as f64 / bins_max as f64;
    let frequent_count = (0..distinct.len()).filter(|at| frequent(*at)).count();
    let frequent_rows: u64 = (0..distinct.len()).filter(|at| frequent(*at)).map(|at| distinct[at].1).sum();

    let mut bins_left = bins_max - frequent_count;
    let mut rows_left = total - frequent_rows;
    let share = |rows: u64, bins: usize| if bins == 0 { f64::INFINITY } else { rows as f64 / bins as f64 };
    let mut target = share(rows_left, bins_left);
    let mut bounds = Vec::with_capacity(bins_max - 1);
    let mut in_bin = 0;
    for (at, (_, count)) in distinct[..distinct.len() - 1].iter().enumerate() {
        if !frequent(at) {
            rows_left -= count;
        }
        in_bin += count;
        let enough = in_bin as f64 >= target || (frequent(at + 1) && in_bin as f64 >= (target * 0.5).max(1.0));
        if frequent(at) || enough {
            bounds.push(between(at));
            if bounds.len() == bins_max - 1 {
                break;
            }
            in_bin = 0;
            if !frequent(at) {
                bins_left = bins_left.saturating_sub(1);
                target = share(rows_left, bins_left);
            }
        }
    }
    bounds
}

/// A threshold `t` with `low <= t < high`, in the middle where the middle is one.
fn midpoint(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds_of(bins: &FeatureBins) -> &[f64] {
        match bins {
            FeatureBins::Numeric { bounds } => bounds,
            FeatureBins::Categorical { .. } => panic!("not numeric"),
        }
    }

    #[test]
    fn few_values_get_a_bin_each_with_bounds_at_midpoints() {
        let bins = FeatureBins::numeric(vec![3.0, 1.0, 1.0, 2.0, -0.0, 0.0], 255);
        assert_eq!(bounds_of(&bins), [0.5, 1.5, 2.5]);
        assert_eq!([0.0, -0.0, 0.5, 0.6, 3.0, 1e9].map(|value| bins.bin(value)), [0, 0, 0, 1, 3, 3]);
        assert_eq!(bins.bin(f64::NAN), 4);
    }

    #[test]
    fn a_frequent_value_stays_alone_and_the_others_share_evenly() {
        let mut sample: Vec<f64> = (0..1000).map(f64::from).collect();
        sample.extend(std::iter::repeat_n(500.0, 1000));
        let bins = FeatureBins::numeric(sample, 10);
        let bounds = bounds_of(&bins);
        assert_eq!(bounds.len(), 9);
        assert!(bounds.contains(&499.5) && bounds.contains(&500.5), "{bounds:?}");
    }

    #[test]
    fn extreme_neighbours_still_have_a_threshold_between_them() {
        let (tiny, next) = (1.0_f64, 1.0_f64.next_up());
        let bins = FeatureBins::numeric(vec![tiny, next, f64::MAX, f64::INFINITY, f64::NEG_INFINITY], 255);
        let order = [f64::NEG_INFINITY, tiny, next, f64::MAX, f64::INFINITY];
        assert_eq!(order.map(|value| bins.bin(value)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn rare_codes_share_the_first_bin() {
        let mut counts = vec![1_u64; 400];
        counts[300] = 50;
        counts[7] = 40;
        let bins = FeatureBins::categorical(&counts, 255);
        assert_eq!(bins.len(), 255);
        assert_eq!([300.0, 7.0, 0.0].map(|code| bins.bin(code)), [1, 2, 3]);
        assert_eq!([399.0, 400.0, 1e18, -1.0, 7.5].map(|code| bins.bin(code)), [0; 5]);
        assert_eq!(bins.bin(f64::NAN), 255);
        assert_eq!(bins.rule(&[1, 3].into_iter().collect()), Rule::OneOf([0, 300].into_iter().collect()));
    }

    proptest! {
        #[test]
        fn a_threshold_parts_the_rows_as_the_bins_do(
            sample in prop::collection::vec(prop_oneof![-50.0..50.0_f64, (0_i32..20).prop_map(f64::from)], 1..400),
            bins_max in 1..40_usize,
        ) {
            let bins = FeatureBins::numeric(sample.clone(), bins_max);
            prop_assert!(bins.len() <= bins_max);
            let bounds = bounds_of(&bins);
            prop_assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
            for (at, bound) in bounds.iter().enumerate() {
                let left = BinSet::up_to(at as u8);
                prop_assert_eq!(bins.rule(&left), Rule::AtMost(*bound));
                for value in &sample {
                    prop_assert_eq!(left.contains(bins.bin(*value)), value <= bound);
                }
            }
        }
    }
}
