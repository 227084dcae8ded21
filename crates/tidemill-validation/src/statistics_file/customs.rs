//! Custom statistics of TFDV: ours under names of our own, and those of others, which are kept.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_core::{
    CustomStatistic, CustomValue, FeatureStatistics, FeatureType, Histogram, ImageStatistics, RankBucket,
    ValueFrequency,
};

use super::from_proto::histogram as read_histogram;
use super::to_proto::{histogram as message, labelled};
use pb::custom_statistic::Val;
use pb::histogram::HistogramType;
use tidemill_proto::metadata as pb;

/// What ours are called, so that statistics come back as they were.
const OURS: &str = "tidemill.";
pub(super) const TYPE: &str = "tidemill.type";
pub(super) const FINE: &str = "tidemill.fine";
pub(super) const RANK_ERROR: &str = "tidemill.rank_error";
pub(super) const NEGATIVE: &str = "tidemill.num_negative";
pub(super) const INFINITE: &str = "tidemill.num_inf";
pub(super) const DISTINCT: &str = "tidemill.distinct";
pub(super) const MIN_LENGTH: &str = "tidemill.min_length";
pub(super) const MAX_LENGTH: &str = "tidemill.max_length";
pub(super) const UNIQUE_IS_ESTIMATE: &str = "tidemill.unique_is_estimate";
pub(super) const FREQUENCY_ERROR: &str = "tidemill.frequency_error";
pub(super) const NUM_EMPTY: &str = "tidemill.num_empty";
pub(super) const NUM_NULL_VALUES: &str = "tidemill.num_null_values";
/// Of several members: JSON, as in our own files.
pub(super) const TIME: &str = "tidemill.time";
pub(super) const LANGUAGE: &str = "tidemill.language";
pub(super) const BYTES: &str = "tidemill.bytes";
pub(super) const WEIGHTED: &str = "tidemill.weighted";
/// As TFDV's generator of image statistics names them. They follow from ours where ours are there.
const IMAGE_FORMATS: &str = "image_format_histogram";
const IMAGE_WIDTH: &str = "image_max_width";
const IMAGE_HEIGHT: &str = "image_max_height";

/// The custom statistics of a feature: what the messages have no field for, then those of others as they were read.
pub(super) fn written(feature: &FeatureStatistics) -> Vec<pb::CustomStatistic> {
    let mut out = Vec::new();
    let mut add = |name: &str, val: Val| out.push(pb::CustomStatistic { name: name.to_owned(), val: Some(val) });
    if feature.feature_type == FeatureType::Bool {
        add(TYPE, Val::Str(feature.feature_type.name().to_owned()));
    }
    if let Some(valency) = &feature.valency {
        add(NUM_EMPTY, Val::Num(valency.num_empty as f64));
        if valency.num_null_values > 0 {
            add(NUM_NULL_VALUES, Val::Num(valency.num_null_values as f64));
        }
    }
    if let Some(numbers) = &feature.numeric {
        let fine = Histogram { buckets: numbers.fine.buckets().collect() };
        add(FINE, Val::Histogram(message(&fine, HistogramType::Quantiles, FINE)));
        add(RANK_ERROR, Val::Num(numbers.rank_error));
        add(NEGATIVE, Val::Num(numbers.num_negative as f64));
        add(INFINITE, Val::Num(numbers.num_inf as f64));
        if let Some(distinct) = numbers.distinct {
            add(DISTINCT, Val::Num(distinct as f64));
        }
    }
    if let Some(text) = &feature.string {
        add(MIN_LENGTH, Val::Num(text.min_length as f64));
        add(MAX_LENGTH, Val::Num(text.max_length as f64));
        if text.unique_is_estimate {
            add(UNIQUE_IS_ESTIMATE, Val::Num(1.0));
            add(FREQUENCY_ERROR, Val::Num(text.frequency_error as f64));
        }
    }
    let members = [
        (TIME, feature.time.as_ref().map(text_of)),
        (LANGUAGE, feature.language.as_ref().map(text_of)),
        (BYTES, feature.bytes.as_ref().map(text_of)),
        (WEIGHTED, feature.weighted.as_ref().map(text_of)),
    ];
    for (name, text) in members {
        if let Some(text) = text {
            add(name, Val::Str(text));
        }
    }
    if let Some(images) = feature.bytes.as_ref().and_then(|bytes| bytes.images.as_ref()) {
        let formats = images.formats.iter().map(|format| (format.value.clone(), format.frequency as f64));
        add(IMAGE_FORMATS, Val::RankHistogram(labelled(formats)));
        add(IMAGE_WIDTH, Val::Num(images.width.max));
        add(IMAGE_HEIGHT, Val::Num(images.height.max));
    }
    for custom in &feature.custom {
        add(&custom.name, value(&custom.value));
    }
    out
}

fn text_of<T: Serialize>(members: &T) -> String {
    serde_json::to_string(members).unwrap_or_default()
}

fn value(value: &CustomValue) -> Val {
    match value {
        CustomValue::Number(number) => Val::Num(*number),
        CustomValue::Text(text) => Val::Str(text.clone()),
        CustomValue::Histogram(histogram) => Val::Histogram(message(histogram, HistogramType::Standard, "")),
        CustomValue::Ranks(ranks) => {
            let bucket = |rank: &RankBucket| pb::rank_histogram::Bucket {
                low_rank: rank.low_rank,
                high_rank: rank.high_rank,
                label: rank.label.clone(),
                sample_count: rank.count,
            };
            Val::RankHistogram(pb::RankHistogram { buckets: ranks.iter().map(bucket).collect(), name: String::new() })
        }
        CustomValue::Message { type_url, hex } => {
            let digits = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
            let bytes = digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
            Val::Any(prost_types::Any { type_url: type_url.clone(), value: bytes })
        }
    }
}

/// The custom statistics of a feature, by name.
#[derive(Clone, Copy)]
pub(super) struct Customs<'a>(pub &'a [pb::CustomStatistic]);

impl<'a> Customs<'a> {
    fn find(self, name: &str) -> Option<&'a Val> {
        self.0.iter().find(|statistic| statistic.name == name)?.val.as_ref()
    }

    pub fn number(self, name: &str) -> Option<f64> {
        match self.find(name)? {
            Val::Num(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    pub fn text(self, name: &str) -> Option<&'a str> {
        match self.find(name)? {
            Val::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn histogram(self, name: &str) -> Option<Histogram> {
        match self.find(name)? {
            Val::Histogram(found) => Some(read_histogram(found)),
            _ => None,
        }
    }

    /// What was written of several members.
    pub fn members<T: DeserializeOwned>(self, name: &str) -> Option<T> {
        serde_json::from_str(self.text(name)?).ok()
    }

    /// Pictures by their formats, as TFDV's generator counts them; `UNKNOWN` is what is no picture.
    pub fn image_formats(self) -> Option<ImageStatistics> {
        let Val::RankHistogram(found) = self.find(IMAGE_FORMATS)? else { return None };
        let known = found.buckets.iter().filter(|bucket| bucket.label != "UNKNOWN" && bucket.sample_count > 0.0);
        let format = |bucket: &pb::rank_histogram::Bucket| ValueFrequency {
            value: bucket.label.clone(),
            frequency: bucket.sample_count as u64,
        };
        let formats: Vec<ValueFrequency> = known.map(format).collect();
        let num_images = formats.iter().map(|format| format.frequency).sum();
        Some(ImageStatistics { num_images, formats, ..ImageStatistics::default() })
    }

    /// Those of others.
    pub fn kept(self) -> Vec<CustomStatistic> {
        let images = self.find(BYTES).is_some();
        let follows = |name: &str| images && [IMAGE_FORMATS, IMAGE_WIDTH, IMAGE_HEIGHT].contains(&name);
        let others = self.0.iter().filter(|custom| !custom.name.starts_with(OURS) && !follows(&custom.name));
        others
            .filter_map(|custom| Some(CustomStatistic { name: custom.name.clone(), value: read(custom.val.as_ref()?) }))
            .collect()
    }
}

fn read(value: &Val) -> CustomValue {
    match value {
        Val::Num(number) if number.is_finite() => CustomValue::Number(*number),
        Val::Num(number) => CustomValue::Text(number.to_string()),
        Val::Str(text) => CustomValue::Text(text.clone()),
        Val::Histogram(found) => CustomValue::Histogram(read_histogram(found)),
        Val::RankHistogram(found) => {
            let bucket = |bucket: &pb::rank_histogram::Bucket| RankBucket {
                low_rank: bucket.low_rank,
                high_rank: bucket.high_rank,
                label: bucket.label.clone(),
                count: if bucket.sample_count.is_finite() { bucket.sample_count } else { 0.0 },
            };
            CustomValue::Ranks(found.buckets.iter().map(bucket).collect())
        }
        Val::Any(any) => {
            let hex = any.value.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            CustomValue::Message { type_url: any.type_url.clone(), hex }
        }
    }
}
