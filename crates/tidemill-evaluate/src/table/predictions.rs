//! A table from stored predictions: any file with a label and a score, whatever made the scores.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use tidemill_data::DataError;
use tidemill_model::Task;

use super::builder::{numbers, numeric_index};
use super::{EvaluationTable, TableBuilder, TableColumns};
use crate::EvaluateError;

/// Which columns of a file hold what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PredictionColumns {
    /// What the model predicts. By default binary where every label is 0 or 1 and every prediction between
    /// them, else regression.
    pub task: Option<Task>,
    /// The column of labels: numbers or booleans.
    pub label: String,
    /// The column of predictions: probabilities, or values.
    pub prediction: String,
    /// The column of another model's predictions, to compare with.
    pub baseline: Option<String>,
    /// What else to keep.
    pub keep: TableColumns,
}

impl EvaluationTable {
    /// A table of the rows of `batches`, which have `schema`. `name` stands for the rows in messages: that of the
    /// file. A row without a label or a prediction is an error, which says how many there are.
    pub fn from_batches(
        name: &str,
        schema: &Schema,
        batches: impl IntoIterator<Item = Result<RecordBatch, DataError>>,
        columns: &PredictionColumns,
    ) -> Result<Self, EvaluateError> {
        let label = numeric_index(schema, &columns.label, "label")?;
        let prediction = numeric_index(schema, &columns.prediction, "prediction")?;
        let baseline = columns.baseline.as_deref().map(|name| numeric_index(schema, name, "baseline")).transpose()?;
        let task = columns.task.unwrap_or(Task::Regression);
        let mut builder = TableBuilder::new(task, name, &columns.label, schema, &columns.keep)?;
        let needed = [Some(("label", label)), Some(("prediction", prediction)), baseline.map(|at| ("baseline", at))];
        let mut gaps: Vec<Gaps> = needed.into_iter().flatten().map(|(role, index)| Gaps::new(role, index)).collect();
        for batch in batches {
            let batch = batch?;
            for gaps in &mut gaps {
                gaps.take_in(batch.column(gaps.index));
            }
            let baseline = baseline.map(|index| numbers(batch.column(index)));
            builder.push(
                &batch,
                &numbers(batch.column(label)),
                &numbers(batch.column(prediction)),
                baseline.as_deref(),
            )?;
        }
        let mut table = builder.finish();
        table.stored = true;
        if let Some(gaps) = gaps.iter().find(|gaps| gaps.missing > 0) {
            return Err(EvaluateError::CellsMissing {
                column: schema.field(gaps.index).name().clone(),
                role: gaps.role,
                missing: gaps.missing,
                rows: gaps.rows,
                first: gaps.first,
                rows_of: table.rows_of(),
            });
        }
        if columns.task.is_none() {
            let scores = table.predictions.iter().chain(table.baseline.iter().flatten());
            let binary = table.labels.iter().all(|label| *label == 0.0 || *label == 1.0)
                && scores.into_iter().all(|score| (0.0..=1.0).contains(score));
            table.task = if binary { Task::Binary } else { Task::Regression };
        }
        Ok(table)
    }
}

/// Empty cells of one column, counted over all rows so that one message tells of all.
struct Gaps {
    role: &'static str,
    index: usize,
    rows: u64,
    missing: u64,
    first: u64,
}

impl Gaps {
    fn new(role: &'static str, index: usize) -> Self {
        Self { role, index, rows: 0, missing: 0, first: 0 }
    }

    fn take_in(&mut self, column: &ArrayRef) {
        if self.missing == 0
            && let Some(row) = (0..column.len()).find(|row| column.is_null(*row))
        {
            self.first = self.rows + row as u64 + 1;
        }
        self.rows += column.len() as u64;
        self.missing += column.null_count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, StringArray};
    use arrow::datatypes::{DataType, Field};
    use tidemill_core::{Code, Coded};

    use super::*;
    use crate::slices::{SliceSpec, SliceValue};
    use crate::{EvaluateOptions, Metric, evaluate};

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("tipped", DataType::Boolean, true),
            Field::new("score", DataType::Float64, true),
            Field::new("payment", DataType::Utf8, true),
        ]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(BooleanArray::from(vec![true, false, true, false])),
                Arc::new(Float64Array::from(vec![0.9, 0.2, 0.4, 0.6])),
                Arc::new(StringArray::from(vec![Some("Cash"), Some("Cash"), None, None])),
            ],
        )
        .unwrap()
    }

    fn columns() -> PredictionColumns {
        PredictionColumns {
            label: "tipped".into(),
            prediction: "score".into(),
            keep: TableColumns { slices: vec!["payment".into()], ..TableColumns::default() },
            ..PredictionColumns::default()
        }
    }

    #[test]
    fn a_label_and_a_score_suffice() {
        let table = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &columns()).unwrap();
        assert_eq!(table.task, Task::Binary);
        let options = EvaluateOptions { slices: vec![SliceSpec::over(["payment"])], ..EvaluateOptions::default() };
        let evaluation = evaluate(&table, &options).unwrap();
        assert_eq!(evaluation.overall().unwrap().metrics.get(Metric::Auc), Some(0.75));
        let missing = &evaluation.slices[2];
        assert_eq!(missing.slice.terms()[0].value, SliceValue::Missing);
        assert_eq!(missing.metrics.get(Metric::Auc), Some(0.0));
    }

    #[test]
    fn rows_without_a_score_are_counted() {
        let scores = Arc::new(Float64Array::from(vec![Some(0.9), None, Some(0.4), None]));
        let mut columns_of = batch().columns().to_vec();
        columns_of[1] = scores;
        let gappy = RecordBatch::try_new(batch().schema(), columns_of).unwrap();
        let error = EvaluationTable::from_batches("p.csv", &batch().schema(), [Ok(gappy)], &columns()).unwrap_err();
        assert_eq!(error.code(), Code::PredictionValues);
        let expected = "column `score` (prediction) has no value in 2 of 4 rows of `p.csv`, first in row 2";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_misspelt_column_and_a_column_of_text_are_named() {
        let wrong = PredictionColumns { label: "tiped".into(), ..columns() };
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnNotFound);
        assert_eq!(error.hint().as_deref(), Some("did you mean `tipped`?"));
        let wrong = PredictionColumns { prediction: "payment".into(), ..columns() };
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnType);
        let mut wrong = columns();
        wrong.keep.slices = vec!["score".into()];
        let error = EvaluationTable::from_batches("file", &batch().schema(), [Ok(batch())], &wrong).unwrap_err();
        assert_eq!(error.code(), Code::ColumnType);
        assert!(error.hint().unwrap().contains("find_slices"));
    }
}
