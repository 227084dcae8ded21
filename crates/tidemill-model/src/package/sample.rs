//! `sample.json`: rows of real input with the predictions made at training time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One row of real input with its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRow {
    /// The raw features by name, as a request would send them.
    pub row: Value,
    /// What the model said at training time, to the bit.
    pub prediction: f64,
}

/// What came of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleReport {
    /// Rows that gave the recorded prediction again.
    pub rows: usize,
}
