//! The input of an evaluation: the labels and predictions of one split.

mod builder;
mod gaps;
mod labels;
mod predictions;

use arrow::array::RecordBatch;
use tidemill_model::Task;

pub(crate) use builder::column_index;
pub use builder::{TableBuilder, TableColumns};
pub use predictions::PredictionColumns;

use crate::EvaluateError;
use crate::finder::FinderSample;
use crate::metrics::Ordered;
use crate::slices::KeyColumn;

/// The largest label of a ranking: its gain is 2 to the power of it.
const RELEVANCE_MAX: f64 = 60.0;

/// Labels, predictions and slice columns of one split, all of the same length.
///
/// Takes up to 16 bytes per row, 8 more each for a baseline and for weights, and 4 for each slice column; sorting
/// temporarily takes another 16 bytes per row, and permanently 20 to 28 for each model.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationTable {
    /// The task.
    pub task: Task,
    /// The split, or the file of `stored` predictions.
    pub split: String,
    /// Whether the predictions were read from a file.
    pub stored: bool,
    /// The label's name, for messages.
    pub label: String,
    /// The label of each row.
    pub labels: Vec<f64>,
    /// The candidate's prediction for each row: with several classes, the probability of the true one; with several labels,
    /// that of the first; with several quantiles, the one nearest to the median.
    pub predictions: Vec<f64>,
    /// The baseline's prediction for each row.
    pub baseline: Option<Vec<f64>>,
    /// The probabilities of all classes or labels, or all quantiles, one column each, for a candidate of several.
    pub class_predictions: Vec<Vec<f64>>,
    /// The same for its baseline.
    pub class_baseline: Vec<Vec<f64>>,
    /// Assumptions and corrections made when the rows were read, to be reported to the user.
    pub notes: Vec<String>,
    /// The weight of each row: finite, not negative, not all 0. The column's name goes first.
    pub weights: Option<(String, Vec<f64>)>,
    /// The number of each row's query, for a ranking, or of the rows that belong together.
    pub groups: Option<Vec<u32>>,
    /// Columns to slice by.
    pub columns: Vec<KeyColumn>,
    /// The columns of the search for bad slices.
    pub finder: Option<FinderSample>,
    /// The columns that metrics of one's own compute with, batch by batch.
    pub kept: Vec<RecordBatch>,
}

impl EvaluationTable {
    /// A table with only labels and predictions.
    pub fn new(task: Task, split: impl Into<String>, labels: Vec<f64>, predictions: Vec<f64>) -> Self {
        Self {
            task,
            split: split.into(),
            stored: false,
            label: "label".into(),
            labels,
            predictions,
            baseline: None,
            class_predictions: Vec::new(),
            class_baseline: Vec::new(),
            notes: Vec::new(),
            weights: None,
            groups: None,
            columns: Vec::new(),
            finder: None,
            kept: Vec::new(),
        }
    }

    /// The split or the file in words, for messages.
    pub(crate) fn rows_of(&self) -> String {
        if self.stored { format!("`{}`", self.split) } else { format!("split `{}`", self.split) }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The rows in the order of the candidate's scores, and of the baseline's.
    pub(crate) fn ordered(&self) -> (Ordered, Option<Ordered>) {
        let weights = self.weights.as_ref().map(|(_, weights)| weights.as_slice());
        let ordered = |scores: &[f64], columns: &[Vec<f64>]| {
            let rows = self.in_order(scores, columns, &self.labels, weights);
            match &self.groups {
                Some(groups) => rows.with_groups(groups),
                None => rows,
            }
        };
        let baseline = self.baseline.as_ref().map(|scores| ordered(scores, &self.class_baseline));
        (ordered(&self.predictions, &self.class_predictions), baseline)
    }

    fn in_order(&self, scores: &[f64], columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> Ordered {
        match &self.task {
            Task::MultiClass { .. } if !columns.is_empty() => Ordered::for_classes(columns, labels, weights),
            Task::MultiLabel { .. } if !columns.is_empty() => Ordered::for_labels(columns, labels, weights),
            Task::Quantiles { .. } if !columns.is_empty() => {
                Ordered::for_quantiles(columns, &self.task.levels(), labels, weights)
            }
            _ => Ordered::new(scores, labels, weights),
        }
    }

    /// Some rows, without their weights, in the order of the candidate's scores.
    pub(crate) fn ordered_part(&self, rows: &[usize]) -> Ordered {
        let gather = |column: &Vec<f64>| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
        let labels = gather(&self.labels);
        let columns: Vec<Vec<f64>> = self.class_predictions.iter().map(gather).collect();
        self.in_order(&gather(&self.predictions), &columns, &labels, None)
    }

    /// Checks for everything that makes an evaluation impossible or meaningless: no rows, a label that the task does
    /// not allow or that never varies, a prediction that is not a number, unusable weights.
    pub fn check(&self) -> Result<(), EvaluateError> {
        let rows_of = || self.rows_of();
        let Some(&first) = self.labels.first() else { return Err(EvaluateError::EmptySplit { rows_of: rows_of() }) };
        let limit = u64::from(u32::MAX) - 1;
        if self.rows() as u64 > limit {
            return Err(EvaluateError::TooManyRows { rows_of: rows_of(), rows: self.rows() as u64, limit });
        }
        let names = self.task.names().len() as i32;
        let allowed = |label: f64| match self.task {
            Task::Binary => label == 0.0 || label == 1.0,
            Task::MultiClass { .. } => label >= 0.0 && label < f64::from(names) && label.fract() == 0.0,
            Task::MultiLabel { .. } => label >= 0.0 && label < 2_f64.powi(names) && label.fract() == 0.0,
            Task::Ranking { .. } => (0.0..=RELEVANCE_MAX).contains(&label),
            _ => label.is_finite(),
        };
        if let Some(row) = self.labels.iter().position(|label| !allowed(*label)) {
            return Err(EvaluateError::LabelValue {
                label: self.label.clone(),
                value: self.labels[row],
                row: row as u64 + 1,
                rows_of: rows_of(),
                task: self.task.name(),
            });
        }
        if self.labels.iter().all(|label| *label == first) {
            return Err(EvaluateError::LabelConstant { label: self.label.clone(), value: first, rows_of: rows_of() });
        }
        self.check_predictions("model", &self.predictions)?;
        self.class_predictions.iter().try_for_each(|column| self.check_predictions("model", column))?;
        if let Some(baseline) = &self.baseline {
            self.check_predictions("baseline", baseline)?;
            self.class_baseline.iter().try_for_each(|column| self.check_predictions("baseline", column))?;
        }
        if let Some((column, weights)) = &self.weights {
            let wrong = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0));
            if let Some(row) = wrong {
                let problem = format!("is {} in row {} of {}", weights[row], row as u64 + 1, self.rows_of());
                return Err(EvaluateError::Weight { column: column.clone(), problem });
            }
            if weights.iter().all(|weight| *weight == 0.0) {
                let problem = format!("is 0 in every row of {}", self.rows_of());
                return Err(EvaluateError::Weight { column: column.clone(), problem });
            }
        }
        Ok(())
    }

    fn check_predictions(&self, model: &str, predictions: &[f64]) -> Result<(), EvaluateError> {
        let allowed = |value: f64| match self.task {
            Task::Binary | Task::MultiClass { .. } | Task::MultiLabel { .. } => (0.0..=1.0).contains(&value),
            _ => value.is_finite(),
        };
        match predictions.iter().position(|value| !allowed(*value)) {
            None => Ok(()),
            Some(row) => Err(EvaluateError::PredictionValue {
                model: model.into(),
                value: predictions[row],
                row: row as u64 + 1,
                rows_of: self.rows_of(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_core::{Code, Coded};

    use super::*;

    fn code(table: &EvaluationTable) -> Option<Code> {
        table.check().err().map(|error| error.code())
    }

    #[test]
    fn what_cannot_be_judged_is_refused_by_name() {
        let binary = |labels: &[f64], scores: &[f64]| {
            EvaluationTable::new(Task::Binary, "eval", labels.to_vec(), scores.to_vec())
        };
        assert_eq!(code(&binary(&[0.0, 1.0], &[0.2, 0.7])), None);
        assert_eq!(code(&binary(&[], &[])), Some(Code::EmptySplit));
        assert_eq!(code(&binary(&[1.0, 1.0], &[0.2, 0.7])), Some(Code::LabelConstant));
        assert_eq!(code(&binary(&[0.0, 2.0], &[0.2, 0.7])), Some(Code::LabelValues));
        assert_eq!(code(&binary(&[0.0, 1.0], &[0.2, f64::NAN])), Some(Code::PredictionValues));
        assert_eq!(code(&binary(&[0.0, 1.0], &[0.2, 1.5])), Some(Code::PredictionValues));
        let weights = |weights: &[f64]| EvaluationTable {
            weights: Some(("w".into(), weights.to_vec())),
            ..binary(&[0.0, 1.0], &[0.2, 0.7])
        };
        assert_eq!(code(&weights(&[1.0, 0.0])), None);
        assert_eq!(code(&weights(&[1.0, -1.0])), Some(Code::Params));
        assert_eq!(code(&weights(&[0.0, 0.0])), Some(Code::Params));
        assert_eq!(
            binary(&[0.0, 2.0], &[0.2, 0.7]).check().unwrap_err().to_string(),
            "label `label` is 2 in row 2 of split `eval`, which a binary model cannot predict"
        );
    }
}
