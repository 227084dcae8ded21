//! Statistics of two features together.

use serde::{Deserialize, Serialize};

/// Statistics of pairs of features.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CrossStatistics {
    /// Pairs of numeric features, in the order of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numeric: Vec<NumericCross>,
    /// Numeric features that were left out, because only so many are compared with each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numeric_left_out: Vec<String>,
    /// How categorical features go with the label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift: Vec<LiftStatistics>,
    /// Categorical features that were left out, because they have more values than are counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lift_left_out: Vec<String>,
}

impl CrossStatistics {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.numeric.is_empty() && self.lift.is_empty() && self.lift_left_out.is_empty()
    }
}

/// Two numeric features, over the examples that have a finite value of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumericCross {
    /// The first feature.
    pub x: String,
    /// The second feature.
    pub y: String,
    /// Examples that have both.
    pub count: u64,
    /// Pearson's correlation, from -1 to 1; absent where one of them does not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<f64>,
    /// Covariance, divided by n.
    pub covariance: f64,
}

/// How the values of a categorical feature go with those of the label. Exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiftStatistics {
    /// The feature.
    pub feature: String,
    /// The label.
    pub label: String,
    /// Examples that have both.
    pub count: u64,
    /// Mutual information of feature and label in bits: what knowing one tells of the other.
    pub mutual_information: f64,
    /// The values of the label, in their order, with the examples of each.
    pub label_values: Vec<LabelCount>,
    /// The most frequent values of the feature.
    pub values: Vec<LiftValue>,
}

/// One value of the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelCount {
    /// The value, or the range of numbers.
    pub value: String,
    /// Examples that have it, and the feature.
    pub count: u64,
}

/// One value of a feature beside the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiftValue {
    /// The value.
    pub value: String,
    /// Examples that have it, and the label.
    pub count: u64,
    /// Examples that have it, by value of the label.
    pub counts: Vec<u64>,
    /// By value of the label: how many times more frequent the two are together than if neither told of the
    /// other, `P(x, y) / (P(x) P(y))`.
    pub lift: Vec<f64>,
}
