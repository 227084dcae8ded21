//! Ranking metrics of a binary model: exact, from sorted rows.

use tidemill_core::RocArea;

use super::values::ratio;
use super::{Row, Rows};

/// Rows of equal score, taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TieGroup {
    pub score: f64,
    /// Weight of the rows.
    pub weight: f64,
    /// Sum of the squared weights.
    pub squares: f64,
    /// Weight times label, summed: for binary labels the weight of the positives.
    pub label: f64,
}

/// Calls `visit` for each distinct score, highest first.
pub(crate) fn tie_groups_descending<R: Rows>(rows: &R, mut visit: impl FnMut(TieGroup)) {
    let mut position = rows.len();
    while position > 0 {
        let Row { score, label, weight } = rows.row(position - 1);
        let mut group = TieGroup { score, weight, squares: weight * weight, label: weight * label };
        position -= 1;
        while position > 0 {
            let next = rows.row(position - 1);
            if next.score != score {
                break;
            }
            group.weight += next.weight;
            group.squares += next.weight * next.weight;
            group.label += next.weight * next.label;
            position -= 1;
        }
        visit(group);
    }
}

/// Ranking metrics of the rows. Undefined if a class is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RankMetrics {
    /// Area under the ROC curve.
    pub auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
}

/// What ranks add up to, score by score from the highest down.
#[derive(Debug, Default)]
pub(super) struct RankSums {
    area: RocArea,
    precision: f64,
}

impl RankSums {
    /// Takes in the weights of the positive and negative rows of the next lower score.
    pub fn push(&mut self, positive: f64, negative: f64) {
        self.area.push(positive, negative);
        if positive > 0.0 {
            let (positives, negatives) = (self.area.positives(), self.area.negatives());
            self.precision += positive * (positives / (positives + negatives));
        }
    }

    /// AUC is that of [`RocArea`]; average precision is Σ (Rᵢ - Rᵢ₋₁) Pᵢ over distinct scores.
    pub fn finish(&self) -> RankMetrics {
        let auc = self.area.value();
        RankMetrics { auc, average_precision: auc.and_then(|_| ratio(self.precision, self.area.positives())) }
    }
}

/// AUC and average precision in one pass. Counts are weights.
pub fn rank_metrics<R: Rows>(rows: &R) -> RankMetrics {
    let mut sums = RankSums::default();
    tie_groups_descending(rows, |group| sums.push(group.label, group.weight - group.label));
    sums.finish()
}

/// AUC and average precision of pairs of a score, whether it is positive, and a weight.
pub(super) fn rank_pairs(mut pairs: Vec<(f64, bool, f64)>) -> RankMetrics {
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let mut sums = RankSums::default();
    for ties in pairs.chunk_by(|a, b| a.0 == b.0) {
        let of = |positive: bool| ties.iter().filter(|pair| pair.1 == positive).map(|pair| pair.2).sum::<f64>();
        sums.push(of(true), of(false));
    }
    sums.finish()
}

/// The largest difference between the true and the false positive rate over all thresholds.
pub(super) fn kolmogorov_smirnov<R: Rows>(rows: &R) -> Option<f64> {
    let (mut positives, mut negatives) = (0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        *(if row.label > 0.5 { &mut positives } else { &mut negatives }) += row.weight;
    }
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let (mut tp, mut fp, mut largest) = (0.0, 0.0, 0.0_f64);
    tie_groups_descending(rows, |group| {
        tp += group.label;
        fp += group.weight - group.label;
        largest = largest.max((tp / positives - fp / negatives).abs());
    });
    Some(largest)
}

/// The mean of what is known of classes or labels, only if all of it is known: a mean over the others would be another metric.
pub(super) fn mean_of_all(values: &[Option<f64>]) -> Option<f64> {
    let known: Option<Vec<f64>> = values.iter().copied().collect();
    known.filter(|known| !known.is_empty()).map(|known| known.iter().sum::<f64>() / known.len() as f64)
}

/// As [`mean_of_all`], each with a weight; what has no weight may be unknown.
pub(super) fn weighted_mean(values: impl Iterator<Item = (Option<f64>, f64)>) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, weight) in values.filter(|(_, weight)| *weight > 0.0) {
        sum += value? * weight;
        total += weight;
    }
    ratio(sum, total)
}
