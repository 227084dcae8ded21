//! Reading the examples through the transform graph.
//!
//! The training split is read twice, once to choose the bins and once to fill them, so that no more than a batch of
//! it is in memory as anything but bins and labels.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tidemill_core::{CancelFlag, ComponentError, Progress};
use tidemill_data::Examples;
use tidemill_model::{FeatureBlock, ModelError, TransformGraph};

use super::error::TrainError;
use super::labels::Labels;
use super::sample::SamplePicker;
use crate::gbdt::{BinPlanner, Binned, Binning};

/// The examples as a learner sees them.
pub(super) struct Source<'a> {
    pub(super) examples: &'a Examples,
    pub(super) graph: &'a TransformGraph,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancelFlag,
}

/// What a split is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// To be learned from.
    Train { with_label: bool },
    /// To be judged on.
    Eval,
}

impl Source<'_> {
    /// How many rows a split has; at least one, and no more than can be numbered.
    pub(super) fn rows(&self, split: &str) -> Result<u64, ComponentError> {
        // An unknown split is refused by `batches`, with the names there are.
        self.examples.batches(split, None)?;
        let rows = self.examples.splits().iter().find(|info| info.name == split).map_or(0, |info| info.rows);
        if rows == 0 {
            return Err(TrainError::SplitEmpty { split: split.to_owned() }.into());
        }
        if rows > u64::from(u32::MAX) {
            return Err(TrainError::TooManyRows { split: split.to_owned(), rows }.into());
        }
        Ok(rows)
    }

    /// The first pass over the training split: its labels, and the bins of every feature.
    pub(super) fn plan(&self, split: &str, max_bin: u32, seed: u64) -> Result<(Labels, Binning), ComponentError> {
        let rows = self.rows(split)?;
        let label = self.graph.label().ok_or(ModelError::NoLabel)?;
        let mut labels = Labels::new(&label.name, split, rows as usize);
        let mut planner = BinPlanner::new(self.graph.features(), rows, max_bin, seed);
        let mut bound = None;
        self.each_block(split, Role::Train { with_label: true }, |batch, block| {
            let label = match &mut bound {
                Some(label) => label,
                unbound => unbound.insert(self.graph.bind_label(&batch.schema())?),
            };
            labels.push(label, batch)?;
            planner.observe(block);
            Ok(())
        })?;
        Ok((labels, planner.finish()))
    }

    /// The second pass: the bins of every row.
    pub(super) fn bin(&self, split: &str, binning: &Arc<Binning>) -> Result<Binned, ComponentError> {
        let mut binned = Binned::new(Arc::clone(binning), self.rows(split)? as usize);
        self.each_block(split, Role::Train { with_label: false }, |_, block| {
            binned.push(block);
            Ok(())
        })?;
        Ok(binned)
    }

    /// The only pass over the eval split: labels, bins, and rows of raw input for the package.
    pub(super) fn read_eval(
        &self,
        split: &str,
        binning: &Arc<Binning>,
    ) -> Result<(Labels, Binned, RecordBatch), ComponentError> {
        let rows = self.rows(split)?;
        let label = self.graph.label().ok_or(ModelError::NoLabel)?;
        let mut labels = Labels::new(&label.name, split, rows as usize);
        let mut binned = Binned::new(Arc::clone(binning), rows as usize);
        let mut sample = SamplePicker::new(rows);
        let mut bound = None;
        self.each_block(split, Role::Eval, |batch, block| {
            let label = match &mut bound {
                Some(label) => label,
                unbound => unbound.insert(self.graph.bind_label(&batch.schema())?),
            };
            labels.push(label, batch)?;
            binned.push(block);
            sample.push(batch);
            Ok(())
        })?;
        let sample = sample.finish(self.graph.inputs()).map_err(ModelError::from)?;
        Ok((labels, binned, sample))
    }

    /// Runs a split through the graph, batch by batch. The label's columns are read only on demand.
    ///
    /// A row of the train split sees what was fitted without its fold; one of the eval split what serving sees.
    fn each_block(
        &self,
        split: &str,
        role: Role,
        mut each: impl FnMut(&RecordBatch, &FeatureBlock) -> Result<(), ModelError>,
    ) -> Result<(), ComponentError> {
        let mut columns: BTreeSet<String> = self.graph.inputs().iter().map(|input| input.name.clone()).collect();
        if role != (Role::Train { with_label: false }) {
            columns.extend(self.graph.label().ok_or(ModelError::NoLabel)?.parse()?.columns());
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let batches = self.examples.batches(split, Some(&columns))?;
        let bound = self.graph.bind(&batches.schema())?;
        let mut block = FeatureBlock::new();
        let mut first_row = 0;
        for batch in batches {
            self.cancel.check()?;
            let batch = batch?;
            match role {
                Role::Train { .. } => bound.apply_training(&batch, first_row, &mut block)?,
                Role::Eval => bound.apply(&batch, &mut block)?,
            }
            first_row += batch.num_rows() as u64;
            each(&batch, &block)?;
            self.progress.advance(batch.num_rows() as u64);
        }
        Ok(())
    }
}
