//! Metrics of predictions against labels.
//!
//! Everything is computed from rows sorted by score, label and weight ([`Ordered`]), so that the same rows give
//! the same bits in whatever order they come, at any number of threads. Sums are mergeable ([`Accumulator`]);
//! what depends on ranks (AUC, average precision, calibration bins, curves) walks the sorted rows and is exact.

mod accumulator;
mod asked;
mod binary;
mod calibration;
mod catalogue;
mod classes;
mod counts;
mod curves;
mod guess;
mod labels;
mod names;
mod own;
mod plan;
mod quantiles;
mod rank;
mod ranking;
mod regression;
mod rows;
mod spread;
mod values;
mod written;

use tidemill_core::TaskKind;

pub use accumulator::{Accumulator, accumulate};
pub use binary::BinarySums;
pub(crate) use binary::log_loss;
pub use calibration::{CALIBRATION_BINS, CalibrationBin, CalibrationBins};
pub use catalogue::Metric;
pub use classes::{ConfusionCounts, class_areas};
pub use counts::Counts;
pub(crate) use counts::counts_at;
pub use curves::{CURVE_POINTS_MAX, Curves, HISTOGRAM_BINS, HistogramBin, PrPoint, RocPoint};
pub(crate) use guess::floors;
pub use guess::{guess, no_better_than_guessing};
pub use labels::{LabelCounts, label_areas};
pub(crate) use names::Kind;
pub use names::UnknownMetric;
pub use own::{Better, BinaryCosts, Costs, OwnMetric};
pub use plan::MetricPlan;
pub(crate) use plan::RowColumn;
pub use rank::{RankMetrics, rank_metrics};
pub use regression::RegressionSums;
pub(crate) use rows::middle;
pub use rows::{Ordered, Row, Rows, Subset};
pub use values::{Direction, Metrics};
pub use written::Written;

/// Computes the metrics of `task` that are always computed. A row is called positive if its score is above
/// `decision_threshold`.
pub fn metrics_of<R: Rows>(task: impl Into<TaskKind>, rows: &R, decision_threshold: f64) -> Metrics {
    metrics_with(task, rows, &MetricPlan::at(decision_threshold))
}

/// Computes the metrics of a plan.
pub fn metrics_with<R: Rows>(task: impl Into<TaskKind>, rows: &R, plan: &MetricPlan) -> Metrics {
    let task = task.into();
    let mut metrics = Metrics::default();
    match task {
        TaskKind::Binary => {
            let sums = accumulate(rows, || BinarySums::new(plan.decision_threshold));
            sums.write(&mut metrics);
            let ranks = rank_metrics(rows);
            metrics.set(Metric::Auc, ranks.auc);
            metrics.set(Metric::PrAuc, ranks.average_precision);
            CalibrationBins::new(rows, sums.weight()).write(&mut metrics);
        }
        TaskKind::Regression => {
            accumulate(rows, RegressionSums::default).write(&mut metrics);
            quantiles::write_quantile_metrics(rows, &mut metrics);
        }
        TaskKind::MultiClass => classes::write_class_metrics(rows, &mut metrics),
        TaskKind::MultiLabel => labels::write_label_metrics(rows, &mut metrics),
        TaskKind::Ranking => ranking::write_ranking_metrics(rows, &asked::of_first_rows(plan), &mut metrics),
    }
    metrics.set(Metric::Count, Some(rows.len() as f64));
    asked::write_asked(task, rows, plan, &mut metrics);
    plan.keep_asked(&mut metrics);
    metrics
}
