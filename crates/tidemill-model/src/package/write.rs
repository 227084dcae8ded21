//! Writing a package.

use std::path::Path;

use arrow::array::RecordBatch;
use serde_json::Value;
use tidemill_core::Digest;

use crate::{LabelSpec, Learner, Manifest, ModelError, Task, TransformGraph};

/// Everything a package is made of.
#[derive(Debug, Clone)]
pub struct PackageParts {
    /// The model's name.
    pub name: String,
    /// The pipeline that made it.
    pub pipeline: String,
    /// The label it was trained on.
    pub label: LabelSpec,
    /// What it predicts.
    pub task: Task,
    /// The fitted transform graph.
    pub graph: TransformGraph,
    /// The fitted learner.
    pub learner: Learner,
    /// The parameters it was trained with.
    pub learner_params: Value,
    /// Rows and metrics of the training: `{ "rows": { "train": 9981 }, "metrics": { "eval": { "auc": 0.95 } } }`.
    pub training: Value,
    /// Digest of the schema the data was validated against.
    pub schema_digest: Option<Digest>,
    /// Rows of real input; the first 32 that a request could send are kept.
    pub sample: RecordBatch,
    /// `CARD.md`; empty: made from the other parts.
    pub card: String,
}

/// Writes `model.json`, `transform.json`, `learner.bin`, `sample.json` and `CARD.md` into the folder `dir`.
///
/// The manifest is written last. The same parts give the same bytes.
pub fn write_package(dir: &Path, _parts: &PackageParts) -> Result<Manifest, ModelError> {
    Err(ModelError::Package { file: dir.to_owned(), reason: String::new() })
}
