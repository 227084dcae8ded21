//! Search of runs: MLflow's filter grammar, and values of runs.
//!
//! A filter is `clause AND clause …`. A clause is `[ENTITY.]KEY COMPARATOR LITERAL`, for example
//! ``metrics.auc > 0.8 and params.`learning rate` = '0.1'``. There is no OR, and there are no parentheses.

mod filter;
mod lexer;
mod order;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use self::filter::time_of;
pub use self::filter::{Clause, Comparator, Entity, Literal, RunSearch};
pub use self::order::OrderBy;
pub(crate) use self::order::order_runs;
use crate::Run;

/// A text is not a filter, or not an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SearchError {
    /// What is wrong, with the clause.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SearchError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The kind of a value of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A number that is measured, perhaps in steps.
    Metric,
    /// A setting.
    Param,
    /// A label.
    Tag,
}

impl ValueKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Metric, Self::Param, Self::Tag];

    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Param => "param",
            Self::Tag => "tag",
        }
    }
}

/// A value of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunValue {
    /// Its kind.
    pub kind: ValueKind,
    /// Its name.
    pub key: String,
    /// The value as text; of a metric also `NaN`, `Infinity` and `-Infinity`.
    pub text: String,
    /// The step of a metric.
    pub step: i64,
    /// When it was logged.
    #[serde(with = "crate::millis")]
    pub at: Timestamp,
}

impl RunValue {
    /// A metric.
    pub fn metric(key: impl Into<String>, value: f64, step: i64) -> Self {
        let text = match value {
            value if value.is_nan() => "NaN".to_owned(),
            value if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            value => value.to_string(),
        };
        Self { kind: ValueKind::Metric, key: key.into(), text, step, at: crate::millis::now() }
    }

    /// A setting or a label.
    pub fn text(kind: ValueKind, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, key: key.into(), text: text.into(), step: 0, at: crate::millis::now() }
    }

    /// The number of a metric; of another value that is a number, that number.
    pub fn number(&self) -> Option<f64> {
        match self.text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        }
    }
}

/// A run with the newest value of each of its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRun {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Its values, by kind and key.
    pub values: Vec<RunValue>,
}

impl FoundRun {
    /// A value of the run.
    pub fn value(&self, kind: ValueKind, key: &str) -> Option<&RunValue> {
        self.values.iter().find(|value| value.kind == kind && value.key == key)
    }
}
