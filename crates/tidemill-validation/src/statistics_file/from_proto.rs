//! Messages of TensorFlow Metadata as our statistics.

use std::collections::HashMap;

use tidemill_core::{
    BooleanStatistics, Bucket, BytesStatistics, CommonStatistics, CustomStatistic, CustomValue, DatasetStatistics,
    DatasetWeight, FeatureStatistics, FeatureType, Histogram, LabelCount, LevelStatistics, LiftStatistics, LiftValue,
    NumericCross, NumericStatistics, StringStatistics, ValencyStatistics, ValueCounts, ValueFrequency, ValueMap,
    ValueWeight, WeightedNumericStatistics, WeightedStatistics, WeightedStringStatistics,
};

use super::ALL_EXAMPLES;
use super::customs::{self, Customs};
use crate::validation::DERIVED_SOURCE;
use pb::feature_name_statistics::{FieldId, Stats, Type};
use pb::histogram::HistogramType;
use tidemill_proto::metadata as pb;

/// The rank error that TFDV's sketches are made for.
const TFDV_EPSILON: f64 = 0.01;

/// The datasets of a list; `stem` names the one that TFDV calls all examples.
///
/// Features of structures and what TFDV keeps of them beyond their values are left out.
pub(super) fn datasets(list: &pb::DatasetFeatureStatisticsList, stem: &str) -> Vec<DatasetStatistics> {
    let one = |dataset: &pb::DatasetFeatureStatistics| DatasetStatistics {
        name: if [ALL_EXAMPLES, ""].contains(&dataset.name.as_str()) { stem.to_owned() } else { dataset.name.clone() },
        num_examples: dataset.num_examples,
        sample_rate: None,
        weight: (dataset.weighted_num_examples > 0.0)
            .then(|| DatasetWeight { column: String::new(), num_examples: dataset.weighted_num_examples }),
        features: dataset.features.iter().filter_map(feature).collect(),
        cross: tidemill_core::CrossStatistics {
            numeric: dataset.cross_features.iter().filter_map(numeric_cross).collect(),
            lift: dataset.cross_features.iter().filter_map(lift).collect(),
            ..Default::default()
        },
        slices: Vec::new(),
    };
    list.datasets.iter().map(one).collect()
}

fn numeric_cross(cross: &pb::CrossFeatureStatistics) -> Option<NumericCross> {
    let pb::cross_feature_statistics::CrossStats::NumCrossStats(stats) = cross.cross_stats.as_ref()? else {
        return None;
    };
    let correlation = f64::from(stats.correlation);
    Some(NumericCross {
        x: cross.path_x.as_ref()?.step.join("."),
        y: cross.path_y.as_ref()?.step.join("."),
        count: cross.count,
        correlation: correlation.is_finite().then_some(correlation),
        covariance: finite(f64::from(stats.covariance)),
    })
}

/// Values and labels read of a lift; TFDV writes a hundred values.
const LIFTS_MAX: usize = 1000;

/// How the values of a feature go with a label. Mutual information is no field of the message: it follows from the values listed.
fn lift(cross: &pb::CrossFeatureStatistics) -> Option<LiftStatistics> {
    use pb::cross_feature_statistics::CrossStats;
    use pb::lift_series::lift_value::{XAndYCountValue, XCountValue, XValue};
    use pb::lift_series::{YCountValue, YValue};
    let CrossStats::CategoricalCrossStats(stats) = cross.cross_stats.as_ref()? else { return None };
    let series = &stats.lift.as_ref()?.lift_series;
    if series.len() > LIFTS_MAX {
        return None;
    }
    let label_values = series.iter().map(|series| LabelCount {
        value: match series.y_value.as_ref() {
            Some(YValue::YInt(number)) => number.to_string(),
            Some(YValue::YString(text)) => text.clone(),
            Some(YValue::YBucket(bucket)) => format!("{} to {}", bucket.low_value, bucket.high_value),
            None => String::new(),
        },
        count: match series.y_count_value {
            Some(YCountValue::YCount(count)) => count,
            Some(YCountValue::WeightedYCount(weight)) => weight as u64,
            None => 0,
        },
    });
    let mut out = LiftStatistics {
        feature: cross.path_x.as_ref()?.step.join("."),
        label: cross.path_y.as_ref()?.step.join("."),
        count: cross.count,
        mutual_information: 0.0,
        label_values: label_values.collect(),
        values: Vec::new(),
    };
    let mut places: HashMap<String, usize> = HashMap::new();
    // Each series lists its own values.
    for (at, value) in
        series.iter().enumerate().flat_map(|(at, series)| series.lift_values.iter().map(move |v| (at, v)))
    {
        let text = match value.x_value.as_ref() {
            Some(XValue::XInt(number)) => number.to_string(),
            Some(XValue::XString(text)) => text.clone(),
            None => continue,
        };
        let count = match value.x_count_value {
            Some(XCountValue::XCount(count)) => count,
            Some(XCountValue::WeightedXCount(weight)) => weight as u64,
            None => 0,
        };
        let both = match value.x_and_y_count_value {
            Some(XAndYCountValue::XAndYCount(count)) => count,
            Some(XAndYCountValue::WeightedXAndYCount(weight)) => weight as u64,
            None => 0,
        };
        let known = match places.get(&text) {
            Some(known) => *known,
            None if out.values.len() == LIFTS_MAX => continue,
            None => {
                let (counts, lift) = (vec![0; series.len()], vec![0.0; series.len()]);
                places.insert(text.clone(), out.values.len());
                out.values.push(LiftValue { value: text, count, counts, lift });
                out.values.len() - 1
            }
        };
        (out.values[known].counts[at], out.values[known].lift[at]) = (both, finite(value.lift));
    }
    let terms = out.values.iter().flat_map(|value| value.counts.iter().zip(&value.lift));
    let terms = terms.filter(|(both, lift)| **both > 0 && **lift > 0.0);
    let bits: f64 = terms.map(|(both, lift)| *both as f64 / out.count.max(1) as f64 * lift.log2()).sum();
    out.mutual_information = finite(bits.max(0.0));
    Some(out)
}

/// What JSON can hold.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}

fn feature(feature: &pb::FeatureNameStatistics) -> Option<FeatureStatistics> {
    let name = match feature.field_id.as_ref()? {
        FieldId::Name(name) => name.clone(),
        FieldId::Path(path) => path.step.join("."),
    };
    let found = Customs(&feature.custom_stats);
    let numbers_of_text = matches!(feature.r#type(), Type::Int | Type::Float);
    let Some(stats) = feature.stats.as_ref() else {
        // Of a sparse feature there is only what somebody's generator said.
        let mut out = FeatureStatistics::new(name, FeatureType::Bytes, CommonStatistics::default());
        out.custom = found.kept();
        return Some(out).filter(|out| !out.custom.is_empty());
    };
    let (common, mut out) = match stats {
        Stats::NumStats(stats) => {
            let common = stats.common_stats.as_ref();
            let mut out = FeatureStatistics::new(name, FeatureType::Float, plain(common, counted_numbers(stats)));
            if matches!(feature.r#type(), Type::Bytes | Type::String) {
                // Only the counts say something of such a feature.
                let bytes = feature.r#type() == Type::Bytes;
                out.feature_type = if bytes { FeatureType::Bytes } else { FeatureType::String };
            } else if found.text(customs::TYPE) == Some(FeatureType::Bool.name()) {
                out.feature_type = FeatureType::Bool;
                let num_true = out.common.tot_num_values.saturating_sub(stats.num_zeros);
                out.boolean = Some(BooleanStatistics { num_true, num_false: stats.num_zeros });
            } else {
                out.feature_type = if feature.r#type() == Type::Int { FeatureType::Int } else { FeatureType::Float };
                out.numeric = Some(numbers(stats, found));
            }
            out.weighted = common.and_then(weighted);
            if let (Some(weighted), Some(numbers)) = (&mut out.weighted, &stats.weighted_numeric_stats) {
                weighted.numeric = Some(WeightedNumericStatistics {
                    mean: finite(numbers.mean),
                    std_dev: finite(numbers.std_dev),
                    median: finite(numbers.median),
                    rank_error: TFDV_EPSILON,
                    histogram: of_type(&numbers.histograms, HistogramType::Standard),
                    quantiles: of_type(&numbers.histograms, HistogramType::Quantiles),
                    num_nan: numbers.histograms.first().map_or(0.0, |histogram| histogram.num_nan as f64),
                    ..WeightedNumericStatistics::default()
                });
            }
            (common, out)
        }
        Stats::StringStats(stats) => {
            let common = stats.common_stats.as_ref();
            let mut out = FeatureStatistics::new(name, FeatureType::String, plain(common, counted_texts(stats)));
            // Whole numbers that stand for categories are counted as text is.
            if numbers_of_text {
                let whole = feature.r#type() == Type::Int;
                out.feature_type = if whole { FeatureType::Int } else { FeatureType::Float };
            }
            out.string = Some(texts(stats, found));
            out.weighted = common.and_then(weighted);
            if let (Some(weighted), Some(text)) = (&mut out.weighted, &stats.weighted_string_stats) {
                let listed = |top: &pb::string_statistics::FreqAndValue| ValueWeight {
                    value: top.value.clone(),
                    weight: finite(top.frequency),
                };
                let top_values = text.top_values.iter().map(listed).collect();
                let ranked = text.rank_histogram.as_ref().map(|ranks| ranks.buckets.as_slice()).unwrap_or_default();
                let single = ranked.iter().all(|bucket| bucket.low_rank == bucket.high_rank);
                // Where each rank has its value, every value is known.
                let values = (single && ranked.len() as u64 == stats.unique).then(|| {
                    let value = |of: &pb::rank_histogram::Bucket| (of.label.clone(), finite(of.sample_count));
                    ValueMap::new(ranked.iter().map(value).collect())
                });
                weighted.string = Some(WeightedStringStatistics { top_values, weight_error: 0.0, values });
            }
            (common, out)
        }
        Stats::BytesStats(stats) => {
            let common = stats.common_stats.as_ref();
            let counted = f64::from(u8::from(stats.max_num_bytes_int > 0 || stats.max_num_bytes > 0.0));
            let kind = if feature.r#type() == Type::String { FeatureType::String } else { FeatureType::Bytes };
            let mut out = FeatureStatistics::new(name, kind, plain(common, counted));
            out.bytes = Some(BytesStatistics {
                unique: stats.unique,
                avg_num_bytes: finite(f64::from(stats.avg_num_bytes)),
                min_num_bytes: stats.min_num_bytes as u64,
                max_num_bytes: u64::try_from(stats.max_num_bytes_int).unwrap_or(0).max(stats.max_num_bytes as u64),
                images: found.image_formats(),
                ..BytesStatistics::default()
            });
            out.weighted = common.and_then(weighted);
            (common, out)
        }
        Stats::StructStats(_) => return None,
    };
    let single = out.common.min_num_values == out.common.max_num_values && out.common.max_num_values <= 1;
    let empty = found.number(customs::NUM_EMPTY);
    if empty.is_some() || !single {
        let lengths = common.and_then(|common| common.num_values_histogram.as_ref());
        out.valency = Some(ValencyStatistics {
            num_empty: empty.unwrap_or(0.0) as u64,
            num_null_values: found.number(customs::NUM_NULL_VALUES).unwrap_or(0.0) as u64,
            num_values: lengths.map(histogram).unwrap_or_default(),
        });
    }
    (out.time, out.language) = (found.members(customs::TIME), found.members(customs::LANGUAGE));
    out.bytes = found.members(customs::BYTES).or(out.bytes);
    out.weighted = found.members(customs::WEIGHTED).or(out.weighted);
    out.custom = found.kept();
    if let Some(source) = &feature.validation_derived_source {
        let value = CustomValue::Text(source.deriver_name.clone());
        out.custom.push(CustomStatistic { name: DERIVED_SOURCE.to_owned(), value });
    }
    let levels = common.map(|common| common.presence_and_valency_stats.as_slice()).unwrap_or_default();
    if levels.len() > 1 {
        let level = |of: &pb::PresenceAndValencyStatistics| LevelStatistics {
            num_non_missing: of.num_non_missing,
            num_missing: of.num_missing,
            min_num_values: of.min_num_values,
            max_num_values: of.max_num_values,
            tot_num_values: of.tot_num_values,
        };
        out.levels = levels.iter().map(level).collect();
    }
    Some(out)
}

/// The counts of a feature of which `counted` values are known otherwise.
///
/// Files that were written by hand or by other generators lack counters. A counter of zero beside values is one that is not there, and
/// would keep the values from being judged; it is filled with the least that the values say.
fn plain(common: Option<&pb::CommonStatistics>, counted: f64) -> CommonStatistics {
    let Some(common) = common else { return CommonStatistics::default() };
    let counted = (counted.ceil() as u64).max(common.tot_num_values);
    let values = counted > 0 || common.max_num_values > 0;
    let num_non_missing = if common.num_non_missing == 0 && values { counted.max(1) } else { common.num_non_missing };
    let stated = num_non_missing as f64 * f64::from(common.avg_num_values);
    let tot_num_values = match common.tot_num_values {
        0 if num_non_missing > 0 => counted.max(stated as u64).max(num_non_missing),
        stated => stated,
    };
    let avg_num_values = if num_non_missing == 0 { 0.0 } else { tot_num_values as f64 / num_non_missing as f64 };
    CommonStatistics {
        num_non_missing,
        num_missing: common.num_missing,
        min_num_values: common.min_num_values,
        max_num_values: common.max_num_values,
        avg_num_values,
        tot_num_values,
    }
}

/// How many values the histograms of numbers hold.
fn counted_numbers(stats: &pb::NumericStatistics) -> f64 {
    let of = |histogram: &pb::Histogram| {
        histogram.buckets.iter().map(|bucket| finite(bucket.sample_count)).sum::<f64>() + histogram.num_nan as f64
    };
    let most = stats.histograms.iter().map(of).fold(0.0, f64::max);
    if most == 0.0 && (stats.min != 0.0 || stats.max != 0.0) { 1.0 } else { most }
}

/// How many texts are listed, at least.
fn counted_texts(stats: &pb::StringStatistics) -> f64 {
    let ranked = stats.rank_histogram.as_ref().map(|ranks| ranks.buckets.as_slice()).unwrap_or_default();
    let listed: f64 = ranked.iter().map(|bucket| finite(bucket.sample_count).max(1.0)).sum();
    let top: f64 = stats.top_values.iter().map(|top| finite(top.frequency).max(0.0)).sum();
    let some = f64::from(u8::from(!stats.top_values.is_empty()));
    listed.max(top).max(some)
}

/// How often a value that is listed occurs: a part of a value is a value all the same, and a count that is not there is one.
fn occurrences(bucket: &pb::rank_histogram::Bucket) -> u64 {
    (finite(bucket.sample_count).ceil() as u64).max(1)
}

fn weighted(common: &pb::CommonStatistics) -> Option<WeightedStatistics> {
    let weighted = common.weighted_common_stats.as_ref()?;
    Some(WeightedStatistics {
        num_non_missing: weighted.num_non_missing,
        num_missing: weighted.num_missing,
        avg_num_values: weighted.avg_num_values,
        tot_num_values: weighted.tot_num_values,
        ..WeightedStatistics::default()
    })
}

fn numbers(stats: &pb::NumericStatistics, found: Customs<'_>) -> NumericStatistics {
    let even = of_type(&stats.histograms, HistogramType::Standard);
    let quantiles = of_type(&stats.histograms, HistogramType::Quantiles);
    let fine = found.histogram(customs::FINE).unwrap_or_else(|| {
        // The best there is: equal shares, or else equal widths.
        if quantiles.buckets.is_empty() { even.clone() } else { quantiles.clone() }
    });
    NumericStatistics {
        mean: finite(stats.mean),
        std_dev: finite(stats.std_dev),
        num_zeros: stats.num_zeros,
        num_negative: found.number(customs::NEGATIVE).unwrap_or(if stats.min < 0.0 { 1.0 } else { 0.0 }) as u64,
        num_nan: stats.histograms.first().map_or(0, |histogram| histogram.num_nan),
        num_inf: found.number(customs::INFINITE).map_or_else(|| infinities(stats), |count| count as u64),
        min: if stats.min.is_finite() { stats.min } else { ends(stats).0 },
        median: finite(stats.median),
        max: if stats.max.is_finite() { stats.max } else { ends(stats).1 },
        distinct: found.number(customs::DISTINCT).map(|distinct| distinct as u64),
        rank_error: found.number(customs::RANK_ERROR).unwrap_or(TFDV_EPSILON),
        histogram: even,
        quantiles,
        fine: (&fine).into(),
    }
}

/// How many values are infinite, at least: extremes and ends of buckets tell.
fn infinities(stats: &pb::NumericStatistics) -> u64 {
    let ends = stats.histograms.iter().flat_map(|histogram| &histogram.buckets);
    let mut ends = ends.flat_map(|bucket| [bucket.low_value, bucket.high_value]);
    u64::from(stats.min.is_infinite() || stats.max.is_infinite() || ends.any(f64::is_infinite))
}

/// The outermost finite ends of the buckets, or of the extremes.
fn ends(stats: &pb::NumericStatistics) -> (f64, f64) {
    let ends = stats.histograms.iter().flat_map(|histogram| &histogram.buckets);
    let ends = ends.flat_map(|bucket| [bucket.low_value, bucket.high_value]).chain([stats.min, stats.max]);
    let finite: Vec<f64> = ends.filter(|end| end.is_finite()).collect();
    let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let most = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if finite.is_empty() { (0.0, 0.0) } else { (least, most) }
}

fn texts(stats: &pb::StringStatistics, found: Customs<'_>) -> StringStatistics {
    let mut out = StringStatistics {
        unique: stats.unique,
        unique_is_estimate: found.number(customs::UNIQUE_IS_ESTIMATE).is_some(),
        avg_length: finite(f64::from(stats.avg_length)),
        min_length: found.number(customs::MIN_LENGTH).unwrap_or(0.0) as u64,
        max_length: found.number(customs::MAX_LENGTH).unwrap_or(0.0) as u64,
        frequency_error: found.number(customs::FREQUENCY_ERROR).unwrap_or(0.0) as u64,
        invalid_utf8_count: stats.invalid_utf8_count,
        ..StringStatistics::default()
    };
    let listed = |top: &pb::string_statistics::FreqAndValue| ValueFrequency {
        value: top.value.clone(),
        frequency: top.frequency as u64,
    };
    out.top_values = stats.top_values.iter().map(listed).collect();
    let ranked_values = stats.rank_histogram.iter().flat_map(|ranks| &ranks.buckets);
    if out.top_values.is_empty() {
        let value =
            |of: &pb::rank_histogram::Bucket| ValueFrequency { value: of.label.clone(), frequency: occurrences(of) };
        out.top_values = ranked_values.filter(|bucket| bucket.low_rank == bucket.high_rank).map(value).collect();
        out.top_values.sort_by_key(|top| std::cmp::Reverse(top.frequency));
    }
    let ranked = stats.rank_histogram.as_ref().map(|ranks| ranks.buckets.as_slice()).unwrap_or_default();
    // Where each rank has its value, every value is known.
    let single = ranked.len() as u64 == stats.unique && ranked.iter().all(|bucket| bucket.low_rank == bucket.high_rank);
    if single && stats.unique > 0 && !out.unique_is_estimate {
        let counts: Vec<(String, u64)> =
            ranked.iter().map(|bucket| (bucket.label.clone(), occurrences(bucket))).collect();
        out.num_singletons = counts.iter().filter(|value| value.1 == 1).count() as u64;
        out.values = Some(ValueCounts::new(counts));
    }
    out
}

fn of_type(histograms: &[pb::Histogram], kind: HistogramType) -> Histogram {
    histograms.iter().find(|histogram| histogram.r#type() == kind).map(histogram).unwrap_or_default()
}

pub(super) fn histogram(from: &pb::Histogram) -> Histogram {
    let finite = |bucket: &&pb::histogram::Bucket| {
        bucket.low_value.is_finite() && bucket.high_value.is_finite() && bucket.sample_count.is_finite()
    };
    let bucket = |of: &pb::histogram::Bucket| Bucket { low: of.low_value, high: of.high_value, count: of.sample_count };
    Histogram { buckets: from.buckets.iter().filter(finite).map(bucket).collect() }
}
