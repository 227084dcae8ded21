//! Builds a table batch by batch, in one scan of the rows.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use tidemill_core::suggest;
use tidemill_data::{GroupNumbers, GroupProblem};
use tidemill_model::Task;

use super::EvaluationTable;
use crate::EvaluateError;
use crate::finder::{FinderColumnBuilder, FinderSample, SampleFilter};
use crate::slices::KeyColumnBuilder;

/// The columns of the rows that an evaluation keeps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableColumns {
    /// Columns to slice by: text, whole numbers or booleans.
    pub slices: Vec<String>,
    /// Columns that `find_slices` searches: of any type.
    pub finder: Vec<String>,
    /// How much each row counts: a column of numbers.
    pub weight: Option<String>,
    /// The column of the query, for a ranking. For any other task, of rows that belong together: a bootstrap draws them
    /// together.
    pub group: Option<String>,
    /// Columns that metrics of one's own compute with.
    pub kept: Vec<String>,
    /// The expected number of rows, if known: if there are more than a million, the search uses a sample.
    pub rows: u64,
}

/// Adds rows in order.
#[derive(Debug)]
pub struct TableBuilder {
    table: EvaluationTable,
    keys: Vec<(usize, KeyColumnBuilder)>,
    weight: Option<usize>,
    group: Option<(usize, String, GroupNumbers)>,
    filter: SampleFilter,
    finder: Vec<(usize, String, FinderColumnBuilder)>,
    kept: Vec<usize>,
    sampled: Vec<u32>,
}

impl TableBuilder {
    /// An empty table for batches of `schema`. Checks that the columns exist and have suitable types.
    pub fn new(
        task: Task,
        split: &str,
        label: &str,
        schema: &Schema,
        columns: &TableColumns,
    ) -> Result<Self, EvaluateError> {
        let mut keys = Vec::new();
        for name in &columns.slices {
            let index = column_index(schema, name, "slices")?;
            KeyColumnBuilder::check_type(name, "slices", schema.field(index).data_type())?;
            keys.push((index, KeyColumnBuilder::new(name, "slices")));
        }
        let mut finder = Vec::new();
        for name in &columns.finder {
            let index = column_index(schema, name, "find_slices")?;
            finder.push((index, name.clone(), FinderColumnBuilder::new(name, schema.field(index).data_type())));
        }
        let weight = columns.weight.as_deref().map(|name| numeric_index(schema, name, "weight")).transpose()?;
        let group = columns.group.as_deref().map(|name| column_index(schema, name, "group")).transpose()?;
        let group = group.zip(columns.group.clone()).map(|(at, name)| (at, name, GroupNumbers::default()));
        let kept = columns.kept.iter().map(|name| column_index(schema, name, "metrics")).collect::<Result<_, _>>()?;
        let mut table = EvaluationTable::new(task, split, Vec::new(), Vec::new());
        label.clone_into(&mut table.label);
        table.weights = columns.weight.clone().map(|name| (name, Vec::new()));
        let rows = columns.rows.min(1 << 32) as usize;
        table.labels.reserve(rows);
        table.predictions.reserve(rows);
        Ok(Self {
            table,
            keys,
            weight,
            group,
            filter: SampleFilter::new(columns.rows),
            finder,
            kept,
            sampled: Vec::new(),
        })
    }

    /// Adds a batch with its labels and predictions, each as long as the batch. Either every batch has predictions of a
    /// baseline, or none.
    pub fn push(
        &mut self,
        batch: &RecordBatch,
        labels: &[f64],
        predictions: &[f64],
        baseline: Option<&[f64]>,
    ) -> Result<(), EvaluateError> {
        let first = self.table.labels.len();
        if u32::try_from(first + batch.num_rows()).is_err() {
            return Err(EvaluateError::TooManyRows {
                rows_of: self.table.rows_of(),
                rows: (first + batch.num_rows()) as u64,
                limit: u64::from(u32::MAX) - 1,
            });
        }
        self.table.labels.extend_from_slice(labels);
        self.table.predictions.extend_from_slice(predictions);
        if let Some(baseline) = baseline {
            self.table.baseline.get_or_insert_default().extend_from_slice(baseline);
        }
        self.keep(batch, first)
    }

    /// As [`push`](Self::push), for a model of several classes: a column of probabilities for each.
    pub fn push_classes(
        &mut self,
        batch: &RecordBatch,
        labels: &[f64],
        columns: &[Vec<f64>],
        baseline: Option<&[Vec<f64>]>,
    ) -> Result<(), EvaluateError> {
        // A row without a label has no true class; it is rejected in the end.
        let truth = |columns: &[Vec<f64>]| -> Vec<f64> {
            let of = |(row, label): (usize, &f64)| {
                if label.is_nan() {
                    f64::NAN
                } else {
                    columns.get(*label as usize).map_or(f64::NAN, |column| column[row])
                }
            };
            labels.iter().enumerate().map(of).collect()
        };
        let baseline_truth = baseline.map(truth);
        extend(&mut self.table.class_predictions, columns);
        extend(&mut self.table.class_baseline, baseline.unwrap_or_default());
        self.push(batch, labels, &truth(columns), baseline_truth.as_deref())
    }

    /// As [`push`](Self::push), for a model of several labels or quantiles: a column of predictions for each, of which that at
    /// `shown` stands for all where one number is wanted.
    pub fn push_columns(
        &mut self,
        batch: &RecordBatch,
        labels: &[f64],
        columns: &[Vec<f64>],
        baseline: Option<&[Vec<f64>]>,
        shown: usize,
    ) -> Result<(), EvaluateError> {
        extend(&mut self.table.class_predictions, columns);
        extend(&mut self.table.class_baseline, baseline.unwrap_or_default());
        self.push(batch, labels, &columns[shown], baseline.map(|columns| columns[shown].as_slice()))
    }

    /// Keeps the needed parts of a batch whose first row is `first`.
    fn keep(&mut self, batch: &RecordBatch, first: usize) -> Result<(), EvaluateError> {
        for (index, key) in &mut self.keys {
            key.push(batch.column(*index))?;
        }
        if let (Some(index), Some((_, weights))) = (self.weight, &mut self.table.weights) {
            weights.extend(numbers(batch.column(index)));
        }
        if let Some((index, name, numbers)) = &mut self.group {
            let of_batch = numbers.of(batch.column(*index)).map_err(|problem| EvaluateError::Group {
                column: name.clone(),
                problem: match problem {
                    GroupProblem::Missing(row) => {
                        format!("has no value in row {} of {}", first + row + 1, self.table.rows_of())
                    }
                    GroupProblem::Type => "holds values that rows cannot be grouped by".to_owned(),
                },
            })?;
            self.table.groups.get_or_insert_default().extend(of_batch);
        }
        if !self.kept.is_empty() {
            self.table.kept.push(batch.project(&self.kept).map_err(|error| EvaluateError::Kept(error.to_string()))?);
        }
        if !self.finder.is_empty() {
            let rows: Vec<usize> =
                (0..batch.num_rows()).filter(|row| self.filter.takes((first + row) as u32)).collect();
            self.sampled.extend(rows.iter().map(|row| (first + row) as u32));
            for (index, _, column) in &mut self.finder {
                column.push(batch.column(*index), &rows);
            }
        }
        Ok(())
    }

    /// The finished table, not yet checked.
    pub fn finish(self) -> EvaluationTable {
        let mut table = self.table;
        table.columns = self.keys.into_iter().map(|(_, key)| key.finish()).collect();
        if !self.finder.is_empty() {
            let mut sample = FinderSample { rows: self.sampled, ..FinderSample::default() };
            for (_, name, column) in self.finder {
                match column.finish() {
                    Some(column) => sample.columns.push(column),
                    None => sample.skipped_columns.push(name),
                }
            }
            table.finder = Some(sample);
        }
        table
    }
}

/// Joins the parts of columns.
fn extend(whole: &mut Vec<Vec<f64>>, parts: &[Vec<f64>]) {
    whole.resize_with(whole.len().max(parts.len()), Vec::new);
    whole.iter_mut().zip(parts).for_each(|(column, part)| column.extend_from_slice(part));
}

/// The index of `name`, or an error with the nearest name.
pub(crate) fn column_index(schema: &Schema, name: &str, place: &'static str) -> Result<usize, EvaluateError> {
    schema.index_of(name).map_err(|_| EvaluateError::ColumnNotFound {
        column: name.to_owned(),
        place,
        nearest: suggest(name, schema.fields().iter().map(|field| field.name().as_str())).map(str::to_owned),
    })
}

/// The same for a column that must be numeric (or boolean, as 0 and 1).
pub(crate) fn numeric_index(schema: &Schema, name: &str, place: &'static str) -> Result<usize, EvaluateError> {
    let index = column_index(schema, name, place)?;
    match schema.field(index).data_type() {
        DataType::Int64 | DataType::Float64 | DataType::Boolean => Ok(index),
        found => Err(EvaluateError::ColumnType {
            column: name.to_owned(),
            place,
            found: found.to_string(),
            reason: "numbers are needed",
        }),
    }
}

/// The cells as numbers; NaN if one is missing or the column is not numeric.
pub(crate) fn numbers(array: &ArrayRef) -> Vec<f64> {
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect(),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().map(|v| v.unwrap_or(f64::NAN)).collect(),
        DataType::Boolean => {
            array.as_boolean().iter().map(|v| v.map_or(f64::NAN, |v| f64::from(u8::from(v)))).collect()
        }
        _ => vec![f64::NAN; array.len()],
    }
}
