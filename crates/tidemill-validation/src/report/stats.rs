//! The statistics of one feature as the page's script reads them.

use serde::Serialize;
use tidemill_core::{BytesStatistics, FeatureStatistics, Histogram, StringStatistics, TimeStatistics, shortened};

/// Statistics of other programs shown for a feature.
const CUSTOM_MAX: usize = 20;

/// Buckets as `[low, high, count]`.
pub(super) type Buckets = Vec<(f64, f64, f64)>;

#[derive(Debug, Default, Serialize)]
pub(super) struct StatsData {
    pub count: u64,
    pub missing: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumbersData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<ListData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<BytesData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeData>,
    /// Words in a value on average, and the share of values that look like sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<(f64, f64)>,
    /// Weighted share of missing values, mean and median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted: Option<(f64, Option<(f64, f64)>)>,
    /// What other programs said: names, and what they said in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
pub(super) struct NumbersData {
    pub mean: f64,
    pub std: f64,
    pub zeros: u64,
    pub odd: u64,
    pub min: f64,
    pub median: f64,
    pub max: f64,
    pub error: f64,
    pub even: Buckets,
    pub share: Buckets,
}

#[derive(Debug, Serialize)]
pub(super) struct TextData {
    pub unique: u64,
    pub estimate: bool,
    pub length: f64,
    pub top: Vec<(String, u64)>,
}

/// How many values the examples of a list have, and how many have none.
#[derive(Debug, Serialize)]
pub(super) struct ListData {
    pub values: (u64, f64, u64),
    pub empty: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct BytesData {
    pub unique: u64,
    pub estimate: bool,
    pub length: f64,
    pub lengths: Buckets,
    pub foreign: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<(String, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct TimeData {
    pub first: String,
    pub last: String,
    pub share: f64,
    pub even: Buckets,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<u64>,
}

/// The statistics of a feature in one dataset or slice.
pub(super) fn stats_data(feature: &FeatureStatistics) -> StatsData {
    let numbers = feature.numeric.as_ref().map(|numbers| NumbersData {
        mean: numbers.mean,
        std: numbers.std_dev,
        zeros: numbers.num_zeros,
        odd: numbers.num_nan + numbers.num_inf,
        min: numbers.min,
        median: numbers.median,
        max: numbers.max,
        error: numbers.rank_error,
        even: buckets(&numbers.histogram),
        share: buckets(&numbers.quantiles),
    });
    let text = match (&feature.string, feature.boolean) {
        (Some(text), _) => Some(text_data(text)),
        (None, Some(boolean)) => {
            let mut top = vec![("true".to_owned(), boolean.num_true), ("false".to_owned(), boolean.num_false)];
            top.retain(|value| value.1 > 0);
            top.sort_by_key(|value| std::cmp::Reverse(value.1));
            Some(TextData { unique: top.len() as u64, estimate: false, length: 0.0, top })
        }
        (None, None) => None,
    };
    let common = feature.common;
    let weighted = feature.weighted.as_ref().map(|weighted| {
        let all = weighted.num_missing + weighted.num_non_missing;
        let missing = if all > 0.0 { weighted.num_missing / all } else { 0.0 };
        (missing, weighted.numeric.as_ref().map(|numbers| (numbers.mean, numbers.median)))
    });
    StatsData {
        count: common.num_non_missing,
        missing: common.num_missing,
        numbers,
        text,
        list: feature.valency.as_ref().map(|valency| ListData {
            values: (common.min_num_values, common.avg_num_values, common.max_num_values),
            empty: valency.num_empty,
        }),
        bytes: feature.bytes.as_ref().map(bytes_data),
        time: feature.time.as_ref().map(time_data),
        words: feature.language.as_ref().map(|language| (language.avg_tokens, language.sentence_share)),
        weighted,
        custom: feature
            .custom
            .iter()
            .take(CUSTOM_MAX)
            .map(|custom| (shortened(&custom.name), shortened(&custom.in_words())))
            .collect(),
    }
}

fn buckets(histogram: &Histogram) -> Buckets {
    histogram.buckets.iter().map(|bucket| (bucket.low, bucket.high, bucket.count)).collect()
}

fn text_data(text: &StringStatistics) -> TextData {
    TextData {
        unique: text.unique,
        estimate: text.unique_is_estimate,
        length: text.avg_length,
        top: text.top_values.iter().map(|top| (shortened(&top.value), top.frequency)).collect(),
    }
}

fn bytes_data(bytes: &BytesStatistics) -> BytesData {
    let images = bytes.images.as_ref();
    let side = |low: f64, high: f64| if low == high { format!("{low}") } else { format!("{low} to {high}") };
    BytesData {
        unique: bytes.unique,
        estimate: bytes.unique_is_estimate,
        length: bytes.avg_num_bytes,
        lengths: buckets(&bytes.num_bytes),
        foreign: bytes.invalid_utf8_count,
        formats: images.map_or_else(Vec::new, |images| {
            images.formats.iter().map(|format| (format.value.clone(), format.frequency)).collect()
        }),
        size: images.filter(|images| images.width.max > 0.0).map(|images| {
            format!(
                "{} × {} pixels",
                side(images.width.min, images.width.max),
                side(images.height.min, images.height.max)
            )
        }),
    }
}

fn time_data(time: &TimeStatistics) -> TimeData {
    TimeData {
        first: time.min.clone(),
        last: time.max.clone(),
        share: time.share,
        even: buckets(&time.histogram),
        hours: time.hours.clone(),
    }
}
