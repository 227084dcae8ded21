//! What is known of a dataset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FeatureType;

/// Statistics of every split of an Examples artifact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SplitStatistics {
    /// Format of the file.
    pub version: u32,
    /// Statistics by split name.
    pub splits: BTreeMap<String, DatasetStatistics>,
}

/// Statistics of one dataset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatasetStatistics {
    /// What the dataset is called: a split or a file.
    pub name: String,
    /// Number of rows. Exact.
    pub num_examples: u64,
    /// A feature each, in the order of the columns.
    pub features: Vec<FeatureStatistics>,
}

impl DatasetStatistics {
    /// The statistics of the feature `name`.
    pub fn feature(&self, name: &str) -> Option<&FeatureStatistics> {
        self.features.iter().find(|feature| feature.name == name)
    }
}

/// Statistics of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatistics {
    /// The column's name.
    pub name: String,
    /// Type of the values.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// Counts that every type has.
    pub common: CommonStatistics,
    /// For numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<NumericStatistics>,
    /// For text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string: Option<StringStatistics>,
}

/// Counts that every type has. All exact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CommonStatistics {
    /// Examples with a value.
    pub num_non_missing: u64,
    /// Examples without.
    pub num_missing: u64,
    /// Fewest values in an example that has the feature.
    pub min_num_values: u64,
    /// Most values in an example.
    pub max_num_values: u64,
    /// Mean number of values in the examples that have the feature.
    pub avg_num_values: f64,
    /// Values altogether.
    pub tot_num_values: u64,
}

/// For numbers. NaN and infinities are counted apart and enter neither moments nor histograms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NumericStatistics {
    /// Mean of the finite values.
    pub mean: f64,
    /// Standard deviation, divided by n.
    pub std_dev: f64,
    /// Values equal to zero.
    pub num_zeros: u64,
    /// Values that are not a number.
    pub num_nan: u64,
    /// Infinite values.
    pub num_inf: u64,
    /// Smallest finite value.
    pub min: f64,
    /// Median, within the rank error of the sketch.
    pub median: f64,
    /// Largest finite value.
    pub max: f64,
    /// Buckets of equal width.
    pub histogram: Histogram,
    /// Buckets of equal share.
    pub quantiles: Histogram,
}

/// Buckets that follow on each other; each holds `low <= x < high`, the last one also its high end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// From low to high.
    pub buckets: Vec<Bucket>,
}

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Low end, inclusive.
    pub low: f64,
    /// High end.
    pub high: f64,
    /// Values inside.
    pub count: f64,
}

/// For text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StringStatistics {
    /// Distinct values.
    pub unique: u64,
    /// `unique` is an estimate of a sketch rather than a count.
    #[serde(default)]
    pub unique_is_estimate: bool,
    /// Mean length in characters.
    pub avg_length: f64,
    /// Shortest value in characters.
    pub min_length: u64,
    /// Longest value in characters.
    pub max_length: u64,
    /// The most frequent values, by count descending, ties in reverse lexicographic order.
    pub top_values: Vec<ValueFrequency>,
    /// Frequency by rank.
    pub rank_histogram: Vec<RankBucket>,
    /// Values that are not UTF-8.
    #[serde(default)]
    pub invalid_utf8_count: u64,
}

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueFrequency {
    /// The value.
    pub value: String,
    /// How often it occurs.
    pub frequency: u64,
}

/// Values of neighbouring ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankBucket {
    /// First rank, from 0.
    pub low_rank: u64,
    /// Last rank.
    pub high_rank: u64,
    /// The value, where the bucket holds one.
    pub label: String,
    /// How often the values occur together.
    pub count: f64,
}
