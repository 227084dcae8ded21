//! What a monitor knows of a closed window.

use serde::{Deserialize, Serialize};

use super::compare::ColumnResult;
use super::counts::WindowCounts;
use super::finding::Finding;
use crate::log::Micros;
use crate::performance::Measures;

/// A closed window of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowReport {
    /// The version of the model.
    pub version: u64,
    /// Its beginning, in microseconds since 1970.
    pub start: Micros,
    /// Its end.
    pub end: Micros,
    /// It was closed before its time, or the log begins inside it.
    pub partial: bool,
    /// It has enough rows to be judged.
    pub judged: bool,
    /// Maintenance was announced.
    #[serde(default)]
    pub maintenance: bool,
    /// What was counted.
    pub counts: WindowCounts,
    /// The comparison with the reference, and others.
    pub comparisons: Vec<Comparison>,
    /// What is unusual.
    pub findings: Vec<Finding>,
    /// Performance, where it is known or estimated.
    pub performance: Performance,
}

/// The columns of a window beside those of something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What it was compared with: `the reference`.
    pub against: String,
    /// By column.
    pub columns: Vec<ColumnResult>,
}

/// How well the model did in a window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Performance {
    /// Estimated without labels.
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub estimated: Measures,
    /// Measured with labels.
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub realised: Measures,
    /// Rows with a label.
    #[serde(default)]
    pub labelled: u64,
    /// Its labels were waited for long enough, and judged.
    #[serde(default)]
    pub mature: bool,
}

impl WindowReport {
    /// The comparison with the reference.
    pub fn columns(&self) -> &[ColumnResult] {
        self.comparisons.first().map_or(&[], |first| &first.columns)
    }

    /// Share of rows with a value that the reference says nothing about: there, an estimate says nothing either.
    pub fn outside_share(&self) -> f64 {
        self.counts.outside as f64 / self.counts.rows.max(1) as f64
    }
}
