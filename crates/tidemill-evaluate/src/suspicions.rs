//! Mistakes that make an evaluation better than the model: judged rows that it has learned from, a column that holds the answer,
//! splits whose labels differ.
//!
//! Reported with every evaluation; none of them stops a run.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde::{Deserialize, Serialize};
use tidemill_core::{CancelFlag, SplitMix64, TaskKind};

use crate::behaviour::Probe;
use crate::metrics::{Metric, MetricPlan, Ordered, metrics_with, rank_metrics};
use crate::summary::with_separators;
use crate::{EvaluateError, gate::number};

/// Judged rows that are looked for in other splits: of more, those whose hash is a multiple of a step.
const ROWS_MAX: u64 = 2_000_000;
/// Rows by which a column is judged.
const TELLING_ROWS: usize = 50_000;
/// A column that orders the labels this well alone holds the answer.
const TELLING_AUC: f64 = 0.995;
const TELLING_CORRELATION: f64 = 0.9999;
/// Shared rows are a warning from this share on: a few rows without much in them repeat in any data.
const SHARED_MIN: f64 = 0.01;
/// Standard errors between the label means of two splits.
const SHIFT_MIN: f64 = 5.0;

/// What may make an evaluation too good, or of other data than the model learned from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspicions {
    /// Judged rows that are in another split too, by split.
    pub shared: Vec<SharedRows>,
    /// Inputs that order the labels nearly perfectly alone.
    pub telling: Vec<TellingColumn>,
    /// Splits whose labels differ by more than chance.
    pub shifted: Vec<ShiftedLabel>,
}

/// Judged rows that are in another split, with the same inputs and label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedRows {
    /// The other split.
    pub split: String,
    /// Judged rows that were looked for.
    pub looked_for: u64,
    /// Those that it has.
    pub found: u64,
}

/// A column that holds the answer, or nearly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TellingColumn {
    /// The column.
    pub column: String,
    /// `auc` or `correlation` with the label.
    pub measure: String,
    /// Its value.
    pub value: f64,
}

/// A split with another mean label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftedLabel {
    /// The other split.
    pub split: String,
    /// The mean label of the judged rows.
    pub judged: f64,
    /// The mean label there.
    pub other: f64,
    /// The difference in standard errors.
    pub standard_errors: f64,
}

impl Suspicions {
    /// One line for each mistake that is likely.
    pub fn warnings(&self, split: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        for shared in &self.shared {
            if shared.found as f64 >= SHARED_MIN * shared.looked_for.max(1) as f64 && shared.found > 0 {
                let percent = 100.0 * shared.found as f64 / shared.looked_for as f64;
                warnings.push(format!(
                    "{percent:.1} % of the rows of `{split}` are in `{}` too, with the same label: the metrics promise more than new rows will get",
                    shared.split
                ));
            }
        }
        for telling in &self.telling {
            warnings.push(format!(
                "column `{}` alone tells the label ({} {}): is it known when a prediction is made?",
                telling.column,
                telling.measure,
                number(telling.value)
            ));
        }
        for shifted in &self.shifted {
            warnings.push(format!(
                "the mean label is {} in `{split}` and {} in `{}`, {:.0} standard errors apart: the splits are of different data",
                number(shifted.judged),
                number(shifted.other),
                shifted.split,
                shifted.standard_errors
            ));
        }
        warnings
    }

    /// What was looked for, in a sentence for a report.
    pub fn looked_for(&self) -> String {
        let shared: Vec<String> = self
            .shared
            .iter()
            .map(|shared| {
                format!(
                    "{} of {} judged rows are in {} too",
                    with_separators(shared.found),
                    with_separators(shared.looked_for),
                    shared.split
                )
            })
            .collect();
        if shared.is_empty() { "There is no other split.".to_owned() } else { format!("{}.", shared.join(", ")) }
    }
}

/// The mean and the variance of labels.
#[derive(Default)]
struct LabelSums {
    count: f64,
    mean: f64,
    squares: f64,
}

impl LabelSums {
    fn add(&mut self, label: f64) {
        self.count += 1.0;
        let before = label - self.mean;
        self.mean += before / self.count;
        self.squares += before * (label - self.mean);
    }

    fn squared_error(&self) -> f64 {
        self.squares / (self.count - 1.0).max(1.0) / self.count.max(1.0)
    }
}

/// Looks for mistakes among the judged rows and the other splits.
pub(crate) fn suspicions(probe: &Probe<'_>, judged: u64, cancel: &CancelFlag) -> Result<Suspicions, EvaluateError> {
    let mut suspicions = Suspicions::default();
    let Some(label) = probe.model.graph().label() else { return Ok(suspicions) };
    let (inputs, needed) = probe.columns(label.columns()?);
    let known: Vec<&str> = needed.iter().map(String::as_str).collect();
    let step = judged.div_ceil(ROWS_MAX).max(1);
    let is_number = matches!(probe.model.task().kind(), TaskKind::Binary | TaskKind::Regression);
    let mut hashes: Vec<u64> = Vec::new();
    let mut labels = LabelSums::default();
    let mut kept: Vec<(RecordBatch, Vec<f64>)> = Vec::new();
    let mut rows = 0;
    for batch in probe.examples.batches(probe.split, Some(&known))? {
        if cancel.is_set() {
            return Err(EvaluateError::Canceled);
        }
        let batch = batch?;
        hashes.extend(row_hashes(&batch).into_iter().filter(|hash| hash % step == 0));
        if is_number {
            let values = numbers(probe, &batch)?;
            values.iter().filter(|value| !value.is_nan()).for_each(|value| labels.add(*value));
            if rows < TELLING_ROWS {
                rows += batch.num_rows();
                kept.push((batch, values));
            }
        }
    }
    suspicions.telling = telling(probe, &inputs, &kept);
    drop(kept);
    let looked_for: HashSet<u64> = hashes.iter().copied().collect();
    for other in probe.examples.splits().iter().filter(|other| other.name != probe.split && other.rows > 0) {
        let (mut found, mut of_other) = (HashSet::new(), LabelSums::default());
        for batch in probe.examples.batches(&other.name, Some(&known))? {
            if cancel.is_set() {
                return Err(EvaluateError::Canceled);
            }
            let batch = batch?;
            found.extend(row_hashes(&batch).into_iter().filter(|hash| looked_for.contains(hash)));
            if is_number {
                numbers(probe, &batch)?.iter().filter(|value| !value.is_nan()).for_each(|value| of_other.add(*value));
            }
        }
        let shared = hashes.iter().filter(|hash| found.contains(hash)).count() as u64;
        let looked_for = hashes.len() as u64;
        suspicions.shared.push(SharedRows { split: other.name.clone(), looked_for, found: shared });
        let error = (labels.squared_error() + of_other.squared_error()).sqrt();
        if is_number && error > 0.0 && ((labels.mean - of_other.mean) / error).abs() >= SHIFT_MIN {
            suspicions.shifted.push(ShiftedLabel {
                split: other.name.clone(),
                judged: labels.mean,
                other: of_other.mean,
                standard_errors: ((labels.mean - of_other.mean) / error).abs(),
            });
        }
    }
    Ok(suspicions)
}

fn numbers(probe: &Probe<'_>, batch: &RecordBatch) -> Result<Vec<f64>, EvaluateError> {
    let bound = probe.model.graph().bind_label(batch.schema_ref())?;
    Ok(bound.optional_values(batch)?.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Inputs of numbers that order the labels nearly perfectly.
fn telling(probe: &Probe<'_>, inputs: &[String], kept: &[(RecordBatch, Vec<f64>)]) -> Vec<TellingColumn> {
    let kind = probe.model.task().kind();
    let of_column = |column: &String| -> Option<TellingColumn> {
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for (batch, of_batch) in kept {
            for (value, label) in cells(batch.column_by_name(column)?)?.into_iter().zip(of_batch) {
                if value.is_finite() && label.is_finite() {
                    values.push(value);
                    labels.push(*label);
                }
            }
        }
        let rows = Ordered::new(&values, &labels, None);
        if kind == TaskKind::Binary {
            let auc = rank_metrics(&rows).auc?;
            let auc = auc.max(1.0 - auc);
            return (auc >= TELLING_AUC && values.len() >= 100).then(|| TellingColumn {
                column: column.clone(),
                measure: "auc".into(),
                value: auc,
            });
        }
        // The share of the variance that a line explains is the squared correlation.
        let plan = MetricPlan::at(0.5).with(probe.model.task(), [Metric::Correlation]);
        let value = metrics_with(kind, &rows, &plan).get(Metric::Correlation)?.abs();
        (value >= TELLING_CORRELATION && values.len() >= 100).then(|| TellingColumn {
            column: column.clone(),
            measure: "correlation".into(),
            value,
        })
    };
    inputs.iter().filter_map(of_column).collect()
}

/// The cells of a column of numbers; NaN where one is missing.
fn cells(column: &ArrayRef) -> Option<Vec<f64>> {
    match column.data_type() {
        DataType::Int64 => {
            Some(column.as_primitive::<Int64Type>().iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect())
        }
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN)).collect()),
        _ => None,
    }
}

/// A hash of the cells of each row: equal rows have equal hashes.
fn row_hashes(batch: &RecordBatch) -> Vec<u64> {
    let mut hashes = vec![0_u64; batch.num_rows()];
    for column in batch.columns() {
        for (row, hash) in hashes.iter_mut().enumerate() {
            *hash = SplitMix64::hash(*hash ^ cell_hash(column, row));
        }
    }
    hashes
}

fn cell_hash(column: &ArrayRef, row: usize) -> u64 {
    const MISSING: u64 = 0x9e37_79b9_7f4a_7c15;
    if column.is_null(row) {
        return MISSING;
    }
    // FNV-1a.
    let of_bytes = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    };
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row) as u64,
        DataType::Float64 => (column.as_primitive::<Float64Type>().value(row) + 0.0).to_bits(),
        DataType::Boolean => u64::from(column.as_boolean().value(row)),
        DataType::Utf8 => of_bytes(column.as_string::<i32>().value(row).as_bytes()),
        _ => of_bytes(arrow::util::display::array_value_to_string(column, row).unwrap_or_default().as_bytes()),
    }
}
