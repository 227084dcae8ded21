//! What is known beyond counts of lists, bytes, pictures, points in time and running text.

use serde::{Deserialize, Serialize};

use super::{Histogram, ValueFrequency};

/// For features that hold a list in each example. Exact, but for the quantiles of more than 4,096 different lengths.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ValencyStatistics {
    /// Examples whose list is there and empty; they are not missing.
    pub num_empty: u64,
    /// Values inside lists that are null; they count as values of the list and enter no other statistic.
    #[serde(default)]
    pub num_null_values: u64,
    /// Values in an example, in buckets of equal share.
    pub num_values: Histogram,
}

/// For bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BytesStatistics {
    /// Distinct values.
    pub unique: u64,
    /// `unique` is an estimate of a sketch rather than a count.
    #[serde(default)]
    pub unique_is_estimate: bool,
    /// Mean length in bytes.
    pub avg_num_bytes: f64,
    /// Length of the shortest value.
    pub min_num_bytes: u64,
    /// Length of the longest value.
    pub max_num_bytes: u64,
    /// Lengths in buckets of equal share.
    pub num_bytes: Histogram,
    /// Values that are not UTF-8.
    pub invalid_utf8_count: u64,
    /// Where some values are pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageStatistics>,
}

/// For values that are pictures, from the headers of their files.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageStatistics {
    /// Values that begin as a picture does.
    pub num_images: u64,
    /// Of those, values whose size could not be read: damaged, or of a format known by name only.
    pub num_unreadable: u64,
    /// How often each format occurs, most frequent first.
    pub formats: Vec<ValueFrequency>,
    /// Pixels across.
    pub width: Extent,
    /// Pixels down.
    pub height: Extent,
}

/// A size and how it is spread.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Extent {
    /// Smallest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Largest.
    pub max: f64,
    /// Buckets of equal share.
    pub quantiles: Histogram,
}

/// For text of which at least half are dates or times.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TimeStatistics {
    /// Values that are dates or times.
    pub num_parsed: u64,
    /// Their share of the values.
    pub share: f64,
    /// How they are written, most frequent first: `date`, `date-time`, `date-time with zone`, `month/day/year`.
    pub formats: Vec<ValueFrequency>,
    /// The earliest, as ISO 8601. Moments that state a zone are those of UTC, others are taken as they stand.
    pub min: String,
    /// The latest.
    pub max: String,
    /// Seconds since the beginning of 1970, in buckets of equal width.
    pub histogram: Histogram,
    /// The same in buckets of equal share.
    pub quantiles: Histogram,
    /// Values by hour of the day, of those that have a time. Empty where none has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<u64>,
    /// Values by day of the week, Monday first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<u64>,
}

/// For text of several words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LanguageStatistics {
    /// Fewest words in a value. Words are what white space separates.
    pub min_tokens: u64,
    /// Mean number of words.
    pub avg_tokens: f64,
    /// Most words in a value.
    pub max_tokens: u64,
    /// Mean length of a word in characters.
    pub avg_token_length: f64,
    /// Words in a value, in buckets of equal share.
    pub tokens: Histogram,
    /// Share of the values that look like running text: three words or more, of 2.5 to 8 characters on average.
    pub sentence_share: f64,
    /// The feature looks like running text: at least a hundred values, of which at least 80 % do.
    pub is_text: bool,
}
