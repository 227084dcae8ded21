//! A model of any origin.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::{Field, Schema};
use serde_json::Value;
use tidemill_core::{Signature, TensorView};

use crate::{
    BatchBuilder, Explanation, ImportedModel, Model, ModelError, SampleReport, SampleRow, Task, TensorRuntime,
    ValueCheck,
};

/// A model that can be served: a package of Tidemill, or a file that another program wrote.
#[derive(Debug)]
pub enum LoadedModel {
    /// A package.
    Package(Box<Model>),
    /// A file of another program.
    Imported(ImportedModel),
}

impl LoadedModel {
    /// The signature: inputs and outputs.
    pub fn signature(&self) -> &Signature {
        match self {
            Self::Package(model) => model.signature(),
            Self::Imported(model) => model.signature(),
        }
    }

    /// The meaning of its prediction, if that is a single number: a probability or a value.
    pub fn task(&self) -> Option<&Task> {
        match self {
            Self::Package(model) => Some(&model.manifest().task),
            Self::Imported(model) => model.task(),
        }
    }

    /// Rows of real input with the predictions made at training time; only a package has them.
    pub fn sample_rows(&self) -> &[SampleRow] {
        match self {
            Self::Package(model) => model.sample_rows(),
            Self::Imported(_) => &[],
        }
    }

    /// The model on tensors, with the element types and shapes of its file; `None` for a package and for trees.
    pub fn tensors(&self) -> Option<&Arc<dyn TensorRuntime>> {
        match self {
            Self::Package(_) => None,
            Self::Imported(model) => model.tensors(),
        }
    }

    /// See [`Model::batch_builder`].
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        match self {
            Self::Package(model) => model.batch_builder(rows),
            Self::Imported(model) => model.batch_builder(rows),
        }
    }

    /// See [`Model::batch_from_rows`].
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        match self {
            Self::Package(model) => model.batch_from_rows(rows),
            Self::Imported(model) => model.batch_from_rows(rows),
        }
    }

    /// A counter of values that the steps of the model cannot use, for rows of `schema`; `None` for a file of another
    /// program.
    pub fn value_check(&self, schema: &Schema) -> Result<Option<ValueCheck>, ModelError> {
        match self {
            Self::Package(model) => ValueCheck::new(model.graph().definitions(), schema).map(Some),
            Self::Imported(_) => Ok(None),
        }
    }

    /// Predicts every row: a column for each output of the signature.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        match self {
            Self::Package(model) => model.predict(batch),
            Self::Imported(model) => model.predict(batch),
        }
    }

    /// As [`predict`](Self::predict), with a column for each output tensor: a tensor of several columns becomes a
    /// column of lists.
    pub fn predict_tensors(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let predictions = self.predict(batch)?;
        if self.signature().output_groups.is_empty() {
            return Ok(predictions);
        }
        let rows = predictions.num_rows();
        let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
        for TensorView { name, first, width, .. } in self.signature().output_tensors() {
            let Some(width) = width else {
                fields.push(Field::new(name, predictions.column(first).data_type().clone(), false));
                columns.push(Arc::clone(predictions.column(first)));
                continue;
            };
            let own = &predictions.columns()[first..first + width];
            let parts: Vec<&dyn Array> = own.iter().map(|column| &**column).collect();
            let order: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..width).map(move |at| (at, row))).collect();
            let values = interleave(&parts, &order)?;
            let item = Arc::new(Field::new("item", values.data_type().clone(), false));
            let list = FixedSizeListArray::try_new(item, width as i32, values, None)?;
            fields.push(Field::new(name, list.data_type().clone(), false));
            columns.push(Arc::new(list));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }

    /// See [`Model::explain_with_paths`]. A file of another program has no background to explain against.
    pub fn explain(&self, batch: &RecordBatch, trees: usize) -> Result<Option<Explanation>, ModelError> {
        match self {
            Self::Package(model) => model.explain_with_paths(batch, trees),
            Self::Imported(_) => Ok(None),
        }
    }

    /// Replays the recorded rows of a package; a file of another program has none.
    pub fn replay_sample(&self) -> Result<SampleReport, ModelError> {
        match self {
            Self::Package(model) => model.replay_sample(),
            Self::Imported(_) => Ok(SampleReport { rows: 0 }),
        }
    }
}
