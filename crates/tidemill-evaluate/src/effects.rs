//! What a model makes of its inputs, measured on the judged split: how much worse it is without one, and how predictions follow
//! the values of one.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::util::display::array_value_to_string;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tidemill_core::{CancelFlag, SplitMix64, TaskKind};
use tidemill_model::{BoundLabel, Model, Task};

use crate::EvaluateError;
use crate::behaviour::Probe;
use crate::metrics::{Direction, Metric, Ordered, metrics_of};

/// Rows that effects are measured on: of a larger split, an even sample.
const ROWS_MAX: usize = 5_000;
/// Inputs whose values are followed.
const FOLLOWED_MAX: usize = 8;
/// Values that are followed of each input, and rows whose own curves are kept.
const POINTS_MAX: usize = 12;
const CURVES_MAX: usize = 40;
/// Shuffles of each input.
const SHUFFLES: u64 = 5;

/// What a model makes of its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// The metric that importance is measured by.
    pub metric: Metric,
    /// Its value on the rows as they are.
    pub value: f64,
    /// Rows that were used.
    pub rows: u64,
    /// The inputs, the most important first.
    pub inputs: Vec<InputEffect>,
}

/// What a model makes of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputEffect {
    /// The column.
    pub column: String,
    /// How much worse the metric is if the values of the column are shuffled among the rows: the mean over shuffles (Breiman
    /// 2001; permutation importance). Below 0 is chance.
    pub importance: f64,
    /// Standard deviation over the shuffles.
    pub deviation: f64,
    /// How predictions follow its values; of the most important inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
}

/// Predictions by the value of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The values: quantiles of a number, the most frequent ones of anything else.
    pub values: Vec<String>,
    /// Partial dependence (Friedman 2001): the mean prediction if every row had the value.
    pub partial: Vec<f64>,
    /// Accumulated local effects (Apley and Zhu 2020), of numbers: what moving between neighbouring values changes, over the rows
    /// that have them, added up and centred. Unlike partial dependence it asks of no row what it could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accumulated: Vec<f64>,
    /// The curves of single rows (individual conditional expectation).
    pub individual: Vec<Vec<f64>>,
}

/// Measures the effects of every input of the model. `None` for rankings and several labels, whose metrics are of more than a row.
pub(crate) fn effects(probe: &Probe<'_>, total: u64, cancel: &CancelFlag) -> Result<Option<Effects>, EvaluateError> {
    let task = probe.model.task();
    if matches!(task, Task::Ranking { .. } | Task::MultiLabel { .. }) {
        return Ok(None);
    }
    let Some(label) = probe.model.graph().label() else { return Ok(None) };
    let (inputs, needed) = probe.columns(label.columns()?);
    let known: Vec<&str> = needed.iter().map(String::as_str).collect();
    let rows = sampled(probe, &known, total)?;
    let bound = probe.model.graph().bind_label(rows.schema_ref())?;
    let labels = labels_of(task, &bound, &rows)?;
    let predicted = probe.model.predict_columns(&rows)?;
    let metric = Metric::headline(task.kind());
    let measure = |columns: &[Vec<f64>]| metrics_of(task, &ordered(task, columns, &labels), 0.5).get(metric);
    let Some(value) = measure(&predicted) else { return Ok(None) };
    let one = |column: &String| -> Result<InputEffect, EvaluateError> {
        if cancel.is_set() {
            return Err(EvaluateError::Canceled);
        }
        let losses: Vec<f64> = (0..SHUFFLES)
            .map(|number| {
                let shuffled = with_column(&rows, column, |values| shuffled(values, number))?;
                let found = measure(&probe.model.predict_columns(&shuffled)?);
                Ok(found.map_or(0.0, |found| {
                    if metric.direction() == Direction::Lower { found - value } else { value - found }
                }))
            })
            .collect::<Result<_, EvaluateError>>()?;
        let importance = losses.iter().sum::<f64>() / losses.len() as f64;
        let squares: f64 = losses.iter().map(|loss| (loss - importance) * (loss - importance)).sum();
        let deviation = (squares / (losses.len() as f64 - 1.0)).sqrt();
        Ok(InputEffect { column: column.clone(), importance, deviation, curve: None })
    };
    let mut found: Vec<InputEffect> = inputs.par_iter().map(one).collect::<Result<_, _>>()?;
    found.sort_by(|a, b| b.importance.total_cmp(&a.importance));
    // A prediction of one number has curves.
    if task.names().is_empty() {
        found.par_iter_mut().take(FOLLOWED_MAX).try_for_each(|effect| -> Result<(), EvaluateError> {
            effect.curve = curve(probe.model, &rows, &effect.column)?;
            Ok(())
        })?;
    }
    Ok(Some(Effects { metric, value, rows: rows.num_rows() as u64, inputs: found }))
}

/// Every so manieth row of the split.
fn sampled(probe: &Probe<'_>, columns: &[&str], total: u64) -> Result<RecordBatch, EvaluateError> {
    let step = (total as usize).div_ceil(ROWS_MAX).max(1);
    let mut kept = Vec::new();
    let mut first = 0;
    let mut schema = None;
    for batch in probe.examples.batches(probe.split, Some(columns))? {
        let batch = batch?;
        let rows: Vec<u32> =
            (0..batch.num_rows()).filter(|row| (first + row).is_multiple_of(step)).map(|row| row as u32).collect();
        first += batch.num_rows();
        schema.get_or_insert_with(|| batch.schema());
        kept.push(taken(&batch, &UInt32Array::from(rows))?);
    }
    let schema = schema.unwrap_or_else(|| probe.examples.schema());
    concat_batches(&schema, &kept).map_err(|error| EvaluateError::Kept(error.to_string()))
}

fn taken(batch: &RecordBatch, rows: &UInt32Array) -> Result<RecordBatch, EvaluateError> {
    let columns = batch.columns().iter().map(|column| take(column, rows, None)).collect::<Result<Vec<_>, _>>();
    let batch = columns.and_then(|columns| RecordBatch::try_new(batch.schema(), columns));
    batch.map_err(|error| EvaluateError::Kept(error.to_string()))
}

fn labels_of(task: &Task, label: &BoundLabel, rows: &RecordBatch) -> Result<Vec<f64>, EvaluateError> {
    if task.kind() != TaskKind::MultiClass {
        return Ok(label.optional_values(rows)?.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect());
    }
    let number = |name: Option<String>| {
        let at = name.and_then(|name| task.classes().iter().position(|class| *class == name));
        at.map_or(0.0, |at| at as f64)
    };
    Ok(label.class_names(rows)?.into_iter().map(number).collect())
}

fn ordered(task: &Task, columns: &[Vec<f64>], labels: &[f64]) -> Ordered {
    match task {
        Task::MultiClass { .. } => Ordered::for_classes(columns, labels, None),
        Task::Quantiles { .. } => Ordered::for_quantiles(columns, &task.levels(), labels, None),
        _ => Ordered::new(&columns[0], labels, None),
    }
}

/// The rows with other values in one column.
fn with_column(
    rows: &RecordBatch,
    column: &str,
    change: impl Fn(&ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError>,
) -> Result<RecordBatch, EvaluateError> {
    let at = rows.schema_ref().index_of(column);
    let changed = at.and_then(|at| {
        let mut columns = rows.columns().to_vec();
        columns[at] = change(&columns[at])?;
        RecordBatch::try_new(rows.schema(), columns)
    });
    changed.map_err(|error| EvaluateError::Kept(error.to_string()))
}

fn shuffled(values: &ArrayRef, number: u64) -> Result<ArrayRef, arrow::error::ArrowError> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    for at in (1..order.len()).rev() {
        let draw = SplitMix64::to_unit(SplitMix64::hash(SplitMix64::hash((number << 32) | at as u64)));
        order.swap(at, ((at + 1) as f64 * draw) as usize);
    }
    take(values, &UInt32Array::from(order), None)
}

/// How predictions follow the values of a column. `None` if it has one value only.
fn curve(model: &Model, rows: &RecordBatch, column: &str) -> Result<Option<Curve>, EvaluateError> {
    let Some(values) = rows.column_by_name(column) else { return Ok(None) };
    let points = points_of(values);
    if points.len() < 2 {
        return Ok(None);
    }
    let all_at = |point: &u32| -> Result<Vec<f64>, EvaluateError> {
        let same = UInt32Array::from(vec![*point; rows.num_rows()]);
        Ok(model.predict_values(&with_column(rows, column, |values| take(values, &same, None))?)?)
    };
    let by_point: Vec<Vec<f64>> = points.iter().map(all_at).collect::<Result<_, _>>()?;
    let mean = |predictions: &Vec<f64>| predictions.iter().sum::<f64>() / predictions.len() as f64;
    let step = rows.num_rows().div_ceil(CURVES_MAX).max(1);
    let individual = (0..rows.num_rows())
        .step_by(step)
        .map(|row| by_point.iter().map(|predictions| predictions[row]).collect())
        .collect();
    let shown = |point: &u32| array_value_to_string(values, *point as usize).unwrap_or_default();
    Ok(Some(Curve {
        values: points.iter().map(shown).collect(),
        partial: by_point.iter().map(mean).collect(),
        accumulated: if values.data_type().is_numeric() { accumulated(values, &points, &by_point) } else { Vec::new() },
        individual,
    }))
}

/// Rows whose values are followed: at even quantiles of a number, otherwise the first rows of the most frequent values.
fn points_of(values: &ArrayRef) -> Vec<u32> {
    let mut present: Vec<u32> = (0..values.len() as u32).filter(|row| values.is_valid(*row as usize)).collect();
    if values.data_type().is_numeric() {
        let number = |row: &u32| number_at(values, *row as usize);
        present.sort_by(|a, b| number(a).total_cmp(&number(b)).then(a.cmp(b)));
        let last = present.len().saturating_sub(1);
        let mut points: Vec<u32> =
            (0..POINTS_MAX).filter_map(|at| present.get(at * last / (POINTS_MAX - 1)).copied()).collect();
        points.dedup_by_key(|row| number(row).to_bits());
        return points;
    }
    let mut counts: std::collections::BTreeMap<String, (usize, u32)> = std::collections::BTreeMap::new();
    for row in present {
        let text = array_value_to_string(values, row as usize).unwrap_or_default();
        counts.entry(text).or_insert((0, row)).0 += 1;
    }
    let mut frequent: Vec<(usize, u32)> = counts.into_values().collect();
    frequent.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    frequent.into_iter().take(POINTS_MAX).map(|(_, row)| row).collect()
}

fn number_at(values: &ArrayRef, row: usize) -> f64 {
    use arrow::array::AsArray as _;
    use arrow::datatypes::{DataType, Float64Type, Int64Type};
    match values.data_type() {
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row) as f64,
        DataType::Float64 => values.as_primitive::<Float64Type>().value(row),
        _ => f64::NAN,
    }
}

/// Accumulated local effects at the points: rows between two points are moved to both, and the mean differences are added up;
/// the mean over the rows is 0.
fn accumulated(values: &ArrayRef, points: &[u32], by_point: &[Vec<f64>]) -> Vec<f64> {
    let edges: Vec<f64> = points.iter().map(|row| number_at(values, *row as usize)).collect();
    let mut sums = vec![(0.0, 0.0); points.len() - 1];
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let between =
            edges.partition_point(|edge| *edge < number_at(values, row)).saturating_sub(1).min(sums.len() - 1);
        sums[between].0 += by_point[between + 1][row] - by_point[between][row];
        sums[between].1 += 1.0;
    }
    let mut effects = vec![0.0];
    for (sum, rows) in &sums {
        let step = if *rows > 0.0 { sum / rows } else { 0.0 };
        effects.push(effects[effects.len() - 1] + step);
    }
    // Centred on the rows: each lies between two points.
    let total: f64 = sums.iter().map(|(_, rows)| rows).sum();
    let middle = |at: usize| f64::midpoint(effects[at], effects[at + 1]);
    let mean = sums.iter().enumerate().map(|(at, (_, rows))| rows * middle(at)).sum::<f64>() / total.max(1.0);
    effects.iter().map(|effect| effect - mean).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn points_are_quantiles_of_numbers_and_frequent_texts() {
        let numbers: ArrayRef =
            Arc::new(Float64Array::from((0..100).map(|v| Some(f64::from(99 - v))).collect::<Vec<_>>()));
        let points = points_of(&numbers);
        let values: Vec<f64> = points.iter().map(|row| number_at(&numbers, *row as usize)).collect();
        assert_eq!((values.len(), values[0], values[11]), (12, 0.0, 99.0));
        assert!(values.is_sorted());
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), None, Some("a")]));
        assert_eq!(points_of(&texts), [1, 0]);
    }

    /// Of a linear function the effects are the line itself, centred.
    #[test]
    fn accumulated_effects_of_a_line_are_the_line() {
        let numbers: ArrayRef = Arc::new(Float64Array::from((0..=100).map(f64::from).collect::<Vec<_>>()));
        let points = points_of(&numbers);
        let edges: Vec<f64> = points.iter().map(|row| number_at(&numbers, *row as usize)).collect();
        let by_point: Vec<Vec<f64>> = edges.iter().map(|edge| vec![3.0 * edge + 1.0; 101]).collect();
        let found = accumulated(&numbers, &points, &by_point);
        for (found, edge) in found.iter().zip(&edges) {
            assert!((found - 3.0 * (edge - 50.0)).abs() < 3.5, "{found} at {edge}");
        }
        let slope = (found[11] - found[0]) / (edges[11] - edges[0]);
        assert!((slope - 3.0).abs() < 1e-12);
    }
}
