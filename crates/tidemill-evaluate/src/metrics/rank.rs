//! Ranking metrics of a binary model: exact, from sorted rows.

use tidemill_core::RocArea;

use super::catalogue::ratio;
use super::{Row, Rows};

/// Rows of equal score, taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TieGroup {
    pub score: f64,
    /// Weight of the rows.
    pub weight: f64,
    /// Weight times label, summed: for binary labels the weight of the positives.
    pub label: f64,
}

/// Calls `visit` for each distinct score, highest first.
pub(crate) fn tie_groups_descending<R: Rows>(rows: &R, mut visit: impl FnMut(TieGroup)) {
    let mut position = rows.len();
    while position > 0 {
        let Row { score, label, weight } = rows.row(position - 1);
        let mut group = TieGroup { score, weight, label: weight * label };
        position -= 1;
        while position > 0 {
            let next = rows.row(position - 1);
            if next.score != score {
                break;
            }
            group.weight += next.weight;
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

/// AUC and average precision in one pass.
///
/// AUC is that of [`RocArea`]; average precision is Σ (Rᵢ - Rᵢ₋₁) Pᵢ over distinct scores from the highest down. Counts
/// are weights.
pub fn rank_metrics<R: Rows>(rows: &R) -> RankMetrics {
    let mut area = RocArea::default();
    let mut precision_sum = 0.0;
    tie_groups_descending(rows, |group| {
        let (positive, negative) = (group.label, group.weight - group.label);
        area.push(positive, negative);
        if positive > 0.0 {
            precision_sum += positive * (area.positives() / (area.positives() + area.negatives()));
        }
    });
    let auc = area.value();
    RankMetrics { auc, average_precision: auc.and_then(|_| ratio(precision_sum, area.positives())) }
}
