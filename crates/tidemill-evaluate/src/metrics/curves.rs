//! Curves for reports, reduced to a bounded number of points.

use serde::{Deserialize, Serialize};
use tidemill_core::TaskKind;

use super::calibration::CalibrationBins;
use super::rank::{TieGroup, tie_groups_descending};
use super::{CalibrationBin, Rows};

/// The most points a curve has.
pub const CURVE_POINTS_MAX: usize = 200;

/// Bins of a histogram of scores or errors.
pub const HISTOGRAM_BINS: usize = 50;

/// A point of the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Rows with at least this score are called positive; `None` for the point without any.
    pub threshold: Option<f64>,
    /// Share of the negatives called positive.
    pub false_positive_rate: f64,
    /// Share of the positives called positive.
    pub true_positive_rate: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrPoint {
    /// Rows with at least this score are called positive.
    pub threshold: f64,
    /// Share of the positives called positive.
    pub recall: f64,
    /// Share of positives among the rows called positive.
    pub precision: f64,
}

/// One bin of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HistogramBin {
    /// Lower edge.
    pub low: f64,
    /// Upper edge, exclusive except for the last bin.
    pub high: f64,
    /// Weight of the rows with label 0, or of all rows if the label is a number.
    pub negative: f64,
    /// Weight of the rows whose label is 1.
    pub positive: f64,
}

/// The curves of one model on all rows, for a report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// From (0, 0) to (1, 1). Empty for regression, and if a class is absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roc: Vec<RocPoint>,
    /// By rising recall. Empty for regression, and if a class is absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub precision_recall: Vec<PrPoint>,
    /// Mean label against mean prediction, in bins of equal size by score.
    pub calibration: Vec<CalibrationBin>,
    /// For a binary model the scores between 0 and 1 by class; for regression the errors (prediction minus label)
    /// between their 0.5 % and 99.5 % quantiles, with values outside counted in the end bins.
    pub histogram: Vec<HistogramBin>,
}

impl Curves {
    /// The curves of `task` over `rows`.
    pub fn new<R: Rows>(task: impl Into<TaskKind>, rows: &R) -> Self {
        let task = task.into();
        if !matches!(task, TaskKind::Binary | TaskKind::Regression) {
            return Self::default();
        }
        let total: f64 = (0..rows.len()).map(|position| rows.row(position).weight).sum();
        let calibration = CalibrationBins::new(rows, total).curve();
        match task {
            TaskKind::Binary => {
                let (roc, precision_recall) = threshold_curves(rows);
                Self { roc, precision_recall, calibration, histogram: score_histogram(rows) }
            }
            _ => Self { calibration, histogram: error_histogram(rows), ..Self::default() },
        }
    }
}

/// Both curves keep a point once it is far enough from the last one kept: a ROC curve is at most 2 long (up and right),
/// a precision-recall curve spans a recall of 1.
fn threshold_curves<R: Rows>(rows: &R) -> (Vec<RocPoint>, Vec<PrPoint>) {
    let steps = (CURVE_POINTS_MAX - 2) as f64;
    let (mut positives, mut negatives) = (0.0, 0.0);
    tie_groups_descending(rows, |group| {
        positives += group.label;
        negatives += group.weight - group.label;
    });
    if positives <= 0.0 || negatives <= 0.0 {
        return (Vec::new(), Vec::new());
    }
    let mut roc = vec![RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let mut recalls: Vec<PrPoint> = Vec::new();
    let (mut tp, mut fp) = (0.0, 0.0);
    let mut last_recall = f64::NEG_INFINITY;
    tie_groups_descending(rows, |TieGroup { score, weight, label, .. }| {
        tp += label;
        fp += weight - label;
        let end = tp >= positives && fp >= negatives;
        let (tpr, fpr) = (tp / positives, fp / negatives);
        let last = roc[roc.len() - 1];
        let moved = (tpr - last.true_positive_rate) + (fpr - last.false_positive_rate);
        if weight > 0.0 && (end || moved >= 2.0 / steps) && moved > 0.0 {
            roc.push(RocPoint { threshold: Some(score), false_positive_rate: fpr, true_positive_rate: tpr });
        }
        if label > 0.0 && (tpr - last_recall >= 1.0 / steps || (tp >= positives && tpr > last_recall)) {
            recalls.push(PrPoint { threshold: score, recall: tpr, precision: tp / (tp + fp) });
            last_recall = tpr;
        }
    });
    (roc, recalls)
}

fn score_histogram<R: Rows>(rows: &R) -> Vec<HistogramBin> {
    let mut bins = empty_bins(0.0, 1.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let bin = &mut bins[bin_of(row.score, 0.0, 1.0)];
        *(if row.label > 0.5 { &mut bin.positive } else { &mut bin.negative }) += row.weight;
    }
    bins
}

fn error_histogram<R: Rows>(rows: &R) -> Vec<HistogramBin> {
    let mut errors: Vec<(f64, f64)> = (0..rows.len())
        .map(|position| {
            let row = rows.row(position);
            (row.score - row.label, row.weight)
        })
        .collect();
    errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let Some(last) = errors.len().checked_sub(1) else { return Vec::new() };
    let (low, high) = (errors[last * 5 / 1000].0, errors[last - last * 5 / 1000].0);
    if low >= high {
        let all = errors.iter().map(|(_, weight)| weight).sum();
        return vec![HistogramBin { low, high, negative: all, positive: 0.0 }];
    }
    let mut bins = empty_bins(low, high);
    for (error, weight) in errors {
        bins[bin_of(error, low, high)].negative += weight;
    }
    bins
}

fn empty_bins(low: f64, high: f64) -> Vec<HistogramBin> {
    let edge = |i: usize| low + (high - low) * i as f64 / HISTOGRAM_BINS as f64;
    (0..HISTOGRAM_BINS)
        .map(|i| HistogramBin { low: edge(i), high: edge(i + 1), negative: 0.0, positive: 0.0 })
        .collect()
}

fn bin_of(value: f64, low: f64, high: f64) -> usize {
    (((value - low) / (high - low) * HISTOGRAM_BINS as f64).max(0.0) as usize).min(HISTOGRAM_BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intervals::draw;
    use crate::metrics::{Ordered, rank_metrics};

    fn rows(n: u32) -> Ordered {
        let scores: Vec<f64> = (0..n).map(|row| draw(1, row)).collect();
        let labels: Vec<f64> = (0..n).map(|row| f64::from(u8::from(draw(2, row) < scores[row as usize]))).collect();
        Ordered::new(&scores, &labels, None)
    }

    #[test]
    fn thinned_curves_are_bounded_and_keep_their_ends_and_area() {
        for n in [10, 300, 20_000] {
            let rows = rows(n);
            let curves = Curves::new(TaskKind::Binary, &rows);
            let (roc, recall) = (&curves.roc, &curves.precision_recall);
            assert!(roc.len() <= CURVE_POINTS_MAX && recall.len() <= CURVE_POINTS_MAX);
            let ends = [roc[0], roc[roc.len() - 1]].map(|p| (p.false_positive_rate, p.true_positive_rate));
            assert_eq!(ends, [(0.0, 0.0), (1.0, 1.0)]);
            assert_eq!(recall[recall.len() - 1].recall, 1.0);
            let area: f64 = roc
                .windows(2)
                .map(|p| {
                    (p[1].false_positive_rate - p[0].false_positive_rate)
                        * (p[0].true_positive_rate + p[1].true_positive_rate)
                        / 2.0
                })
                .sum();
            let auc = rank_metrics(&rows).auc.unwrap();
            assert!((area - auc).abs() < 0.005, "{n} rows: {area} against {auc}");
            let counted: f64 = curves.histogram.iter().map(|bin| bin.negative + bin.positive).sum();
            assert_eq!(counted, f64::from(n));
            assert_eq!(curves.calibration.iter().map(|bin| bin.weight).sum::<f64>(), f64::from(n));
        }
    }

    #[test]
    fn errors_fall_into_bins_whatever_their_outliers() {
        let scores: Vec<f64> = (0..1_000).map(f64::from).collect();
        let mut labels: Vec<f64> = (0..1_000).map(|row| f64::from(row) + draw(1, row)).collect();
        labels[7] = 1e12;
        let curves = Curves::new(TaskKind::Regression, &Ordered::new(&scores, &labels, None));
        assert_eq!(curves.histogram.len(), HISTOGRAM_BINS);
        assert!(curves.histogram[0].low >= -1.0 && curves.histogram[HISTOGRAM_BINS - 1].high <= 0.0);
        assert_eq!(curves.histogram.iter().map(|bin| bin.negative).sum::<f64>(), 1_000.0);
        let exact = Curves::new(TaskKind::Regression, &Ordered::new(&scores, &scores, None));
        assert_eq!(exact.histogram.len(), 1);
    }
}
