//! Statistics in which an example counts as much as its weight.

use serde::{Deserialize, Serialize};

use super::{CompactHistogram, Histogram, ValueMap};

/// Where examples have weights: which column, and what they add up to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatasetWeight {
    /// The column of the weights.
    pub column: String,
    /// Sum of the weights of all examples.
    pub num_examples: f64,
}

/// The weighted twins of a feature's statistics.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightedStatistics {
    /// Weight of the examples with a value.
    pub num_non_missing: f64,
    /// Weight of the examples without.
    pub num_missing: f64,
    /// Weighted mean number of values in the examples that have the feature.
    pub avg_num_values: f64,
    /// Weight of all values: each has that of its example.
    pub tot_num_values: f64,
    /// For numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<WeightedNumericStatistics>,
    /// For text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string: Option<WeightedStringStatistics>,
    /// For true and false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boolean: Option<WeightedBooleanStatistics>,
}

/// For numbers: finite values of a weight above zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightedNumericStatistics {
    /// Weighted mean.
    pub mean: f64,
    /// Weighted deviation: mean square distance from the mean, its root.
    pub std_dev: f64,
    /// Weighted median, within `rank_error`.
    pub median: f64,
    /// Largest possible error of a rank behind `median` and both histograms, as a share of the weight; 0 means exact.
    pub rank_error: f64,
    /// Buckets of equal width.
    pub histogram: Histogram,
    /// Buckets of equal weight.
    pub quantiles: Histogram,
    /// Buckets of a hundredth of the weight each: what distances between datasets are computed from.
    #[serde(default, skip_serializing_if = "CompactHistogram::is_empty")]
    pub fine: CompactHistogram,
    /// Weight of the values that are not a number.
    #[serde(default)]
    pub num_nan: f64,
    /// Weight of the infinite values.
    #[serde(default)]
    pub num_inf: f64,
}

/// For text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightedStringStatistics {
    /// The values of the greatest weight, in falling order, ties in reverse lexicographic order.
    pub top_values: Vec<ValueWeight>,
    /// By how much a weight of `top_values` may be too low. 0 means exact.
    #[serde(default)]
    pub weight_error: f64,
    /// What each value weighs, in the order of `top_values`, where the distinct values are few enough to have weighed each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueMap<f64>>,
}

/// What a value weighs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueWeight {
    /// The value.
    pub value: String,
    /// Weight of the examples that have it.
    pub weight: f64,
}

/// For true and false.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightedBooleanStatistics {
    /// Weight of the values that are true.
    pub num_true: f64,
    /// Weight of the values that are false.
    pub num_false: f64,
}
