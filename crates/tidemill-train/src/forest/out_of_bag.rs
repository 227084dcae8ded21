//! What the trees that have not seen a row say of it: an estimate of the loss without rows kept aside.

use serde_json::{Map, Value};
use tidemill_core::Task;

use super::grow::ForestTree;
use super::rows::ForestRows;
use crate::learner::metrics_of;

/// Sums of predictions of trees, each for the rows it was not grown on.
#[derive(Debug)]
pub(super) struct OutOfBag {
    /// By number of a leaf, then by row.
    sums: Vec<Vec<f64>>,
    trees: Vec<u32>,
}

impl OutOfBag {
    pub(super) fn new(data: &ForestRows) -> Self {
        Self { sums: vec![vec![0.0; data.rows]; data.labels.sums()], trees: vec![0; data.rows] }
    }

    /// Adds what `tree` says of the rows that do not count in it.
    pub(super) fn add(&mut self, tree: &ForestTree, data: &ForestRows, counts: &[f64]) {
        let is_weighted = |row: usize| data.weights.as_ref().is_none_or(|weights| weights[row] > 0.0);
        for (row, _) in counts.iter().enumerate().filter(|(row, count)| **count == 0.0 && is_weighted(*row)) {
            self.sums.iter_mut().zip(tree.leaf(data, row)).for_each(|(sums, value)| sums[row] += value);
            self.trees[row] += 1;
        }
    }

    /// The metrics over the rows that some tree has not seen, if they are more than half of all.
    pub(super) fn metrics(
        &self,
        task: &Task,
        labels: &[f64],
        weights: Option<&[f64]>,
        centre: f64,
    ) -> Option<Map<String, Value>> {
        let rows: Vec<usize> = (0..labels.len()).filter(|row| self.trees[*row] > 0).collect();
        if rows.len() * 2 < labels.len() {
            return None;
        }
        let mean = |sums: &Vec<f64>| rows.iter().map(|row| centre + sums[*row] / f64::from(self.trees[*row])).collect();
        let columns: Vec<Vec<f64>> = self.sums.iter().map(mean).collect();
        let labels: Vec<f64> = rows.iter().map(|row| labels[*row]).collect();
        let weights: Option<Vec<f64>> = weights.map(|weights| rows.iter().map(|row| weights[*row]).collect());
        // A few trees are often certain and wrong: a probability of 0 counts as half of the smallest share that they can tell.
        let floor = |at: usize| 0.5 / f64::from(self.trees[rows[at]] + 1);
        Some(metrics_of(task, &columns, &labels, weights.as_deref(), floor))
    }
}
