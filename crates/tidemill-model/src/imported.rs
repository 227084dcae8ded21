//! Models that other programs wrote: the result of parsing them, and how they are executed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::Value;
use tidemill_core::{Signature, TensorSpec};

use crate::{BatchBuilder, ModelError, Task, TensorRuntime, arrow_type};

/// Executes a model that another program wrote.
///
/// This crate has no engine for such models: `tidemill-onnx` implements this for ONNX graphs and for the trees of
/// LightGBM and XGBoost.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Predicts every row of a batch that has the signature's inputs, found by name: a column for each output.
    fn run(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ModelError>;

    /// A builder of batches that [`run`](Self::run) accepts without looking up names.
    fn builder(&self, rows: usize) -> BatchBuilder;
}

/// Reads files that other programs wrote into models that can be executed.
pub trait Importer: fmt::Debug + Send + Sync {
    /// Parses the model in `bytes`, the content of `file`.
    fn parse(&self, bytes: &[u8], file: &Path) -> Result<ImportedModel, ModelError>;
}

/// The parts of a model, as parsed from its file.
#[derive(Debug)]
pub struct ImportedParts {
    /// The format's name: `LightGBM text`.
    pub format: &'static str,
    /// The signature: inputs and outputs.
    pub signature: Signature,
    /// The meaning of its prediction, if that is a single number.
    pub task: Option<Task>,
    /// The engine that executes it.
    pub runtime: Box<dyn Runtime>,
    /// The model on tensors, with the element types and shapes of its file, if the format has them.
    pub tensors: Option<Arc<dyn TensorRuntime>>,
    /// Metadata in the file, as names and values for people.
    pub facts: Vec<(&'static str, String)>,
}

/// A model that another program wrote, ready to predict. Can be shared between threads.
#[derive(Debug)]
pub struct ImportedModel {
    path: PathBuf,
    bytes: u64,
    parts: ImportedParts,
    output: SchemaRef,
}

impl ImportedModel {
    /// The model parsed from the file `path` of `bytes` bytes.
    pub fn new(path: &Path, bytes: u64, parts: ImportedParts) -> Self {
        let field = |spec: &TensorSpec| Field::new(&spec.name, arrow_type(spec.datatype), false);
        let output = Arc::new(Schema::new(parts.signature.outputs.iter().map(field).collect::<Vec<_>>()));
        Self { path: path.to_owned(), bytes, parts, output }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format's name: `LightGBM text`.
    pub fn format(&self) -> &'static str {
        self.parts.format
    }

    /// The file's size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Metadata in the file, as names and values for people.
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.parts.facts
    }

    /// The signature: inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.parts.signature
    }

    /// The meaning of its prediction, if that is a single number.
    pub fn task(&self) -> Option<&Task> {
        self.parts.task.as_ref()
    }

    /// The model on tensors, with the element types and shapes of its file, if the format has them.
    pub fn tensors(&self) -> Option<&Arc<dyn TensorRuntime>> {
        self.parts.tensors.as_ref()
    }

    /// See [`Model::batch_builder`](crate::Model::batch_builder).
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.parts.runtime.builder(rows)
    }

    /// See [`Model::batch_from_rows`](crate::Model::batch_from_rows).
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.batch_builder(rows.len()).with_rows(rows)
    }

    /// Predicts every row: a column for each output of the signature.
    ///
    /// Columns of `batch` are found by name, in any order; others are ignored.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let columns = self.parts.runtime.run(batch)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?)
    }
}
