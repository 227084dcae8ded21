//! What a learner is given.

use std::collections::BTreeSet;

use tidemill_core::{CancelFlag, ComponentError, Progress, Task};
use tidemill_data::Examples;
use tidemill_model::{FeatureBlock, FeatureSpec, TransformGraph};

/// The rows to learn from and those that decide when to stop.
pub struct TrainingData<'a> {
    /// What is learned. Labels are 0 and 1 for a binary task, numbers of classes for a multi-class one.
    pub task: &'a Task,
    /// The features, in the order of the columns of a block.
    pub features: &'a [FeatureSpec],
    /// The rows to learn from.
    pub train: SplitRows<'a>,
    /// The rows that decide when to stop.
    pub eval: SplitRows<'a>,
    /// The same seed and data give the same model.
    pub seed: u64,
    /// Where to say how far it is.
    pub progress: &'a dyn Progress,
    /// Set when the training should end.
    pub cancel: &'a CancelFlag,
}

/// The rows of a split: labels in memory, features read as often as a learner needs them.
pub struct SplitRows<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [f64],
    pub(crate) examples: &'a Examples,
    pub(crate) graph: &'a TransformGraph,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancelFlag,
    /// Rows of the split learned from see what was fitted without their fold; others what serving sees.
    pub(crate) is_learned_from: bool,
}

impl SplitRows<'_> {
    /// The split's name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// The label of every row: finite numbers.
    pub fn labels(&self) -> &[f64] {
        self.labels
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Runs the split through the transform graph, block by block, in the order of the rows. Labels are not among the
    /// columns that are read.
    pub fn each_block(&self, mut each: impl FnMut(&FeatureBlock)) -> Result<(), ComponentError> {
        let columns: BTreeSet<&str> = self.graph.inputs().iter().map(|input| input.name.as_str()).collect();
        let columns: Vec<&str> = columns.into_iter().collect();
        let batches = self.examples.batches(self.name, Some(&columns))?;
        let bound = self.graph.bind(&batches.schema())?;
        let mut block = FeatureBlock::new();
        let mut first_row = 0;
        for batch in batches {
            self.cancel.check()?;
            let batch = batch?;
            if self.is_learned_from {
                bound.apply_training(&batch, first_row, &mut block)?;
            } else {
                bound.apply(&batch, &mut block)?;
            }
            first_row += batch.num_rows() as u64;
            each(&block);
            self.progress.advance(batch.num_rows() as u64);
        }
        Ok(())
    }
}
