//! A loaded model package.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::Value;
use tidemill_core::{Signature, TensorSpec};

use crate::features::Features;
use crate::input::Strictness;
use crate::package::{Contents, read_package};
use crate::{
    BatchBuilder, Columns, Importer, Learner, Manifest, ModelError, SampleReport, SampleRow, Task, TransformGraph,
    arrow_type, largest_column,
};

/// A model package loaded from a folder, ready to predict. Can be shared between threads.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    sample: Vec<SampleRow>,
    output: SchemaRef,
    predictor: Predictor,
}

/// Graph and learner together: the only way from raw columns to predictions.
#[derive(Debug)]
pub(crate) struct Predictor {
    features: Features,
    learner: Learner,
}

impl Model {
    /// Loads a package. Errors name the file that is missing, altered, of a newer format, or inconsistent with the
    /// others. The recorded rows are not replayed; see [`replay_sample`](Self::replay_sample).
    ///
    /// A package whose learner is a model of another program needs [`load_with`](Self::load_with).
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::open(dir.as_ref(), None)
    }

    /// As [`load`](Self::load); `importer` parses a learner that is a model of another program.
    pub fn load_with(dir: impl AsRef<Path>, importer: &dyn Importer) -> Result<Self, ModelError> {
        Self::open(dir.as_ref(), Some(importer))
    }

    fn open(dir: &Path, importer: Option<&dyn Importer>) -> Result<Self, ModelError> {
        let Contents { manifest, graph, learner, sample } = read_package(dir, importer)?;
        let predictor =
            Predictor::new(graph, learner).map_err(|reason| ModelError::Package { file: dir.to_owned(), reason })?;
        let field = |spec: &TensorSpec| Field::new(&spec.name, arrow_type(spec.datatype), false);
        let output = Arc::new(Schema::new(manifest.signature.outputs.iter().map(field).collect::<Vec<_>>()));
        Ok(Self { manifest, sample, output, predictor })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The signature: inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.manifest.signature
    }

    /// The model's task.
    pub fn task(&self) -> &Task {
        &self.manifest.task
    }

    /// The transform graph.
    pub fn graph(&self) -> &TransformGraph {
        self.predictor.features.graph()
    }

    /// The learner.
    pub fn learner(&self) -> &Learner {
        &self.predictor.learner
    }

    /// Rows of real input with the predictions made at training time.
    pub fn sample_rows(&self) -> &[SampleRow] {
        &self.sample
    }

    /// A builder for a batch of about `rows` rows. Its batches are the fastest input of [`predict`](Self::predict):
    /// nothing is looked up by name.
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.predictor.features.builder(rows, Strictness::Checked)
    }

    /// Converts JSON objects keyed by feature to a batch, strictly: a feature that is unknown, missing or of the wrong
    /// type is an error that names the row, from 0, and the feature.
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.predictor.batch_from_rows(rows)
    }

    /// Predicts every row: a column for each output of the signature.
    ///
    /// Columns of `batch` are found by name, in any order; others are ignored. Values may be missing even if the input
    /// is not optional.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let columns = self.predict_columns(batch)?;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.output.fields().len());
        if let Task::MultiClass { classes } = &self.manifest.task {
            let names = (0..batch.num_rows()).map(|row| classes[largest_column(&columns, row)].as_str());
            arrays.push(Arc::new(StringArray::from_iter_values(names)));
        }
        arrays.extend(columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef));
        Ok(RecordBatch::try_new(Arc::clone(&self.output), arrays)?)
    }

    /// The learner's numbers for every row, [`Task::columns`] columns: a probability, a value, or the probabilities of all
    /// classes.
    pub fn predict_columns(&self, batch: &RecordBatch) -> Result<Columns, ModelError> {
        self.predictor.predict(batch)
    }

    /// As [`predict_columns`](Self::predict_columns), for a model with one number per row; otherwise the first of
    /// several.
    pub fn predict_values(&self, batch: &RecordBatch) -> Result<Vec<f64>, ModelError> {
        Ok(self.predict_columns(batch)?.swap_remove(0))
    }

    /// Replays the recorded rows, which must give the recorded predictions: to the bit, or within the tolerance that the
    /// manifest states.
    pub fn replay_sample(&self) -> Result<SampleReport, ModelError> {
        let mut builder = self.predictor.features.builder(self.sample.len(), Strictness::Free);
        for sample in &self.sample {
            builder.push_row(&sample.row)?;
        }
        let columns = self.predict_columns(&builder.finish(self.sample.len())?)?;
        for (row, sample) in self.sample.iter().enumerate() {
            for (expected, column) in sample.prediction.iter().zip(&columns) {
                let (expected, got) = (*expected, column[row]);
                if !self.manifest.learner.agrees(expected, got) {
                    return Err(ModelError::SampleMismatch { row, expected, got });
                }
            }
        }
        Ok(SampleReport { rows: self.sample.len() })
    }
}

impl Predictor {
    /// Combines graph and learner; the error says why they do not fit each other.
    pub(crate) fn new(graph: TransformGraph, learner: Learner) -> Result<Self, String> {
        let (given, taken) = (graph.features().len(), learner.feature_count());
        if given != taken {
            return Err(format!("the transform graph gives {given} features, and the learner takes {taken}"));
        }
        Ok(Self { features: Features::new(graph).map_err(|error| error.to_string())?, learner })
    }

    pub(crate) fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.features.batch_from_rows(rows)
    }

    pub(crate) fn predict(&self, batch: &RecordBatch) -> Result<Columns, ModelError> {
        self.features.with_block(batch, |block| self.learner.predict(block))?
    }
}
