//! `model.json`: the content of a package.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{Digest, Signature};

use crate::{LabelSpec, Task};

/// The format of a package that this version writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;

pub(super) const MANIFEST_FILE: &str = "model.json";
pub(super) const TRANSFORM_FILE: &str = "transform.json";
pub(super) const SAMPLE_FILE: &str = "sample.json";
pub(super) const CARD_FILE: &str = "CARD.md";

/// The manifest of a model package, stored as `model.json`.
///
/// It has no run id, version or time: the same training gives the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of the package.
    pub format: u32,
    /// The version of Tidemill that wrote it.
    pub tidemill: String,
    /// The model's name.
    pub name: String,
    /// The pipeline that made it.
    pub pipeline: String,
    /// The task.
    pub task: Task,
    /// The label it was trained on.
    pub label: LabelSpec,
    /// Raw features in, prediction out.
    pub signature: Signature,
    /// The learner.
    pub learner: LearnerInfo,
    /// Rows and metrics of the training.
    pub training: Value,
    /// The probability above which a row is called positive, if it was given or chosen in training; otherwise 0.5 is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_threshold: Option<f64>,
    /// Digest of the schema the data was validated against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_digest: Option<Digest>,
    /// Every other file of the package by name.
    pub files: BTreeMap<String, FileEntry>,
}

/// The learner of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnerInfo {
    /// The kind of learner: `trees`.
    pub kind: String,
    /// The library that runs it.
    pub library: String,
    /// That library's version.
    pub library_version: String,
    /// The number of its features after the transform.
    pub features: usize,
    /// The training parameters.
    pub params: Value,
    /// The tolerance of a prediction against the recorded one, relative to it (or to 1 if it is smaller). Absent:
    /// predictions must be identical to the bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

impl LearnerInfo {
    /// Whether a prediction matches the recorded one.
    pub fn agrees(&self, recorded: f64, got: f64) -> bool {
        match self.tolerance {
            None => recorded.to_bits() == got.to_bits(),
            Some(tolerance) => (recorded - got).abs() <= tolerance * recorded.abs().max(1.0),
        }
    }
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Digest of its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}
