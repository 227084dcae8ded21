//! What a learner is given.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use tidemill_core::{CancelFlag, ComponentError, Progress, Task};
use tidemill_data::{DataError, Examples};
use tidemill_model::{FeatureBlock, FeatureSpec, LabelSpec, ModelError, SplitRowNumbers, TransformGraph};

use super::Watch;
use crate::command::JobFolder;

/// The rows to learn from and those that decide when to stop.
#[derive(Clone, Copy)]
pub struct TrainingData<'a> {
    /// What is learned. Labels are 0 and 1 for a binary task, numbers of classes for a multi-class one,
    /// [`LabelSet`](tidemill_core::LabelSet)s for several labels.
    pub task: &'a Task,
    /// The features, in the order of the columns of a block.
    pub features: &'a [FeatureSpec],
    /// Whether a block has a column after those of the features: what the score of each row starts from. The model gets it as
    /// its last feature.
    pub has_offset: bool,
    /// The model that training continues, over the same features in the same order.
    pub base_model: Option<&'a tidemill_model::Learner>,
    /// The rows to learn from.
    pub train: SplitRows<'a>,
    /// The rows that decide when to stop and between settings; none where nothing needs deciding.
    pub validation: Option<SplitRows<'a>>,
    /// The same seed and data give the same model.
    pub seed: u64,
    /// The folder of the pipeline file.
    pub project_dir: &'a Path,
    /// Where checkpoints and outputs of programs are kept between attempts, if they are.
    pub job: Option<&'a JobFolder>,
    /// Where a training keeps what the next attempt goes on from, if this one is killed.
    pub work: Option<&'a Path>,
    /// Where to say how far it is.
    pub progress: &'a dyn Progress,
    /// Set when the training should end.
    pub cancel: &'a CancelFlag,
    /// Who hears the metric on the validation rows after each round.
    pub watch: &'a dyn Watch,
}

/// Rows of a split: labels in memory, features read as often as a learner needs them.
#[derive(Clone, Copy)]
pub struct SplitRows<'a> {
    pub(crate) split: &'a str,
    pub(crate) labels: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) groups: Option<&'a [u32]>,
    /// For each row of the split whether it is among these, where not all are.
    pub(crate) chosen: Option<&'a BooleanBuffer>,
    pub(crate) examples: &'a Examples,
    pub(crate) graph: &'a TransformGraph,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a CancelFlag,
    /// Rows of the split that the graph was fitted on see what was fitted without their fold; others what serving sees.
    pub(crate) is_fitted_on: bool,
}

impl<'a> SplitRows<'a> {
    /// The label of every row: finite numbers.
    pub fn labels(&self) -> &[f64] {
        self.labels
    }

    /// What every row counts for: finite numbers from 0 on, not all of them 0. All count 1 where there are none.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights
    }

    /// The number of every row's group, for a ranking: rows of equal numbers are of one query.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The rows as they are in the examples, without the columns that the label is about.
    pub(crate) fn raw_batches(
        &self,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, DataError>> + Send + 'a, ComponentError> {
        let targets = self.graph.label().map(LabelSpec::targets).transpose()?.unwrap_or_default();
        let schema = self.examples.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let columns: Vec<&str> = names.filter(|name| !targets.iter().any(|target| target == name)).collect();
        let batches = self.examples.batches(self.split, Some(&columns))?;
        let (chosen, mut first) = (self.chosen, 0);
        Ok(batches.map(move |batch| {
            let batch = batch?;
            let rows = first..first + batch.num_rows();
            first = rows.end;
            let Some(chosen) = chosen else { return Ok(batch) };
            let chosen = BooleanArray::new(chosen.slice(rows.start, rows.len()), None);
            Ok(filter_record_batch(&batch, &chosen)?)
        }))
    }

    /// Runs the rows through the transform graph, block by block, in their order. Labels are not among the columns that
    /// are read.
    pub fn each_block(&self, mut each: impl FnMut(&FeatureBlock)) -> Result<(), ComponentError> {
        let columns: BTreeSet<&str> = self.graph.inputs().iter().map(|input| input.name.as_str()).collect();
        let columns: Vec<&str> = columns.into_iter().collect();
        let batches = self.examples.batches(self.split, Some(&columns))?;
        let bound = self.graph.bind(&batches.schema())?;
        let mut block = FeatureBlock::new();
        let mut numbers: Vec<u64> = Vec::new();
        let mut first_row = 0;
        for batch in batches {
            self.cancel.check()?;
            let mut batch = batch?;
            let first = first_row as u64;
            let mut rows = SplitRowNumbers::From(first);
            first_row += batch.num_rows();
            if let Some(chosen) = self.chosen {
                let chosen = chosen.slice(first as usize, batch.num_rows());
                numbers.clear();
                numbers.extend(chosen.set_indices().map(|row| first + row as u64));
                rows = SplitRowNumbers::Listed(&numbers);
                batch = filter_record_batch(&batch, &BooleanArray::new(chosen, None)).map_err(ModelError::from)?;
            }
            if batch.num_rows() == 0 {
                continue;
            }
            if self.is_fitted_on {
                bound.apply_training(&batch, rows, &mut block)?;
            } else {
                bound.apply(&batch, &mut block)?;
            }
            each(&block);
            self.progress.advance(batch.num_rows() as u64);
        }
        Ok(())
    }
}
