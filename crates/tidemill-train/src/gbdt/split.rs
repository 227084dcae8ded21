//! The best split of a leaf.

use rayon::prelude::*;

use super::binned::Binned;
use super::binning::UsedFeature;
use super::bins::BinSet;
use super::category::best_categorical;
use super::histogram::Cell;
use super::params::GradientBoosting;

/// Keeps denominators from being zero.
const TINY: f64 = 1e-15;
/// Used features below which threads are not worth waking.
const PARALLEL_FEATURES: usize = 4;

/// How a leaf would be split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SplitPlan {
    /// By how much the loss would fall, before the learning rate, times two.
    pub(crate) gain: f64,
    /// Which of the used features.
    pub(crate) used: usize,
    /// The bins that go left, the one of missing values included if they do.
    pub(crate) left: BinSet,
    /// Whether missing values go left.
    pub(crate) missing_left: bool,
    /// Sums of the left child.
    pub(crate) left_sum: Cell,
    /// L2 penalty that the children's values carry on top of the parameter's.
    pub(crate) extra_l2: f64,
}

/// What is known of a leaf that may be split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafFacts<'a> {
    pub(crate) cells: &'a [Cell],
    /// Rows by cell, where they were counted.
    pub(crate) counts: Option<&'a [u32]>,
    pub(crate) sum: Cell,
    pub(crate) rows: usize,
}

/// One feature of a leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeatureFacts<'a> {
    pub(crate) cells: &'a [Cell],
    counts: Option<&'a [u32]>,
    pub(crate) sum: Cell,
    pub(crate) rows: f64,
    rows_by_hessian: f64,
    pub(crate) params: &'a GradientBoosting,
}

impl<'a> FeatureFacts<'a> {
    fn new(leaf: LeafFacts<'a>, used: &UsedFeature, params: &'a GradientBoosting) -> Self {
        let range = used.first_cell..used.first_cell + used.cells();
        let rows = leaf.rows as f64;
        Self {
            cells: &leaf.cells[range.clone()],
            counts: leaf.counts.map(|counts| &counts[range]),
            sum: leaf.sum,
            rows,
            rows_by_hessian: rows / leaf.sum[1].max(TINY),
            params,
        }
    }

    /// Rows in a bin: counted, or taken to be as many as its share of the second derivatives.
    ///
    /// A histogram of counts would cost half as much again as the sums; a split chosen on the estimate is checked
    /// against the true counts before it is made.
    pub(crate) fn rows_in(&self, bin: usize) -> f64 {
        match self.counts {
            Some(counts) => f64::from(counts[bin]),
            None => (self.cells[bin][1] * self.rows_by_hessian).round(),
        }
    }

    /// The gain over the unsplit leaf from which on a split is worth making.
    pub(crate) fn threshold_score(&self) -> f64 {
        let GradientBoosting { lambda_l1, lambda_l2, min_gain, .. } = *self.params;
        leaf_score(self.sum, lambda_l1, lambda_l2) + min_gain
    }

    /// Whether a child with these sums may exist.
    pub(crate) fn allows(&self, rows: f64, hessian: f64) -> bool {
        rows >= f64::from(self.params.min_data_in_leaf) && hessian >= self.params.min_sum_hessian
    }
}

/// The best split of a leaf over the used features in `wanted`, if one is worth making. Ties go to the first feature.
pub(crate) fn best_split(
    data: &Binned,
    leaf: LeafFacts<'_>,
    params: &GradientBoosting,
    wanted: &[bool],
) -> Option<SplitPlan> {
    let find = |(at, used): (usize, &UsedFeature)| {
        if !wanted[at] {
            return None;
        }
        let facts = FeatureFacts::new(leaf, used, params);
        if used.is_categorical() { best_categorical(facts, used, at) } else { best_numeric(facts, used, at) }
    };
    let used = &data.binning.used;
    let plans: Vec<Option<SplitPlan>> = if used.len() < PARALLEL_FEATURES {
        used.iter().enumerate().map(find).collect()
    } else {
        used.par_iter().with_min_len(PARALLEL_FEATURES).enumerate().map(find).collect()
    };
    plans.into_iter().flatten().reduce(|best, plan| if plan.gain > best.gain { plan } else { best })
}

fn best_numeric(facts: FeatureFacts<'_>, used: &UsedFeature, at: usize) -> Option<SplitPlan> {
    let bins = used.bins.len();
    let missing = if used.has_missing { facts.cells[bins] } else { [0.0; 2] };
    let missing_rows = if used.has_missing { facts.rows_in(bins) } else { 0.0 };

    let right = scan(facts, bins, [0.0; 2], 0.0, missing_rows > 0.0);
    let left = if missing_rows > 0.0 { scan(facts, bins, missing, missing_rows, false) } else { None };
    let (found, missing_left) = match (right, left) {
        (Some(right), Some(left)) if left.score > right.score => (left, true),
        (Some(right), _) => {
            // Nothing is known of missing values here: they follow the larger child.
            (right, missing_rows == 0.0 && right.left_rows * 2.0 >= facts.rows)
        }
        (None, Some(left)) => (left, true),
        (None, None) => return None,
    };
    let mut left = BinSet::up_to(found.bin as u8);
    if missing_left {
        left.insert(used.bins.missing());
    }
    let gain = found.score - facts.threshold_score() + facts.params.min_gain;
    Some(SplitPlan { gain, used: at, left, missing_left, left_sum: found.left_sum, extra_l2: 0.0 })
}

#[derive(Debug, Clone, Copy)]
struct Found {
    score: f64,
    bin: usize,
    left_sum: Cell,
    left_rows: f64,
}

/// The best run of bins from the first one, on top of `start`. `whole`: all bins together may go left, away from the
/// missing values.
fn scan(facts: FeatureFacts<'_>, bins: usize, start: Cell, start_rows: f64, whole: bool) -> Option<Found> {
    let GradientBoosting { lambda_l1, lambda_l2, .. } = *facts.params;
    let (mut sum, mut rows) = (start, start_rows);
    let mut best: Option<Found> = None;
    let mut best_score = facts.threshold_score();
    for bin in 0..if whole { bins } else { bins - 1 } {
        let cell = facts.cells[bin];
        sum = [sum[0] + cell[0], sum[1] + cell[1]];
        rows += facts.rows_in(bin);
        if !facts.allows(rows, sum[1]) {
            continue;
        }
        let rest = [facts.sum[0] - sum[0], facts.sum[1] - sum[1]];
        if !facts.allows(facts.rows - rows, rest[1]) {
            break;
        }
        let score = leaf_score(sum, lambda_l1, lambda_l2) + leaf_score(rest, lambda_l1, lambda_l2);
        if score > best_score {
            best_score = score;
            best = Some(Found { score, bin, left_sum: sum, left_rows: rows });
        }
    }
    best
}

/// Twice the loss that the best value of a leaf with these sums takes away: `max(|G| − α, 0)² / (H + λ)`.
#[inline]
pub(crate) fn leaf_score(sum: Cell, l1: f64, l2: f64) -> f64 {
    let gradient = shrink(sum[0], l1);
    gradient * gradient / (sum[1] + l2 + TINY)
}

/// The value with the smallest loss for a leaf with these sums: `−sign(G) max(|G| − α, 0) / (H + λ)`.
pub(crate) fn leaf_value(sum: Cell, l1: f64, l2: f64) -> f64 {
    -shrink(sum[0], l1) / (sum[1] + l2 + TINY)
}

#[inline]
fn shrink(gradient: f64, l1: f64) -> f64 {
    if l1 == 0.0 { gradient } else { (gradient.abs() - l1).max(0.0).copysign(gradient) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_values_are_those_computed_by_hand() {
        // G = -6, H = 4.
        assert_eq!(leaf_value([-6.0, 4.0], 0.0, 0.0), 6.0 / (4.0 + TINY));
        assert!((leaf_value([-6.0, 4.0], 0.0, 2.0) - 1.0).abs() < 1e-12);
        assert!((leaf_value([-6.0, 4.0], 1.0, 1.0) - 1.0).abs() < 1e-12);
        assert!((leaf_value([6.0, 4.0], 1.0, 1.0) + 1.0).abs() < 1e-12);
        assert_eq!(leaf_value([0.5, 4.0], 1.0, 1.0), 0.0);
        assert!((leaf_score([-6.0, 4.0], 1.0, 1.0) - 5.0).abs() < 1e-12);
    }
}
