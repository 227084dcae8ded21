//! Explains predictions.

use arrow::array::RecordBatch;

use crate::trees::{Contributions, TreePath};
use crate::{FeatureBlock, Model, ModelError};

/// The contribution of each feature to the scores of each row, against the recorded rows of the package.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Names of the features of the transform graph.
    pub features: Vec<String>,
    /// Names of the numbers that are predicted, where there are several: classes, labels or levels.
    pub outputs: Vec<String>,
    /// By row: an entry for each number that is predicted, in score units: log-odds for a probability of one, the score that a
    /// softmax takes for a class, the value itself for a value.
    pub rows: Vec<Vec<Contributions>>,
    /// By row, then by number that is predicted: the way of the row through the first trees. Empty where none was asked for.
    pub paths: Vec<Vec<Vec<TreePath>>>,
}

impl Model {
    /// Explains every row. Returns `None` if the learner has no explanations, or the package records no rows. The
    /// background is the recorded rows, so the same package always gives the same explanation. Columns are found as in
    /// [`predict`](Self::predict).
    pub fn explain(&self, batch: &RecordBatch) -> Result<Option<Explanation>, ModelError> {
        self.explain_with_paths(batch, 0)
    }

    /// As [`explain`](Self::explain), with the way of each row through the first `trees` trees of each number. A learner
    /// without trees has none.
    pub fn explain_with_paths(&self, batch: &RecordBatch, trees: usize) -> Result<Option<Explanation>, ModelError> {
        let mut background = Vec::new();
        for sample in self.sample_rows() {
            // A recorded row may lack values that a request must have.
            if let Ok(sample) = self.batch_from_rows(std::slice::from_ref(&sample.row)) {
                background.append(&mut self.features_of(&sample)?);
            }
        }
        if background.is_empty() {
            return Ok(None);
        }
        let features = self.graph().features().iter().map(|feature| feature.name.clone()).collect();
        let rows = self.features_of(batch)?;
        let sums = self.learner().tree_sums();
        let paths_of = |row: &Vec<f64>| sums.iter().map(|sum| sum.paths(row).take(trees).collect()).collect();
        let paths = if trees > 0 { rows.iter().map(paths_of).collect() } else { Vec::new() };
        let explained = rows.iter().map(|row| self.learner().contributions(row, &background));
        let outputs = self.task().names().to_vec();
        let explained = explained.collect::<Option<Vec<_>>>();
        Ok(explained.map(|rows| Explanation { features, outputs, rows, paths }))
    }

    /// The features of each row.
    fn features_of(&self, batch: &RecordBatch) -> Result<Vec<Vec<f64>>, ModelError> {
        let mut block = FeatureBlock::new();
        self.graph().bind(batch.schema_ref())?.apply(batch, &mut block)?;
        Ok((0..block.rows).map(|row| block.columns.iter().map(|column| column[row]).collect()).collect())
    }
}
