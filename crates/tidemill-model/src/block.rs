//! What a transform graph gives and a learner takes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Rows of features after the transform, a column each: `f64`, `NaN` where a value is missing.
#[derive(Debug, Clone, Default)]
pub struct FeatureBlock {
    /// How many rows every column has.
    pub rows: usize,
    /// One column a feature, in the order of [`TransformGraph::features`](crate::TransformGraph::features).
    pub columns: Vec<Vec<f64>>,
}

impl FeatureBlock {
    /// A block with no rows and no columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `columns` columns of `rows` values, keeping the memory it already has.
    ///
    /// The values are unspecified until written.
    pub fn reset(&mut self, rows: usize, columns: usize) {
        self.rows = rows;
        self.columns.resize_with(columns, Vec::new);
        for column in &mut self.columns {
            column.resize(rows, f64::NAN);
        }
    }
}

/// How a learner may read a feature's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// An amount: order and distance mean something.
    Numeric,
    /// A code from 0 to `cardinality` − 1 that only names something. `cardinality` is at least 1.
    Categorical {
        /// How many codes there are.
        cardinality: u32,
    },
}

/// One feature after the transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// The feature's name in the pipeline file.
    pub name: String,
    /// How its numbers may be read.
    pub kind: FeatureKind,
}

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The probability that the label is true.
    Binary,
    /// The label's value.
    Regression,
}

impl Task {
    /// The name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Regression => "regression",
        }
    }

    /// The name of the model's output: `probability` or `prediction`.
    pub const fn output_name(self) -> &'static str {
        match self {
            Self::Binary => "probability",
            Self::Regression => "prediction",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
