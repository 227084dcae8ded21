//! Metrics of several quantiles.

use super::values::ratio;
use super::{Metric, Metrics, Rows};

/// What the pinball loss of a level charges for a label that is so much above the quantile.
fn pinball(level: f64, above: f64) -> f64 {
    if above >= 0.0 { level * above } else { (level - 1.0) * above }
}

/// Writes the metrics of the quantiles of the rows: the loss of each, and what lies between the lowest and the highest.
pub(super) fn write_quantile_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let levels = rows.levels();
    let Some(last) = levels.len().checked_sub(1) else { return };
    let (mut weight, mut loss, mut inside, mut width) = (0.0, 0.0, 0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        for (at, level) in levels.iter().enumerate() {
            loss += row.weight * pinball(*level, row.label - rows.class_score(position, at));
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

/// A metric of one quantile: its pinball loss, or the share of the labels that it covers. Undefined if there is no such level.
pub(super) fn of_level<R: Rows>(base: Metric, level: f64, rows: &R) -> Option<f64> {
    let at = rows.levels().iter().position(|known| *known == level)?;
    let (mut sum, mut weight) = (0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let above = row.label - rows.class_score(position, at);
        sum += row.weight
            * if base == Metric::Coverage { f64::from(u8::from(above <= 0.0)) } else { pinball(level, above) };
        weight += row.weight;
    }
    ratio(sum, weight)
}
