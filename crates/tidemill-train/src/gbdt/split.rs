//! The best split of a leaf.

use rayon::prelude::*;
use tidemill_core::SplitMix64;

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
    /// Its value before the learning rate.
    pub(crate) value: f64,
    /// Between what the values of its children must lie.
    pub(crate) bounds: [f64; 2],
    /// The directions of the used features; none where no feature has one.
    pub(crate) monotone: &'a [i8],
    /// Where thresholds are tried at random: what draws them.
    pub(crate) draw: Option<u64>,
}

/// No bounds.
pub(crate) const UNBOUNDED: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// One feature of a leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeatureFacts<'a> {
    pub(crate) cells: &'a [Cell],
    counts: Option<&'a [u32]>,
    pub(crate) sum: Cell,
    pub(crate) rows: f64,
    rows_by_hessian: f64,
    pub(crate) params: &'a GradientBoosting,
    values: ChildValues<'a>,
    /// 1: the right child must not have a smaller value than the left; −1: no larger one; 0: either.
    direction: i8,
    /// Children's values are the best ones, so that a formula gives what they take away.
    is_plain: bool,
    /// The only place to try.
    draw: Option<u64>,
}

/// What the values of the children of a leaf depend on beside their sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildValues<'a> {
    params: &'a GradientBoosting,
    parent: f64,
    bounds: [f64; 2],
}

impl<'a> ChildValues<'a> {
    pub(crate) fn new(params: &'a GradientBoosting, parent: f64, bounds: [f64; 2]) -> Self {
        Self { params, parent, bounds }
    }

    /// The value, before the learning rate, of a child with these sums and rows.
    pub(crate) fn value(&self, sum: Cell, rows: f64, l2: f64) -> f64 {
        let path_smooth = self.params.path_smooth;
        let mut value = limited(leaf_value(sum, self.params.lambda_l1, l2), self.params);
        if path_smooth > 0.0 {
            let share = rows / path_smooth;
            value = (value * share + self.parent) / (share + 1.0);
        }
        value.clamp(self.bounds[0], self.bounds[1])
    }

    /// The values of both children of a split in `direction`, which they keep.
    pub(crate) fn pair(&self, sums: [Cell; 2], rows: [f64; 2], l2: f64, direction: i8) -> [f64; 2] {
        let [left, right] = [0, 1].map(|side| self.value(sums[side], rows[side], l2));
        let wrong = (direction > 0 && left > right) || (direction < 0 && left < right);
        if wrong { [left.midpoint(right); 2] } else { [left, right] }
    }
}

impl<'a> FeatureFacts<'a> {
    fn new(leaf: LeafFacts<'a>, used: &UsedFeature, at: usize, params: &'a GradientBoosting) -> Self {
        let range = used.first_cell..used.first_cell + used.cells();
        let rows = leaf.rows as f64;
        let direction = leaf.monotone.get(at).copied().unwrap_or(0);
        let is_unbounded = leaf.bounds == UNBOUNDED && leaf.monotone.is_empty();
        Self {
            values: ChildValues::new(params, leaf.value, leaf.bounds),
            direction,
            is_plain: is_unbounded && params.max_delta_step == 0.0 && params.path_smooth == 0.0,
            draw: leaf.draw.map(|draw| SplitMix64::hash(draw ^ at as u64)),
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
        let score = if self.is_plain {
            leaf_score(self.sum, lambda_l1, lambda_l2)
        } else {
            score_at(self.sum, self.values.parent, lambda_l1, lambda_l2)
        };
        score + min_gain
    }

    /// Twice the loss that two children take away; −∞ where they would break the feature's direction.
    #[inline]
    pub(crate) fn score(&self, left: Cell, left_rows: f64, right: Cell, l2: f64) -> f64 {
        let l1 = self.params.lambda_l1;
        if self.is_plain {
            return leaf_score(left, l1, l2) + leaf_score(right, l1, l2);
        }
        let left_value = self.values.value(left, left_rows, l2);
        let right_value = self.values.value(right, self.rows - left_rows, l2);
        let wrong = match self.direction {
            0 => false,
            1 => left_value > right_value,
            _ => left_value < right_value,
        };
        if wrong {
            return f64::NEG_INFINITY;
        }
        score_at(left, left_value, l1, l2) + score_at(right, right_value, l1, l2)
    }

    /// One of `count` places, where only one is to be tried.
    pub(crate) fn drawn(&self, count: usize) -> Option<usize> {
        self.draw.map(|draw| (draw % count.max(1) as u64) as usize)
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
        let facts = FeatureFacts::new(leaf, used, at, params);
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
    let lambda_l2 = facts.params.lambda_l2;
    let (mut sum, mut rows) = (start, start_rows);
    let mut best: Option<Found> = None;
    let mut best_score = facts.threshold_score();
    let ends = if whole { bins } else { bins - 1 };
    let only = facts.drawn(ends);
    for bin in 0..ends {
        let cell = facts.cells[bin];
        sum = [sum[0] + cell[0], sum[1] + cell[1]];
        rows += facts.rows_in(bin);
        if only.is_some_and(|only| bin != only) || !facts.allows(rows, sum[1]) {
            continue;
        }
        let rest = [facts.sum[0] - sum[0], facts.sum[1] - sum[1]];
        if !facts.allows(facts.rows - rows, rest[1]) {
            break;
        }
        let score = facts.score(sum, rows, rest, lambda_l2);
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

/// The value of a root, which no parent pulls anywhere.
pub(crate) fn root_value(sum: Cell, params: &GradientBoosting) -> f64 {
    limited(leaf_value(sum, params.lambda_l1, params.lambda_l2), params)
}

fn limited(value: f64, params: &GradientBoosting) -> f64 {
    if params.max_delta_step > 0.0 { value.clamp(-params.max_delta_step, params.max_delta_step) } else { value }
}

/// Twice the loss that `value` of a leaf with these sums takes away.
#[inline]
fn score_at(sum: Cell, value: f64, l1: f64, l2: f64) -> f64 {
    -(2.0 * shrink(sum[0], l1) * value + (sum[1] + l2) * value * value)
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
