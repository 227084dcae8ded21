//! What is known of a dataset.

mod cross;
mod custom;
mod kinds;
mod sample;
mod slices;
mod weighted;

pub use cross::{CrossStatistics, LabelCount, LiftStatistics, LiftValue, NumericCross};
pub use custom::{CustomStatistic, CustomValue};
pub use kinds::{BytesStatistics, Extent, ImageStatistics, LanguageStatistics, TimeStatistics, ValencyStatistics};
pub use sample::ValueSample;
pub use slices::{SliceFamily, SliceStatistics};
pub use weighted::{
    DatasetWeight, ValueWeight, WeightedBooleanStatistics, WeightedNumericStatistics, WeightedStatistics,
    WeightedStringStatistics,
};

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
    /// Number of rows looked at. Exact.
    pub num_examples: u64,
    /// The chance of each row to be looked at, where not all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<f64>,
    /// Where examples have weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<DatasetWeight>,
    /// A feature each, in the order of the columns.
    pub features: Vec<FeatureStatistics>,
    /// Pairs of features, where they were asked for.
    #[serde(default, skip_serializing_if = "CrossStatistics::is_empty")]
    pub cross: CrossStatistics,
    /// Slices, where they were asked for: a family for each set of columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceFamily>,
}

impl DatasetStatistics {
    /// The sum of the weights, where validation goes by weight: examples have weights, not all of them zero, and every
    /// feature has weighted statistics.
    pub fn by_weight(&self) -> Option<f64> {
        let total = self.weight.as_ref().map(|weight| weight.num_examples).filter(|total| *total > 0.0);
        total.filter(|_| self.features.iter().all(|feature| feature.weighted.is_some()))
    }

    /// The column of the weights, where validation goes by weight.
    pub fn weight_column(&self) -> Option<&str> {
        self.by_weight().and(self.weight.as_ref()).map(|weight| weight.column.as_str())
    }

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
    /// For true and false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boolean: Option<BooleanStatistics>,
    /// Counts by level of nesting, from the outermost, where lists hold lists. Only files of other tools have these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelStatistics>,
    /// For lists, beside the statistics of their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valency: Option<ValencyStatistics>,
    /// For bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesStatistics>,
    /// For text that is dates or times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeStatistics>,
    /// For text of several words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageStatistics>,
    /// Where examples have weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted: Option<WeightedStatistics>,
    /// What another program said beside, kept as it was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomStatistic>,
}

impl FeatureStatistics {
    /// The number that the custom statistic `name` is, or its counts together.
    pub fn custom_amount(&self, name: &str) -> Option<f64> {
        self.custom.iter().find(|custom| custom.name == name)?.amount()
    }

    /// A feature of which only counts are known.
    pub fn new(name: impl Into<String>, feature_type: FeatureType, common: CommonStatistics) -> Self {
        Self {
            name: name.into(),
            feature_type,
            common,
            numeric: None,
            string: None,
            boolean: None,
            levels: Vec::new(),
            valency: None,
            bytes: None,
            time: None,
            language: None,
            weighted: None,
            custom: Vec::new(),
        }
    }
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

impl CommonStatistics {
    /// Examples with and without a value.
    pub fn num_examples(&self) -> u64 {
        self.num_non_missing + self.num_missing
    }

    /// Share of examples without a value, from 0 to 1; 0 where there are no examples.
    pub fn missing_fraction(&self) -> f64 {
        share(self.num_missing, self.num_examples())
    }

    /// Share of examples with a value, from 0 to 1; 0 where there are no examples.
    pub fn present_fraction(&self) -> f64 {
        share(self.num_non_missing, self.num_examples())
    }
}

/// Counts of one level of lists within lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LevelStatistics {
    /// Lists of this level that are there.
    pub num_non_missing: u64,
    /// Lists of this level that are not.
    pub num_missing: u64,
    /// Fewest values in one of them.
    pub min_num_values: u64,
    /// Most values in one of them.
    pub max_num_values: u64,
    /// Values altogether.
    pub tot_num_values: u64,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
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
    /// Finite values below zero.
    #[serde(default)]
    pub num_negative: u64,
    /// Values that are not a number.
    pub num_nan: u64,
    /// Infinite values.
    pub num_inf: u64,
    /// Smallest finite value.
    pub min: f64,
    /// Median. Exact (the mean of the two middle values of an even number) while `rank_error` is 0, otherwise
    /// within that rank error.
    pub median: f64,
    /// Largest finite value.
    pub max: f64,
    /// Distinct finite values, where there are few enough to have counted each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Largest possible error of a rank behind `median` and `quantiles`, as a share of the finite values. A bound
    /// that always holds, not a likelihood; 0 means exact.
    #[serde(default)]
    pub rank_error: f64,
    /// Buckets of equal width. Counts are exact; where the distinct values are too many to count each, inner edges are moved to the
    /// nearest line of a fine grid so that they are.
    pub histogram: Histogram,
    /// Buckets of equal share, counts within `rank_error`. A value so frequent that it would fill a bucket of its
    /// own has one, with `low` equal to `high`; the next bucket then begins just above it.
    pub quantiles: Histogram,
    /// Buckets of a hundredth each, made as `quantiles`: what distances between datasets are computed from.
    #[serde(default, skip_serializing_if = "CompactHistogram::is_empty")]
    pub fine: CompactHistogram,
}

/// Buckets that follow on each other, as two lists: bucket `i` reaches from `edges[i]` to `edges[i + 1]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CompactHistogram {
    /// From low to high, one more than there are buckets.
    pub edges: Vec<f64>,
    /// Values inside each bucket.
    pub counts: Vec<f64>,
}

impl CompactHistogram {
    /// No bucket at all.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The buckets one by one.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let ends = self.edges.windows(2).map(|pair| (pair[0], pair[1]));
        ends.zip(&self.counts).map(|((low, high), count)| Bucket { low, high, count: *count })
    }
}

impl From<&Histogram> for CompactHistogram {
    fn from(histogram: &Histogram) -> Self {
        let first = histogram.buckets.first().map(|bucket| bucket.low);
        Self {
            edges: first.into_iter().chain(histogram.buckets.iter().map(|bucket| bucket.high)).collect(),
            counts: histogram.buckets.iter().map(|bucket| bucket.count).collect(),
        }
    }
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
    /// Values that occur once. 0 where `values` is absent.
    #[serde(default)]
    pub num_singletons: u64,
    /// Mean length in characters.
    pub avg_length: f64,
    /// Shortest value in characters.
    pub min_length: u64,
    /// Longest value in characters.
    pub max_length: u64,
    /// The most frequent values, by count descending, ties in reverse lexicographic order.
    pub top_values: Vec<ValueFrequency>,
    /// By how much a frequency of `top_values` may be too low. 0 means exact.
    #[serde(default)]
    pub frequency_error: u64,
    /// How often each value occurs, in the order of `top_values`, where the distinct values are few enough to have counted each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueCounts>,
    /// A sample of the values with exact counts, where they are too many to count each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<ValueSample>,
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

impl StringStatistics {
    /// Frequency by rank in at most `buckets` buckets of equally many ranks, from the values that were counted.
    pub fn rank_histogram(&self, buckets: usize) -> Vec<RankBucket> {
        let counted: Vec<(&str, u64)> = match &self.values {
            Some(values) => values.iter().collect(),
            None => self.top_values.iter().map(|top| (top.value.as_str(), top.frequency)).collect(),
        };
        let width = counted.len().div_ceil(buckets.max(1)).max(1);
        counted
            .chunks(width)
            .enumerate()
            .map(|(index, chunk)| RankBucket {
                low_rank: (index * width) as u64,
                high_rank: (index * width + chunk.len() - 1) as u64,
                label: chunk.first().map(|first| first.0.to_owned()).unwrap_or_default(),
                count: chunk.iter().map(|value| value.1 as f64).sum(),
            })
            .collect()
    }
}

/// For true and false. Exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BooleanStatistics {
    /// Values that are true.
    pub num_true: u64,
    /// Values that are false.
    pub num_false: u64,
}

/// How often each value occurs.
pub type ValueCounts = ValueMap<u64>;

/// What of each value: an ordered map, written as one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValueMap<T>(Vec<(String, T)>);

impl<T: Copy> ValueMap<T> {
    /// The values in the order given.
    pub fn new(values: Vec<(String, T)>) -> Self {
        Self(values)
    }

    /// Values with what is known of each, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, T)> {
        self.0.iter().map(|(value, of)| (value.as_str(), *of))
    }

    /// Number of distinct values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No value at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize + Copy> Serialize for ValueMap<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ValueMap<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Pairs<T> {
            type Value = ValueMap<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from value to number")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<ValueMap<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(ValueMap(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
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
