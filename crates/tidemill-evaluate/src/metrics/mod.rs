//! Metrics of predictions against labels.
//!
//! Everything is computed from rows sorted by score, label and weight ([`Ordered`]), so that the same rows give
//! the same bits in whatever order they come, at any number of threads. Sums are mergeable ([`Accumulator`]);
//! what depends on ranks (AUC, average precision, calibration bins, curves) walks the sorted rows and is exact.

mod accumulator;
mod binary;
mod calibration;
mod catalogue;
mod classes;
mod curves;
mod guess;
mod labels;
mod quantiles;
mod rank;
mod ranking;
mod regression;
mod rows;

use tidemill_core::TaskKind;

pub use accumulator::{Accumulator, accumulate};
pub use binary::BinarySums;
pub(crate) use binary::log_loss;
pub use calibration::{CALIBRATION_BINS, CalibrationBin, calibration_bins, expected_calibration_error};
pub use catalogue::{Direction, Metric, Metrics, UnknownMetric};
pub use classes::{ConfusionCounts, class_areas};
pub use curves::{CURVE_POINTS_MAX, Curves, HISTOGRAM_BINS, HistogramBin, PrPoint, RocPoint};
pub(crate) use guess::floors;
pub use guess::{guess, no_better_than_guessing};
pub use labels::{LabelCounts, label_areas};
pub use rank::{RankMetrics, rank_metrics};
pub use regression::RegressionSums;
pub(crate) use rows::middle;
pub use rows::{Ordered, Row, Rows, Subset};

/// Computes every metric of `task` on `rows`. A row is called positive if its score is above `decision_threshold`.
pub fn metrics_of<R: Rows>(task: impl Into<TaskKind>, rows: &R, decision_threshold: f64) -> Metrics {
    let mut metrics = Metrics::default();
    match task.into() {
        TaskKind::Binary => {
            let sums = accumulate(rows, || BinarySums::new(decision_threshold));
            sums.write(&mut metrics);
            let ranks = rank_metrics(rows);
            metrics.set(Metric::Auc, ranks.auc);
            metrics.set(Metric::PrAuc, ranks.average_precision);
            let bins = calibration_bins(rows, sums.weight());
            metrics.set(Metric::CalibrationError, expected_calibration_error(&bins));
        }
        TaskKind::Regression => {
            accumulate(rows, RegressionSums::default).write(&mut metrics);
            quantiles::write_quantile_metrics(rows, &mut metrics);
        }
        TaskKind::MultiClass => classes::write_class_metrics(rows, &mut metrics),
        TaskKind::MultiLabel => labels::write_label_metrics(rows, &mut metrics),
        TaskKind::Ranking => ranking::write_ranking_metrics(rows, &mut metrics),
    }
    metrics.set(Metric::Count, Some(rows.len() as f64));
    metrics
}
