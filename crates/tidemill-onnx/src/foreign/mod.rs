//! Models that other programs wrote: LightGBM text and XGBoost JSON on the native tree executor, and ONNX.
//!
//! A file of another program has no manifest, so what a client sees (names, types, shapes) is what the file says.

mod file;
mod lightgbm;
mod link;
mod threshold;
mod trees;
mod xgboost;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::Value;
use tidemill_core::Signature;

use crate::input::{InputShape, Presence, arrow_type};
use crate::onnx::NoEngine;
use crate::{BatchBuilder, ModelError, OnnxOptions, Task};

pub(crate) use file::find_model_file;
use file::{FILE_BYTES_MAX, Format};
pub(crate) use link::{logistic, softmax};

/// What runs a model that another program wrote.
pub(crate) trait Runner: std::fmt::Debug + Send + Sync {
    /// The outputs of every row of a batch that has the signature's inputs, found by name.
    fn run(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ModelError>;

    /// A builder of batches that take the shortest way.
    fn builder(&self, rows: usize) -> BatchBuilder;
}

/// What a reader of a format gives.
pub(crate) struct Parsed {
    pub(crate) signature: Signature,
    pub(crate) task: Option<Task>,
    pub(crate) runner: Box<dyn Runner>,
    /// What a person wants to know of it, in order.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// A model that another program wrote, ready to predict. Shared freely between threads.
#[derive(Debug)]
pub struct ForeignModel {
    path: PathBuf,
    format: &'static str,
    bytes: u64,
    signature: Signature,
    task: Option<Task>,
    output: SchemaRef,
    runner: Box<dyn Runner>,
    facts: Vec<(&'static str, String)>,
}

impl ForeignModel {
    /// Reads the model in `path`, by its extension and its first bytes. Refused with the place and the reason: a file
    /// that is cut short or damaged, and what of its format this version cannot run, by name.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::load_with(path, &OnnxOptions::default())
    }

    /// As [`load`](Self::load), with ONNX models run as `onnx` says.
    pub fn load_with(path: impl AsRef<Path>, onnx: &OnnxOptions) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let bytes = crate::package::read_bounded(path, FILE_BYTES_MAX)?;
        Self::parse_with(&bytes, path, onnx)
    }

    /// As [`load`](Self::load), of bytes at hand; `path` says what they are and is for errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        Self::parse_with(bytes, path, &OnnxOptions::default())
    }

    /// As [`parse`](Self::parse), with ONNX models run as `onnx` says.
    pub fn parse_with(bytes: &[u8], path: &Path, onnx: &OnnxOptions) -> Result<Self, ModelError> {
        let refuse = |reason: String| ModelError::Package { file: path.to_owned(), reason };
        let format = Format::of(path, bytes).map_err(refuse)?;
        let parsed = match format {
            Format::LightGbm => lightgbm::parse(bytes).map_err(refuse)?,
            Format::XgBoost => xgboost::parse(bytes).map_err(refuse)?,
            Format::Onnx => crate::onnx::parse(bytes, path, onnx).map_err(|error| match error {
                NoEngine::Graph(reason) => refuse(reason),
                NoEngine::Library(reason) => ModelError::OnnxRuntime { file: path.to_owned(), reason },
            })?,
        };
        let Parsed { signature, task, runner, facts } = parsed;
        let field = |spec: &tidemill_core::TensorSpec| Field::new(&spec.name, arrow_type(spec.datatype), false);
        let output = Arc::new(Schema::new(signature.outputs.iter().map(field).collect::<Vec<_>>()));
        let (path, bytes) = (path.to_owned(), bytes.len() as u64);
        Ok(Self { path, format: format.name(), bytes, signature, task, output, runner, facts })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The format's name: `LightGBM text`.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// The file's size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the file says of itself, as names and values for a person.
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.facts
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What it predicts, where it is one number.
    pub fn task(&self) -> Option<Task> {
        self.task
    }

    /// See [`Model::batch_builder`](crate::Model::batch_builder).
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.runner.builder(rows)
    }

    /// See [`Model::batch_from_rows`](crate::Model::batch_from_rows).
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.batch_builder(rows.len()).with_rows(rows)
    }

    /// Predicts every row: a column for each output of the signature.
    ///
    /// Columns of `batch` are found by name, in any order; others are ignored.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let columns = self.runner.run(batch)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?)
    }
}

/// A builder over inputs that are all read as they come.
pub(crate) fn plain_builder(shape: &Arc<InputShape>, rows: usize) -> BatchBuilder {
    BatchBuilder::new(shape, rows, Presence::Checked)
}
