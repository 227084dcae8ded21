//! Explains predictions.

use arrow::array::RecordBatch;

use crate::trees::Contributions;
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
}

impl Model {
    /// Explains every row. Returns `None` if the learner has no explanations, or the package records no rows. The
    /// background is the recorded rows, so the same package always gives the same explanation. Columns are found as in
    /// [`predict`](Self::predict).
    pub fn explain(&self, batch: &RecordBatch) -> Result<Option<Explanation>, ModelError> {
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
        let explained = rows.iter().map(|row| self.learner().contributions(row, &background));
        let outputs = self.task().names().to_vec();
        Ok(explained.collect::<Option<Vec<_>>>().map(|rows| Explanation { features, outputs, rows }))
    }

    /// The features of each row.
    fn features_of(&self, batch: &RecordBatch) -> Result<Vec<Vec<f64>>, ModelError> {
        let mut block = FeatureBlock::new();
        self.graph().bind(batch.schema_ref())?.apply(batch, &mut block)?;
        Ok((0..block.rows).map(|row| block.columns.iter().map(|column| column[row]).collect()).collect())
    }
}
