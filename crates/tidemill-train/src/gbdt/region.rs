//! Where the rows of a leaf lie, and which leaves must not pass each other for predictions to keep their directions.
//!
//! Two rows that differ in one feature alone lie in leaves whose regions meet in every other feature. So predictions keep a
//! direction if the values of any two such leaves do, which is what the method `intermediate` of LightGBM keeps too (Auguste,
//! Malory and Smirnov, "A better method to enforce monotonic constraints in regression and classification trees", 2020). The
//! method `basic` keeps every leaf on one side of the middle of each split above it, which rules out more.

use super::binning::Binning;
use super::bins::BinSet;

/// The bins that rows of a leaf have, by used feature; all bins of a feature that is not listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Region(Vec<(usize, BinSet)>);

impl Region {
    /// The regions of the children of a split.
    pub(crate) fn children(&self, used: usize, left: &BinSet) -> [Self; 2] {
        [*left, left.complement()].map(|side| {
            let mut child = self.clone();
            match child.0.iter_mut().find(|(feature, _)| *feature == used) {
                Some((_, bins)) => *bins = bins.intersection(&side),
                None => child.0.push((used, side)),
            }
            child
        })
    }

    /// 1: the value of this leaf must not be above that of `other`; −1: not below it; 0: either may be larger.
    pub(crate) fn order(&self, other: &Self, directions: &[i8], binning: &Binning) -> i8 {
        let mut apart = None;
        for (used, bins) in &self.0 {
            let Some((_, others)) = other.0.iter().find(|(feature, _)| feature == used) else { continue };
            if bins.intersection(others).is_empty() {
                if apart.is_some() {
                    return 0;
                }
                apart = Some((*used, bins, others));
            }
        }
        let Some((used, mine, theirs)) = apart else { return 0 };
        let direction = directions.get(used).copied().unwrap_or(0);
        // A missing value has no place among the numbers.
        let ends = |bins: &BinSet| bins.ends_below(binning.used[used].bins.missing());
        match (direction, ends(mine), ends(theirs)) {
            (0, ..) | (_, None, _) | (_, _, None) => 0,
            (_, Some((_, last)), Some((first, _))) if last < first => direction,
            _ => -direction,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_ordered_where_they_part_in_one_feature_alone() {
        let used = |feature| super::super::binning::UsedFeature {
            feature,
            bins: super::super::bins::FeatureBins::numeric((0..10).map(f64::from).collect(), 10),
            has_missing: true,
            first_cell: 0,
        };
        let binning = Binning { features: 2, used: vec![used(0), used(1)], cells: 0 };
        let [low, high] = Region::default().children(0, &BinSet::up_to(4));
        let directions = [1, 0];
        assert_eq!((low.order(&high, &directions, &binning), high.order(&low, &directions, &binning)), (1, -1));
        assert_eq!(low.order(&high, &[-1, 0], &binning), -1);
        assert_eq!(low.order(&high, &[0, 1], &binning), 0);
        // The children of both on another feature meet only where they are on the same side of it.
        let [low_left, low_right] = low.children(1, &BinSet::up_to(2));
        let [high_left, _] = high.children(1, &BinSet::up_to(2));
        assert_eq!(low_left.order(&high_left, &directions, &binning), 1);
        assert_eq!(low_right.order(&high_left, &directions, &binning), 0);
        assert_eq!(low_left.order(&low_right, &directions, &binning), 0);
        // Missing values alone are no place.
        let mut missing = BinSet::default();
        missing.insert(binning.used[0].bins.missing());
        let [absent, present] = Region::default().children(0, &missing);
        assert_eq!(absent.order(&present, &directions, &binning), 0);
    }
}
