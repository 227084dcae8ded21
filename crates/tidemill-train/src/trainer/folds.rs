//! Cross-validation: every row is judged by a model that has not learned from it.

use std::collections::BTreeSet;

use arrow::buffer::BooleanBuffer;
use tidemill_core::{ComponentError, TaskKind};

use super::asked::AskedTask;
use super::labels::Labels;
use super::params::TrainerParams;
use super::prepared::Prepared;
use super::validation;

/// The rows of one fold, and those learned from beside it.
pub(crate) struct Fold {
    pub(super) learned: BooleanBuffer,
    pub(super) aside: BooleanBuffer,
    pub(super) labels: Labels,
    pub(super) aside_labels: Labels,
    /// The numbers of the rows of the fold among all rows of the split.
    pub(crate) rows: Vec<usize>,
}

impl Prepared<'_> {
    /// The rows in `count` folds, as the splits were made, `repeats` times with other folds. `None` where time decides which rows
    /// are judged on, and where a fold would leave nothing to learn: a class or a group too few.
    pub(crate) fn folds(
        &self,
        params: &TrainerParams,
        count: usize,
        repeats: usize,
    ) -> Result<Option<Vec<Fold>>, ComponentError> {
        let group = params.task.as_ref().and_then(AskedTask::group);
        let is_amount = self.decision.task.kind() == TaskKind::Regression;
        let classes = (!is_amount).then_some(self.labels.values.as_slice());
        let mut folds = Vec::with_capacity(count * repeats);
        for repeat in 0..repeats {
            let seed = self.seed.wrapping_add(repeat as u64);
            let asked = params.validation.as_ref();
            let of_rows = validation::folds(asked, &self.examples, &self.split, classes, group, count, seed)?;
            let Some(of_rows) = of_rows else { return Ok(None) };
            for fold in 0..count {
                let aside: Vec<bool> = of_rows.iter().map(|of_row| *of_row == fold).collect();
                let learned: Vec<bool> = aside.iter().map(|aside| !aside).collect();
                let rows: Vec<usize> = (0..aside.len()).filter(|row| aside[*row]).collect();
                let labels = self.labels.only(&learned, &self.split);
                if rows.is_empty() || !has_all(&labels.values, &self.labels.values, classes.is_some()) {
                    return Ok(None);
                }
                let aside_labels = self.labels.only(&aside, "validation");
                folds.push(Fold { learned: learned.into(), aside: aside.into(), labels, aside_labels, rows });
            }
        }
        Ok(Some(folds))
    }
}

/// Whether something can be learned from labels: they vary, and there are all the classes that there are.
fn has_all(labels: &[f64], all: &[f64], are_classes: bool) -> bool {
    if !are_classes {
        return labels.first().is_some_and(|first| labels.iter().any(|label| label != first));
    }
    let bits = |labels: &[f64]| -> BTreeSet<u64> { labels.iter().map(|label| label.to_bits()).collect() };
    bits(labels) == bits(all)
}
