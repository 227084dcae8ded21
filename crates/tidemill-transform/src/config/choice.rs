//! Which values of a column get a code of their own.

use tidemill_model::Scalar;

/// Which values of a column get a code of their own, and in which order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// At most so many, the first in the order.
    pub top_k: Option<u64>,
    /// Only values that occur at least so often.
    pub frequency_threshold: Option<u64>,
    /// Buckets for all others.
    pub oov_buckets: u32,
    /// Only as many, the first in the order, as hold this share of the sum of all.
    pub coverage: Option<f64>,
    /// A column whose values are summed up in place of counting rows.
    pub weight: Option<String>,
    /// What decides the order.
    pub by: Order,
    /// Values that come first whether they occur or not.
    pub reserved: Vec<Scalar>,
}

/// What decides the order of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// How often a value occurs, or the sum of its weights.
    #[default]
    Frequency,
    /// How much knowing whether a row has the value says about the label.
    MutualInformation,
}

impl Choice {
    /// Whether every value is meant, in no order of importance.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }
}
