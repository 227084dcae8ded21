//! The best categorical split of a leaf, found as LightGBM does.
//!
//! With few categories each is tried against the rest. With more, they are sorted by smoothed gradient over hessian;
//! for a convex loss the best subset is then a run from one end (Fisher, 1958), and both ends are tried. The first
//! bin, of codes too rare for a bin of their own, always goes right, as a code never seen will.

use super::binning::UsedFeature;
use super::bins::BinSet;
use super::histogram::Cell;
use super::params::GradientBoosting;
use super::split::{FeatureFacts, SplitPlan};

pub(crate) fn best_categorical(facts: FeatureFacts<'_>, used: &UsedFeature, at: usize) -> Option<SplitPlan> {
    let params = facts.params;
    let few = used.cells() - 1 <= params.max_cat_to_onehot as usize;
    let extra_l2 = if few { 0.0 } else { params.cat_l2 };
    let mut best = Best { facts, l2: params.lambda_l2 + extra_l2, score: facts.threshold_score(), left: None };
    if few {
        let only = facts.drawn(used.cells() - 1);
        for bin in (1..used.cells()).filter(|bin| only.is_none_or(|only| only + 1 == *bin)) {
            best.consider(facts.rows_in(bin), facts.cells[bin], || std::iter::once(bin as u8).collect());
        }
    } else {
        sorted_runs(facts, used.cells(), &mut best);
    }
    let (left, left_sum) = best.left?;
    let gain = best.score - facts.threshold_score() + params.min_gain;
    Some(SplitPlan { gain, used: at, left, missing_left: left.contains(used.bins.missing()), left_sum, extra_l2 })
}

/// Tries the runs of categories from both ends of their order.
fn sorted_runs(facts: FeatureFacts<'_>, cells: usize, best: &mut Best<'_>) {
    let GradientBoosting { cat_smooth, max_cat_threshold, min_data_per_group, .. } = *facts.params;
    let mut order: Vec<(f64, u8)> = (1..cells)
        .filter(|bin| facts.rows_in(*bin) >= cat_smooth.max(1.0))
        .map(|bin| (facts.cells[bin][0] / (facts.cells[bin][1] + cat_smooth), bin as u8))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let longest = (max_cat_threshold as usize).min(order.len().div_ceil(2));
    let min_group = f64::from(min_data_per_group);
    let only = facts.drawn(longest);

    let mut run = |bins: &mut dyn Iterator<Item = u8>| {
        let mut left = BinSet::default();
        let (mut sum, mut rows, mut group_rows) = ([0.0; 2], 0.0, 0.0);
        for (at, bin) in bins.take(longest).enumerate() {
            left.insert(bin);
            let cell = facts.cells[usize::from(bin)];
            sum = [sum[0] + cell[0], sum[1] + cell[1]];
            rows += facts.rows_in(usize::from(bin));
            group_rows += facts.rows_in(usize::from(bin));
            if facts.rows - rows < min_group {
                break;
            }
            // Categories are added in groups, so that the order of a few noisy ones is not fitted.
            if only.is_some_and(|only| only != at) {
                continue;
            }
            if group_rows >= min_group && best.consider(rows, sum, || left) {
                group_rows = 0.0;
            }
        }
    };
    run(&mut order.iter().map(|(_, bin)| *bin));
    run(&mut order.iter().rev().map(|(_, bin)| *bin));
}

struct Best<'a> {
    facts: FeatureFacts<'a>,
    l2: f64,
    score: f64,
    left: Option<(BinSet, Cell)>,
}

impl Best<'_> {
    /// Keeps the split if it is the best so far. `false`: its children may not exist.
    fn consider(&mut self, rows: f64, sum: Cell, left: impl FnOnce() -> BinSet) -> bool {
        let rest = [self.facts.sum[0] - sum[0], self.facts.sum[1] - sum[1]];
        if !self.facts.allows(rows, sum[1]) || !self.facts.allows(self.facts.rows - rows, rest[1]) {
            return false;
        }
        let score = self.facts.score(sum, rows, rest, self.l2);
        if score > self.score {
            self.score = score;
            self.left = Some((left(), sum));
        }
        true
    }
}
