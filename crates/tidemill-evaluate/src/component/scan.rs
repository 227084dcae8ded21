//! One scan of a split: labels, predictions of both models, slice columns.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;
use rayon::prelude::*;
use tidemill_core::{CancelFlag, Progress};
use tidemill_data::Examples;
use tidemill_model::{BoundLabel, Columns, LabelSpec, Model, ModelError, Task};

use crate::metrics::middle;
use crate::table::column_index;
use crate::{EvaluateError, EvaluationTable, TableBuilder, TableColumns};

/// The rows to read and the models to predict with.
pub(super) struct Scan<'a> {
    pub examples: &'a Examples,
    pub split: &'a str,
    pub model: &'a Model,
    pub baseline: Option<&'a Model>,
    pub columns: TableColumns,
}

impl Scan<'_> {
    /// Predicts every row of the split, a few batches at a time on the current rayon pool, and keeps what the
    /// evaluation needs.
    pub fn run(&self, progress: &dyn Progress, cancel: &CancelFlag) -> Result<EvaluationTable, EvaluateError> {
        let label = self.model.graph().label().ok_or(EvaluateError::NoLabel)?;
        let schema = self.examples.schema();
        for name in &self.columns.slices {
            column_index(&schema, name, "slices")?;
        }
        if let Some(name) = &self.columns.group {
            column_index(&schema, name, "group")?;
        }
        let needed = self.needed_columns(label)?;
        let known: Vec<&str> = needed.iter().map(String::as_str).filter(|name| schema.index_of(name).is_ok()).collect();
        let mut batches = self.examples.batches(self.split, Some(&known))?;
        let schema = batches.schema();
        let bound = self.model.graph().bind_label(&schema)?;
        let task = self.model.task().clone();
        let classes: HashMap<&str, usize> =
            task.classes().iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut builder = TableBuilder::new(task.clone(), self.split, &label.name, &schema, &self.columns)?;
        let mut unlabelled = Unlabelled::default();
        loop {
            if cancel.is_set() {
                return Err(EvaluateError::Canceled);
            }
            let group: Vec<RecordBatch> =
                batches.by_ref().take(rayon::current_num_threads()).collect::<Result<_, _>>()?;
            if group.is_empty() {
                break;
            }
            let predicted: Vec<Predicted> = group
                .par_iter()
                .map(|batch| self.predict(batch, &bound, &classes))
                .collect::<Result<_, ModelError>>()?;
            for (batch, predicted) in group.iter().zip(&predicted) {
                if let Some((row, class)) = &predicted.unknown {
                    return Err(EvaluateError::UnknownClass {
                        label: label.name.clone(),
                        class: class.clone(),
                        row: unlabelled.rows + *row as u64 + 1,
                        rows_of: format!("split `{}`", self.split),
                        known: task.classes().to_vec(),
                    });
                }
                let labels = unlabelled.labels_of(&predicted.labels);
                let (candidate, baseline) = (&predicted.candidate, predicted.baseline.as_deref());
                if matches!(task, Task::MultiLabel { .. } | Task::Quantiles { .. }) {
                    let shown = middle(&task.levels());
                    builder.push_columns(batch, &labels, candidate, baseline, shown)?;
                } else if classes.is_empty() {
                    builder.push(batch, &labels, &candidate[0], baseline.map(|columns| columns[0].as_slice()))?;
                } else {
                    builder.push_classes(batch, &labels, candidate, baseline)?;
                }
                progress.advance(batch.num_rows() as u64);
            }
        }
        unlabelled.check(label)?;
        Ok(builder.finish())
    }

    fn needed_columns(&self, label: &LabelSpec) -> Result<BTreeSet<String>, EvaluateError> {
        let inputs = [Some(self.model), self.baseline]
            .into_iter()
            .flatten()
            .flat_map(|model| model.graph().inputs().iter().map(|input| input.name.clone()));
        let mut needed: BTreeSet<String> = inputs.collect();
        needed.extend(label.columns()?);
        needed.extend(self.columns.slices.iter().chain(&self.columns.finder).cloned());
        needed.extend(self.columns.weight.clone());
        needed.extend(self.columns.group.clone());
        needed.extend(self.columns.kept.iter().cloned());
        Ok(needed)
    }

    fn predict(
        &self,
        batch: &RecordBatch,
        label: &BoundLabel,
        classes: &HashMap<&str, usize>,
    ) -> Result<Predicted, ModelError> {
        let mut unknown = None;
        let labels = if classes.is_empty() {
            label.optional_values(batch)?
        } else {
            let number = |(row, name): (usize, Option<String>)| {
                let name = name?;
                let number = classes.get(name.as_str()).map(|number| *number as f64);
                if number.is_none() && unknown.is_none() {
                    unknown = Some((row, name));
                }
                number
            };
            label.class_names(batch)?.into_iter().enumerate().map(number).collect()
        };
        Ok(Predicted {
            labels,
            unknown,
            candidate: self.model.predict_columns(batch)?,
            baseline: self.baseline.map(|baseline| baseline.predict_columns(batch)).transpose()?,
        })
    }
}

/// Labels and predictions of a batch, a column for each number of a row.
struct Predicted {
    labels: Vec<Option<f64>>,
    /// The first row with a class that is unknown to the model, and the class.
    unknown: Option<(usize, String)>,
    candidate: Columns,
    baseline: Option<Columns>,
}

/// Rows without a label, counted over the whole split so that one message reports all.
#[derive(Default)]
struct Unlabelled {
    rows: u64,
    missing: u64,
    first: u64,
}

impl Unlabelled {
    fn labels_of(&mut self, labels: &[Option<f64>]) -> Vec<f64> {
        if self.missing == 0
            && let Some(first) = labels.iter().position(Option::is_none)
        {
            self.first = self.rows + first as u64;
        }
        self.rows += labels.len() as u64;
        self.missing += labels.iter().filter(|label| label.is_none()).count() as u64;
        labels.iter().map(|label| label.unwrap_or(f64::NAN)).collect()
    }

    fn check(&self, label: &LabelSpec) -> Result<(), ModelError> {
        if self.missing == 0 {
            return Ok(());
        }
        Err(ModelError::LabelMissing {
            label: label.name.clone(),
            count: self.missing,
            rows: self.rows,
            first_row: self.first,
        })
    }
}
