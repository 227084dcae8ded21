//! The rows that trials are judged on: those kept aside, or all rows, each by a model that has not learned from it.

use tidemill_core::{CancelFlag, ComponentError, NoProgress, Task};

use super::score;
use crate::learner::{TrainingData, Watch};
use crate::trainer::{Fold, Prepared, TrainerParams};

/// The rows that trials are judged on.
pub(super) struct JudgedRows {
    /// None where the rows kept aside are judged.
    folds: Option<Vec<Fold>>,
    /// By row of the split its place among the judged rows, and how often it is predicted.
    places: Vec<Option<usize>>,
    repeats: f64,
    labels: Vec<f64>,
    weights: Option<Vec<f64>>,
    /// The metric of a model that knows no feature needs the labels that are learned from.
    learned: Vec<f64>,
}

impl JudgedRows {
    /// The rows that are kept aside.
    pub(super) fn aside(prepared: &Prepared<'_>) -> Self {
        Self {
            folds: None,
            places: Vec::new(),
            repeats: 1.0,
            labels: prepared.judged_labels().to_vec(),
            weights: prepared.judged_weights().map(<[f64]>::to_vec),
            learned: prepared.learned_labels().0.to_vec(),
        }
    }

    /// All rows in `count` folds, `repeats` times; `None` where rows cannot be in folds.
    pub(super) fn folds(
        prepared: &Prepared<'_>,
        params: &TrainerParams,
        count: usize,
        repeats: usize,
    ) -> Result<Option<Self>, ComponentError> {
        let Some(folds) = prepared.folds(params, count, repeats)? else { return Ok(None) };
        let (labels, weights) = prepared.learned_labels();
        let mut places = vec![None; labels.len()];
        folds.iter().flat_map(|fold| &fold.rows).for_each(|row| places[*row] = Some(0));
        let judged: Vec<usize> = (0..labels.len()).filter(|row| places[*row].is_some()).collect();
        judged.iter().enumerate().for_each(|(place, row)| places[*row] = Some(place));
        let of = |values: &[f64]| -> Vec<f64> { judged.iter().map(|row| values[*row]).collect() };
        Ok(Some(Self {
            folds: Some(folds),
            places,
            repeats: repeats as f64,
            labels: of(labels),
            weights: weights.map(of),
            learned: labels.to_vec(),
        }))
    }

    /// How many models a trial fits.
    pub(super) fn parts(&self) -> usize {
        self.folds.as_ref().map_or(1, Vec::len)
    }

    /// The labels of the judged rows.
    pub(super) fn labels(&self) -> &[f64] {
        &self.labels
    }

    /// What they count for.
    pub(super) fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// What a learner is given for a part.
    pub(super) fn data<'b>(
        &'b self,
        prepared: &'b Prepared<'_>,
        part: usize,
        cancel: &'b CancelFlag,
        watch: &'b dyn Watch,
    ) -> TrainingData<'b> {
        match self.folds.as_ref().and_then(|folds| folds.get(part)) {
            Some(fold) => prepared.data_of(fold, &NoProgress, cancel, watch),
            None => prepared.data(&NoProgress, cancel, watch),
        }
    }

    /// Predictions of all judged rows that are not known yet.
    pub(super) fn columns(&self, task: &Task) -> Vec<Vec<f64>> {
        vec![vec![0.0; self.labels.len()]; task.columns()]
    }

    /// Puts the predictions of a part to their rows; those of repeated folds are averaged.
    pub(super) fn place(&self, columns: &mut [Vec<f64>], part: usize, predicted: &[Vec<f64>]) {
        let Some(fold) = self.folds.as_ref().and_then(|folds| folds.get(part)) else {
            columns.iter_mut().zip(predicted).for_each(|(all, part)| all.clone_from(part));
            return;
        };
        for (all, values) in columns.iter_mut().zip(predicted) {
            for (row, value) in fold.rows.iter().zip(values) {
                if let Some(place) = self.places[*row] {
                    all[place] += value / self.repeats;
                }
            }
        }
    }

    /// The metric of a model that knows only how the labels are spread.
    pub(super) fn floor(&self, metric: &str, task: &Task) -> Option<f64> {
        if !score::is_known(task) || self.labels.is_empty() {
            return None;
        }
        let columns = score::without_features(task, &self.learned, self.labels.len());
        score::value(metric, task, &columns, &self.labels, self.weights())
    }
}
