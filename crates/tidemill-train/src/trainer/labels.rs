//! Labels of a split: collected batch by batch, then checked as a whole.

use arrow::array::RecordBatch;
use tidemill_model::{BoundLabel, ModelError, Task};

use super::error::TrainError;

/// Derivatives are kept in 32 bits, whose largest number is about 3.4e38.
const LABEL_MAX: f64 = 1e30;

/// The labels of one split.
#[derive(Debug)]
pub(super) struct Labels {
    label: String,
    split: String,
    pub(super) values: Vec<f64>,
    missing: u64,
    first_missing: Option<u64>,
}

impl Labels {
    pub(super) fn new(label: &str, split: &str, rows: usize) -> Self {
        Self {
            label: label.to_owned(),
            split: split.to_owned(),
            values: Vec::with_capacity(rows),
            missing: 0,
            first_missing: None,
        }
    }

    /// Takes the labels of the next rows.
    pub(super) fn push(&mut self, bound: &BoundLabel, batch: &RecordBatch) -> Result<(), ModelError> {
        for value in bound.optional_values(batch)? {
            if value.is_none() {
                self.first_missing.get_or_insert(self.values.len() as u64);
                self.missing += 1;
            }
            self.values.push(value.unwrap_or(f64::NAN));
        }
        Ok(())
    }

    /// Refuses a split without rows, missing and infinite labels, and a label that never varies.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let (label, split) = (self.label.clone(), self.split.clone());
        if let Some(first_row) = self.first_missing {
            let rows = self.values.len() as u64;
            return Err(TrainError::LabelMissing { label, split, count: self.missing, rows, first_row });
        }
        self.require(f64::is_finite, "a label must be a finite number")?;
        match self.values.first() {
            None => Err(TrainError::SplitEmpty { split }),
            Some(&value) if self.values.iter().all(|other| *other == value) => {
                Err(TrainError::LabelConstant { label, split, value })
            }
            Some(_) => Ok(()),
        }
    }

    /// Refuses labels that do not suit the task.
    pub(super) fn check_task(&self, task: Task) -> Result<(), TrainError> {
        match task {
            Task::Binary => self.require(is_binary, "a binary label must be 0 or 1"),
            Task::Regression => {
                self.require(|value| value.abs() <= LABEL_MAX, "a regression label must lie within ±1e30")
            }
        }
    }

    /// Whether every label is 0 or 1.
    pub(super) fn are_binary(&self) -> bool {
        self.values.iter().copied().all(is_binary)
    }

    pub(super) fn mean(&self) -> f64 {
        let rows = self.values.len() as f64;
        self.values.iter().map(|value| value / rows).sum()
    }

    fn require(&self, fine: impl Fn(f64) -> bool, rule: &'static str) -> Result<(), TrainError> {
        match self.values.iter().position(|value| !fine(*value)) {
            None => Ok(()),
            Some(row) => Err(TrainError::LabelValue {
                label: self.label.clone(),
                split: self.split.clone(),
                row: row as u64,
                value: self.values[row],
                rule,
            }),
        }
    }
}

fn is_binary(value: f64) -> bool {
    value == 0.0 || value == 1.0
}
