//! A loaded model package.

use std::path::Path;

use arrow::array::RecordBatch;
use serde_json::Value;
use tidemill_core::Signature;

use crate::{BatchBuilder, Learner, Manifest, ModelError, SampleReport, SampleRow, TransformGraph};

/// A model package loaded from a folder, ready to predict. Shared freely between threads.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    graph: TransformGraph,
    learner: Learner,
    sample: Vec<SampleRow>,
}

#[allow(clippy::unused_self, clippy::needless_pass_by_value)]
impl Model {
    /// Loads a package; its files must be there and unaltered.
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        Err(ModelError::Package { file: dir.as_ref().to_owned(), reason: String::new() })
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
        &self.graph
    }

    /// The learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// The recorded rows.
    pub fn sample_rows(&self) -> &[SampleRow] {
        &self.sample
    }

    /// A builder for a batch of about `rows` rows.
    pub fn batch_builder(&self, _rows: usize) -> BatchBuilder {
        unimplemented!()
    }

    /// JSON objects keyed by feature into a batch, strictly.
    pub fn batch_from_rows(&self, _rows: &[Value]) -> Result<RecordBatch, ModelError> {
        unimplemented!()
    }

    /// One `Float64` column named by the signature's output.
    pub fn predict(&self, _batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        unimplemented!()
    }

    /// A prediction a row.
    pub fn predict_values(&self, _batch: &RecordBatch) -> Result<Vec<f64>, ModelError> {
        unimplemented!()
    }

    /// Replays the recorded rows; they must give the recorded predictions to the bit.
    pub fn replay_sample(&self) -> Result<SampleReport, ModelError> {
        unimplemented!()
    }
}
