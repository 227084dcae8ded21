//! How well a model does: measured where labels are known, estimated where they are not.

mod calibration;
mod classes;
mod estimator;
mod losses;
mod realised;
mod values;

pub use calibration::Calibration;
pub use classes::{ClassSums, expected_auc, expected_measures};
pub use estimator::Estimator;
pub(crate) use losses::ExpectedLosses;
pub use losses::LossModel;
pub use realised::realised;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a model predicts, as far as performance is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A probability; rows of at least this much are called positive.
    Binary {
        /// The least probability that is called positive.
        threshold: f64,
    },
    /// A number.
    Regression,
}

impl Task {
    /// The metrics, the first of which is watched unless the monitor file says otherwise.
    pub const fn metrics(self) -> &'static [&'static str] {
        match self {
            Self::Binary { .. } => &["roc_auc", "accuracy", "precision", "recall", "f1", "brier", "log_loss"],
            Self::Regression => &["mae", "rmse"],
        }
    }

    /// Whether more of a metric is better.
    pub fn is_higher_better(metric: &str) -> bool {
        !matches!(metric, "brier" | "log_loss" | "mae" | "rmse")
    }
}

/// A metric with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its value.
    pub value: f64,
    /// Three standard errors: the true value is this near, if what was assumed holds.
    pub band: f64,
}

/// Metrics by name.
pub type Measures = BTreeMap<String, Measure>;
