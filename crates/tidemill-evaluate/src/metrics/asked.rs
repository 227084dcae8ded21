//! Metrics that are computed because they were asked for: with a parameter, or defined by the pipeline file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use tidemill_core::TaskKind;
use tidemill_model::Expression;

use super::classes::{ConfusionCounts, class_ranks, top_k_accuracy};
use super::counts::{Counts, counts_at};
use super::labels::{LabelCounts, label_ranks};
use super::names::Kind;
use super::own::Aggregate;
use super::plan::{Asked, RowColumn};
use super::quantiles::of_level;
use super::rank::{RankMetrics, kolmogorov_smirnov, tie_groups_descending};
use super::ranking::RankMeasure;
use super::regression::median_absolute_error;
use super::spread::spread;
use super::values::ratio;
use super::{Direction, Metric, MetricPlan, Metrics, Rows};

/// The metrics of the first rows of queries among those asked for.
pub(super) fn of_first_rows(plan: &MetricPlan) -> Vec<(Metric, RankMeasure)> {
    let measure = |asked: &Asked| match asked.metric {
        Metric::Written(written) => match written.kind() {
            Kind::At { base, at } => Some((asked.metric, RankMeasure { base: *base, first: Some(*at as usize) })),
            _ => None,
        },
        _ => None,
    };
    plan.asked.iter().filter_map(measure).collect()
}

/// Writes what was asked for.
pub(super) fn write_asked<R: Rows>(task: TaskKind, rows: &R, plan: &MetricPlan, metrics: &mut Metrics) {
    write_requested(rows, plan, metrics);
    if task == TaskKind::Binary {
        write_at_thresholds(rows, plan, metrics);
    }
    let (mut by_class, mut ranks) = (None, None);
    for Asked { metric, columns } in plan.asked.iter().copied() {
        let Metric::Written(written) = metric else { continue };
        let value = match written.kind() {
            Kind::At { base, at } if task == TaskKind::Regression => of_level(*base, *at, rows),
            // Written with the other metrics of queries, or of thresholds.
            Kind::At { .. } | Kind::Undefined => continue,
            Kind::Given { base, given, bound } => best_given(*base, *given, *bound, rows),
            Kind::TopK { k } => top_k_accuracy(*k, rows),
            Kind::Class { base, class } => {
                let at = plan.names.iter().position(|name| name == class);
                at.and_then(|at| of_class(task, *base, at, rows, &mut by_class, &mut ranks))
            }
            Kind::Spread { base, how, .. } => spread(task, rows, plan, *base, *how, columns[0]),
            Kind::Own(own) => match own.aggregate() {
                Some(Aggregate::Sum(_)) => weighted_sum(rows, columns[0], None).map(|(sum, _)| sum),
                Some(Aggregate::Mean(_) | Aggregate::Costs) => {
                    weighted_sum(rows, columns[0], None).and_then(|(sum, weight)| ratio(sum, weight))
                }
                Some(Aggregate::Ratio(..)) => {
                    weighted_sum(rows, columns[0], Some(columns[1])).and_then(|(sum, over)| ratio(sum, over))
                }
                Some(Aggregate::Formula(text)) => formula(text, metrics),
                None => None,
            },
        };
        metrics.set(metric, value);
    }
}

/// The metrics of the catalogue that take a walk of their own.
fn write_requested<R: Rows>(rows: &R, plan: &MetricPlan, metrics: &mut Metrics) {
    if plan.asks(Metric::WeightedCount) {
        metrics.set(Metric::WeightedCount, Some((0..rows.len()).map(|position| rows.row(position).weight).sum()));
    }
    if plan.asks(Metric::KolmogorovSmirnov) {
        metrics.set(Metric::KolmogorovSmirnov, kolmogorov_smirnov(rows));
    }
    if plan.asks(Metric::MedianAbsoluteError) {
        metrics.set(Metric::MedianAbsoluteError, median_absolute_error(rows));
    }
    if let Some(naive) = plan.place(&RowColumn::Naive) {
        metrics.set(Metric::Mase, scaled_error(rows, naive));
    }
}

/// The mean absolute error of the rows that have a naive forecast, divided by that of the forecast.
fn scaled_error<R: Rows>(rows: &R, naive: usize) -> Option<f64> {
    let (mut error, mut of_naive) = (0.0, 0.0);
    for position in 0..rows.len() {
        let (row, naive) = (rows.row(position), rows.value(position, naive));
        if !naive.is_nan() {
            error += row.weight * (row.score - row.label).abs();
            of_naive += row.weight * naive;
        }
    }
    ratio(error, of_naive)
}

/// The metrics at thresholds of their own, in one walk over the rows.
fn write_at_thresholds<R: Rows>(rows: &R, plan: &MetricPlan, metrics: &mut Metrics) {
    let mut wanted: Vec<(f64, Metric, Metric)> = Vec::new();
    for asked in &plan.asked {
        if let Metric::Written(written) = asked.metric
            && let Kind::At { base, at } = written.kind()
        {
            wanted.push((*at, *base, asked.metric));
        }
    }
    if wanted.is_empty() {
        return;
    }
    let mut thresholds: Vec<f64> = wanted.iter().map(|(at, ..)| *at).collect();
    thresholds.sort_unstable_by(f64::total_cmp);
    thresholds.dedup();
    let counts = counts_at(rows, &thresholds);
    for (at, base, metric) in wanted {
        let place = thresholds.partition_point(|threshold| *threshold < at);
        metrics.set(metric, counts[place].get(base));
    }
}

/// The best value of `base` over the thresholds at which `given` meets its bound. A threshold lies below each distinct score,
/// and one above all of them.
fn best_given<R: Rows>(base: Metric, given: Metric, bound: f64, rows: &R) -> Option<f64> {
    let mut counts = Counts::default();
    for position in 0..rows.len() {
        let row = rows.row(position);
        counts.add(row.label > 0.5, false, row.weight);
    }
    let mut best: Option<f64> = None;
    let mut try_counts = |counts: &Counts| {
        let meets = counts.get(given).is_some_and(|value| match given.direction() {
            Direction::Lower => value <= bound,
            _ => value >= bound,
        });
        if let (true, Some(value)) = (meets, counts.get(base)) {
            let is_better = |best: f64| base.direction().gain(value, best).unwrap_or(value - best) > 0.0;
            if best.is_none_or(is_better) {
                best = Some(value);
            }
        }
    };
    try_counts(&counts);
    tie_groups_descending(rows, |group| {
        let negative = group.weight - group.label;
        counts.true_positives += group.label;
        counts.false_negatives = (counts.false_negatives - group.label).max(0.0);
        counts.false_positives += negative;
        counts.true_negatives = (counts.true_negatives - negative).max(0.0);
        if group.weight > 0.0 {
            try_counts(&counts);
        }
    });
    best
}

/// Counts of classes or of labels.
pub(super) enum ByClass {
    Classes(ConfusionCounts),
    Labels(Vec<LabelCounts>),
}

fn of_class<R: Rows>(
    task: TaskKind,
    base: Metric,
    at: usize,
    rows: &R,
    counts: &mut Option<ByClass>,
    ranks: &mut Option<Vec<RankMetrics>>,
) -> Option<f64> {
    let is_label = task == TaskKind::MultiLabel;
    if matches!(base, Metric::Auc | Metric::PrAuc) {
        let ranks = ranks.get_or_insert_with(|| if is_label { label_ranks(rows) } else { class_ranks(rows) });
        let of_class = ranks.get(at)?;
        return if base == Metric::Auc { of_class.auc } else { of_class.average_precision };
    }
    let classes = rows.class_count();
    let counts = counts.get_or_insert_with(|| {
        if is_label {
            ByClass::Labels((0..classes).map(|label| LabelCounts::new(label, rows)).collect())
        } else {
            ByClass::Classes(ConfusionCounts::new(classes, rows))
        }
    });
    match (counts, base) {
        (ByClass::Classes(counts), Metric::Precision) => counts.precision(at),
        (ByClass::Classes(counts), Metric::Recall) => counts.recall(at),
        (ByClass::Classes(counts), _) => counts.f1(at),
        (ByClass::Labels(counts), Metric::Precision) => counts[at].precision(),
        (ByClass::Labels(counts), Metric::Recall) => counts[at].recall(),
        (ByClass::Labels(counts), _) => counts[at].f1(),
    }
}

/// The weighted sum of a row column, and of another one or else of the weights, over the rows that have both. `None` if no
/// row has.
fn weighted_sum<R: Rows>(rows: &R, column: usize, over: Option<usize>) -> Option<(f64, f64)> {
    let (mut sum, mut total, mut any) = (0.0, 0.0, false);
    for position in 0..rows.len() {
        let value = rows.value(position, column);
        let other = over.map_or(1.0, |over| rows.value(position, over));
        if !value.is_nan() && !other.is_nan() {
            let weight = rows.row(position).weight;
            sum += weight * value;
            total += weight * other;
            any = true;
        }
    }
    any.then_some((sum, total))
}

/// A formula over metrics; undefined if one of them is, unless the formula says what counts then.
fn formula(text: &str, metrics: &Metrics) -> Option<f64> {
    let expression = Expression::parse(text).ok()?;
    let names = expression.columns();
    let value = |name: &String| -> ArrayRef {
        Arc::new(Float64Array::from(vec![
            metrics.iter().find(|(metric, _)| metric.name() == name).and_then(|(_, value)| value),
        ]))
    };
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Float64, true)).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
    let columns = names.iter().map(value).collect();
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).ok()?;
    let result = expression.bind(batch.schema_ref()).ok()?.evaluate(&batch).ok()?;
    match result.data_type() {
        _ if result.is_null(0) => None,
        DataType::Float64 => Some(result.as_primitive::<Float64Type>().value(0)),
        DataType::Int64 => Some(result.as_primitive::<Int64Type>().value(0) as f64),
        _ => None,
    }
}
