//! A loaded model package.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use serde_json::Value;
use tidemill_core::Signature;

use crate::features::Features;
use crate::input::Presence;
use crate::package::{Contents, read_package};
use crate::{BatchBuilder, Learner, Manifest, ModelError, SampleReport, SampleRow, TransformGraph};

/// A model package loaded from a folder, ready to predict. Shared freely between threads.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    sample: Vec<SampleRow>,
    output: SchemaRef,
    predictor: Predictor,
}

/// Graph and learner together: the one way from raw columns to predictions.
#[derive(Debug)]
pub(crate) struct Predictor {
    features: Features,
    learner: Learner,
}

impl Model {
    /// Loads a package. Refused, with the file named: one that is missing, altered, of a newer format, or that does
    /// not fit the others. The recorded rows are not replayed; see [`replay_sample`](Self::replay_sample).
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        let dir = dir.as_ref();
        let Contents { manifest, graph, learner, sample } = read_package(dir)?;
        let predictor =
            Predictor::new(graph, learner).map_err(|reason| ModelError::Package { file: dir.to_owned(), reason })?;
        let name = manifest.signature.outputs.first().map_or("prediction", |output| output.name.as_str());
        let output = Arc::new(Schema::new(vec![Field::new(name, ArrowType::Float64, false)]));
        Ok(Self { manifest, sample, output, predictor })
    }

    /// What the package holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the model takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.manifest.signature
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

    /// A builder for a batch of about `rows` rows. Its batches take the shortest way through
    /// [`predict`](Self::predict): nothing is looked up by name.
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.predictor.features.builder(rows, Presence::Checked)
    }

    /// JSON objects keyed by feature into a batch, strictly: a feature that is unknown, missing or of the wrong type
    /// is an error that names the row, from 0, and the feature.
    pub fn batch_from_rows(&self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        self.predictor.batch_from_rows(rows)
    }

    /// Predicts every row: one `Float64` column named by the signature's output.
    ///
    /// Columns of `batch` are found by name, in any order; others are ignored. A missing value is one the model
    /// copes with, whether or not the input is optional.
    pub fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let values = Float64Array::from(self.predict_values(batch)?);
        Ok(RecordBatch::try_new(Arc::clone(&self.output), vec![Arc::new(values)])?)
    }

    /// As [`predict`](Self::predict), as numbers.
    pub fn predict_values(&self, batch: &RecordBatch) -> Result<Vec<f64>, ModelError> {
        self.predictor.predict_values(batch)
    }

    /// Replays the recorded rows, which must give the recorded predictions to the bit.
    pub fn replay_sample(&self) -> Result<SampleReport, ModelError> {
        let mut builder = self.predictor.features.builder(self.sample.len(), Presence::Free);
        for sample in &self.sample {
            builder.push_row(&sample.row)?;
        }
        let predictions = self.predict_values(&builder.finish(self.sample.len())?)?;
        for (row, (sample, got)) in self.sample.iter().zip(predictions).enumerate() {
            if sample.prediction.to_bits() != got.to_bits() {
                return Err(ModelError::SampleMismatch { row, expected: sample.prediction, got });
            }
        }
        Ok(SampleReport { rows: self.sample.len() })
    }
}

impl Predictor {
    /// Graph and learner, or why they do not fit each other.
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

    pub(crate) fn predict_values(&self, batch: &RecordBatch) -> Result<Vec<f64>, ModelError> {
        self.features.with_block(batch, |block| {
            let mut out = Vec::new();
            self.learner.predict(block, &mut out);
            out
        })
    }
}
