//! Measuring whether another column of the label's expression gives the label away.
//!
//! `fare * 0.2 < tips` reads as a label about `fare`, its first column, though `fare` is known and `tips` is not. So a
//! feature's columns that stand in the expression without being its target are measured: how well does the column alone
//! tell a positive row from a negative one?

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::RocArea;
use tidemill_model::LabelSpec;

use crate::config::TransformConfig;
use crate::error::TransformError;

/// From here on a column is worth a warning. `tips` alone has 0.961 for `tips > fare * 0.2` on Chicago's taxi trips.
const WARN: f64 = 0.95;
/// From here on it decides the label, and only an explicit target can mean that.
const REFUSE: f64 = 0.999;
/// Numbers of a column that are kept, of the first rows: 16 bytes each.
const VALUES_MAX: usize = 1 << 20;
/// A text column of more different values names rows; their shares of positives would say nothing.
const TEXTS_MAX: usize = 1024;

/// Numbers of a column, and rows of each text, positive and negative.
pub(crate) type LeakState = (Vec<(f64, bool)>, Option<HashMap<Box<str>, (u64, u64)>>);

/// Columns measured against a label of 0 and 1.
pub(crate) struct LeakMeasure {
    columns: Vec<Measured>,
}

/// How well a column alone predicts the label.
pub(crate) struct Leak {
    feature: String,
    column: String,
    /// Area under the ROC curve, of the better of both directions.
    auc: f64,
}

struct Measured {
    feature: String,
    column: String,
    numbers: Vec<(f64, bool)>,
    /// Rows of each text: positive and negative. `None`: too many texts.
    texts: Option<HashMap<Box<str>, (u64, u64)>>,
}

impl LeakMeasure {
    /// The columns of features that stand in the label's expression, of which `label_columns` are all.
    pub(crate) fn new(config: &TransformConfig, label_columns: &[String]) -> Result<Self, TransformError> {
        let targets = config.label.targets()?;
        let mut columns: Vec<Measured> = Vec::new();
        for feature in &config.features {
            for column in feature.columns() {
                let is_new = columns.iter().all(|measured| measured.column != column);
                if is_new && label_columns.contains(&column) && !targets.contains(&column) {
                    let feature = feature.name.clone();
                    columns.push(Measured { feature, column, numbers: Vec::new(), texts: Some(HashMap::new()) });
                }
            }
        }
        Ok(Self { columns })
    }

    /// Takes in a batch and its labels.
    pub(crate) fn update(&mut self, batch: &RecordBatch, labels: &[Option<f64>]) {
        for measured in &mut self.columns {
            if let Some(column) = batch.column_by_name(&measured.column) {
                measured.update(column, labels);
            }
        }
    }

    /// What was seen, for [`absorb`](Self::absorb).
    pub(crate) fn state(&self) -> Vec<LeakState> {
        self.columns.iter().map(|measured| (measured.numbers.clone(), measured.texts.clone())).collect()
    }

    /// Takes in what another, of the same columns, saw of the rows that follow.
    pub(crate) fn absorb(&mut self, others: Vec<LeakState>) {
        for (measured, (numbers, texts)) in self.columns.iter_mut().zip(others) {
            let room = VALUES_MAX - measured.numbers.len();
            measured.numbers.extend(numbers.into_iter().take(room));
            measured.texts = measured.texts.take().zip(texts).map(|(mut all, texts)| {
                for (text, (yes, no)) in texts {
                    let counts = all.entry(text).or_default();
                    *counts = (counts.0 + yes, counts.1 + no);
                }
                all
            });
            measured.texts.take_if(|texts| texts.len() > TEXTS_MAX);
        }
    }

    /// How well each column predicts.
    pub(crate) fn finish(self) -> Vec<Leak> {
        let leak = |measured: Measured| {
            let auc = auc(measured.groups())?;
            Some(Leak { feature: measured.feature, column: measured.column, auc: auc.max(1.0 - auc) })
        };
        self.columns.into_iter().filter_map(leak).collect()
    }
}

impl Measured {
    fn update(&mut self, column: &ArrayRef, labels: &[Option<f64>]) {
        let positive = |row: usize| labels.get(row).copied().flatten().map(|label| label != 0.0);
        if *column.data_type() == ArrowType::Utf8 {
            let Some(texts) = &mut self.texts else { return };
            for (row, text) in column.as_string::<i32>().iter().enumerate() {
                let (Some(text), Some(positive)) = (text, positive(row)) else { continue };
                let counts = match texts.get_mut(text) {
                    Some(counts) => counts,
                    None => texts.entry(text.into()).or_default(),
                };
                *(if positive { &mut counts.0 } else { &mut counts.1 }) += 1;
            }
            if texts.len() > TEXTS_MAX {
                self.texts = None;
            }
            return;
        }
        for row in 0..column.len() {
            if self.numbers.len() == VALUES_MAX {
                return;
            }
            if let (Some(value), Some(positive)) = (number(column, row), positive(row)) {
                self.numbers.push((value, positive));
            }
        }
    }

    /// Rows of equal rank: where they rank, how many are positive and negative. Text ranks by its share of positives.
    fn groups(&self) -> Vec<(f64, u64, u64)> {
        if self.numbers.is_empty() {
            let texts = self.texts.iter().flatten();
            return texts.map(|(_, (yes, no))| (*yes as f64 / (yes + no) as f64, *yes, *no)).collect();
        }
        self.numbers.iter().map(|(value, positive)| (*value, u64::from(*positive), u64::from(!*positive))).collect()
    }
}

/// A value that is there, as a number.
fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        ArrowType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)).filter(|value| !value.is_nan()),
        ArrowType::Int64 => Some(column.as_primitive::<Int64Type>().value(row) as f64),
        ArrowType::Boolean => Some(f64::from(u8::from(column.as_boolean().value(row)))),
        _ => None,
    }
}

/// The area under the ROC curve of rows grouped by rank; `None` without rows of both kinds.
fn auc(mut groups: Vec<(f64, u64, u64)>) -> Option<f64> {
    groups.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut area = RocArea::default();
    for same in groups.chunk_by(|a, b| a.0 == b.0) {
        let (yes, no) = same.iter().fold((0, 0), |(yes, no), group| (yes + group.1, no + group.2));
        area.push(yes as f64, no as f64);
    }
    area.value()
}

/// Warnings about columns that nearly decide the label.
///
/// One that decides it is an error, unless the label names its target: then somebody has thought about it.
pub(crate) fn judge(label: &LabelSpec, leaks: Vec<Leak>, split: &str) -> Result<Vec<String>, TransformError> {
    let mut warnings = Vec::new();
    for Leak { feature, column, auc } in leaks {
        let name = &label.name;
        if auc >= REFUSE && label.target.is_empty() {
            let (label, split) = (name.clone(), split.to_owned());
            return Err(TransformError::LabelLeak { feature, column, label, auc, split });
        }
        if auc >= WARN {
            warnings.push(format!(
                "feature `{feature}` uses column `{column}` of the label's expression, which alone nearly decides the label `{name}` (AUC {auc:.4}); if `{column}` is not known when serving, remove the feature and add `target: {column}` to the label"
            ));
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_that_of_scikit_learn() {
        let groups = |rows: &[(f64, u8)]| rows.iter().map(|(x, y)| (*x, u64::from(*y), u64::from(1 - y))).collect();
        // scikit-learn 1.9.1: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        assert_eq!(auc(groups(&[(0.1, 0), (0.4, 0), (0.35, 1), (0.8, 1)])), Some(0.75));
        // roc_auc_score([0, 1, 0, 1, 1], [1, 1, 2, 2, 3])
        assert_eq!(auc(groups(&[(1.0, 0), (1.0, 1), (2.0, 0), (2.0, 1), (3.0, 1)])), Some(4.0 / 6.0));
        assert_eq!(auc(groups(&[(1.0, 1), (2.0, 1)])), None);
    }
}
