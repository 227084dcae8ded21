//! Metrics of several quantiles.

use super::catalogue::ratio;
use super::{Metric, Metrics, Rows};

/// Writes the metrics of the quantiles of the rows: the loss of each, and what lies between the lowest and the highest.
pub(super) fn write_quantile_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let levels = rows.levels();
    let Some(last) = levels.len().checked_sub(1) else { return };
    let (mut weight, mut loss, mut inside, mut width) = (0.0, 0.0, 0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        for (at, level) in levels.iter().enumerate() {
            let below = row.label - rows.class_score(position, at);
            loss += row.weight * if below >= 0.0 { level * below } else { (level - 1.0) * below };
        }
        let (low, high) = (rows.class_score(position, 0), rows.class_score(position, last));
        if low <= row.label && row.label <= high {
            inside += row.weight;
        }
        width += row.weight * (high - low);
        weight += row.weight;
    }
    metrics.set(Metric::PinballLoss, ratio(loss / levels.len() as f64, weight));
    metrics.set(Metric::Coverage, ratio(inside, weight));
    metrics.set(Metric::IntervalWidth, ratio(width, weight));
}
