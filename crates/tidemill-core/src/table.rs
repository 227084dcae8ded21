//! What a finished step wants a person to see at the end of a run.

use serde::{Deserialize, Serialize};

/// How a cell should strike the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Look at this.
    Warn,
    /// Wrong.
    Bad,
}

/// A small table: the metrics of an evaluation, the anomalies of a validation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SummaryTable {
    /// What the table shows ("Metrics", "Anomalies").
    pub title: String,
    /// Column heads.
    pub columns: Vec<String>,
    /// Rows, each as wide as `columns`, with how the row should strike the eye.
    pub rows: Vec<(Tone, Vec<String>)>,
}
