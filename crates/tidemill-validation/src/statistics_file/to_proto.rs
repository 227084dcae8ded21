//! Our statistics as messages of TensorFlow Metadata.

use tidemill_core::{
    Bucket, CommonStatistics, CrossStatistics, DatasetStatistics, FeatureStatistics, FeatureType, Histogram,
    LevelStatistics, StringStatistics, WeightedStatistics,
};

use super::{ALL_EXAMPLES, customs};
use pb::feature_name_statistics::{FieldId, Stats, Type};
use pb::histogram::HistogramType;
use tidemill_proto::metadata as pb;

/// Buckets of a rank histogram at most, as TFDV has it.
const RANK_BUCKETS: usize = 1000;

/// All datasets as one list. A single one, and of one with slices the whole, has the name that TFDV gives all examples; its slices follow it.
pub(super) fn list(datasets: &[DatasetStatistics]) -> pb::DatasetFeatureStatisticsList {
    let mut out = pb::DatasetFeatureStatisticsList::default();
    for dataset in datasets {
        let name = if datasets.len() == 1 { ALL_EXAMPLES } else { &dataset.name };
        out.datasets.push(one(dataset, name.to_owned()));
        for family in &dataset.slices {
            for slice in &family.slices {
                let terms = family.columns.iter().zip(&slice.values);
                // TFDV's own form: `payment_type_Cash`, several joined by `_`.
                let terms = terms.map(|(column, value)| format!("{column}_{}", value.as_deref().unwrap_or("")));
                let name = terms.collect::<Vec<_>>().join("_");
                let name = if datasets.len() == 1 { name } else { format!("{}, {name}", dataset.name) };
                out.datasets.push(one(&slice.statistics, name));
            }
        }
    }
    out
}

fn one(dataset: &DatasetStatistics, name: String) -> pb::DatasetFeatureStatistics {
    pb::DatasetFeatureStatistics {
        name,
        num_examples: dataset.num_examples,
        weighted_num_examples: dataset.weight.as_ref().map_or(0.0, |weight| weight.num_examples),
        features: dataset.features.iter().map(feature).collect(),
        cross_features: cross(&dataset.cross),
    }
}

fn feature(feature: &FeatureStatistics) -> pb::FeatureNameStatistics {
    let common = Some(common(feature));
    let (kind, stats) = match feature.feature_type {
        FeatureType::Int => (Type::Int, Stats::NumStats(numbers(feature, common))),
        FeatureType::Float => (Type::Float, Stats::NumStats(numbers(feature, common))),
        FeatureType::Bool => (Type::Int, Stats::NumStats(truths(feature, common))),
        FeatureType::String => (Type::String, Stats::StringStats(texts(feature, common))),
        FeatureType::Bytes => (Type::Bytes, Stats::BytesStats(bytes(feature, common))),
    };
    pb::FeatureNameStatistics {
        r#type: kind.into(),
        custom_stats: customs::written(feature),
        validation_derived_source: None,
        field_id: Some(FieldId::Name(feature.name.clone())),
        stats: Some(stats),
    }
}

fn common(feature: &FeatureStatistics) -> pb::CommonStatistics {
    let CommonStatistics {
        num_non_missing,
        num_missing,
        min_num_values,
        max_num_values,
        avg_num_values,
        tot_num_values,
    } = feature.common;
    let lengths = match &feature.valency {
        Some(valency) => valency.num_values.clone(),
        // Every example has one value: ten buckets of a tenth each, as TFDV cuts them.
        None if num_non_missing > 0 => {
            Histogram { buckets: vec![Bucket { low: 1.0, high: 1.0, count: num_non_missing as f64 / 10.0 }; 10] }
        }
        None => Histogram::default(),
    };
    let weighted = feature.weighted.as_ref().map(weighted_common);
    let level = |level: &LevelStatistics| pb::PresenceAndValencyStatistics {
        num_non_missing: level.num_non_missing,
        num_missing: level.num_missing,
        min_num_values: level.min_num_values,
        max_num_values: level.max_num_values,
        tot_num_values: level.tot_num_values,
    };
    let outermost = LevelStatistics { num_non_missing, num_missing, min_num_values, max_num_values, tot_num_values };
    let levels =
        if feature.levels.is_empty() { vec![level(&outermost)] } else { feature.levels.iter().map(level).collect() };
    pb::CommonStatistics {
        num_non_missing,
        num_missing,
        min_num_values,
        max_num_values,
        avg_num_values: avg_num_values as f32,
        tot_num_values,
        num_values_histogram: Some(histogram(&lengths, HistogramType::Quantiles, "")),
        weighted_common_stats: weighted,
        feature_list_length_histogram: None,
        presence_and_valency_stats: levels,
        weighted_presence_and_valency_stats: weighted.into_iter().collect(),
    }
}

fn weighted_common(weighted: &WeightedStatistics) -> pb::WeightedCommonStatistics {
    pb::WeightedCommonStatistics {
        num_non_missing: weighted.num_non_missing,
        num_missing: weighted.num_missing,
        avg_num_values: weighted.avg_num_values,
        tot_num_values: weighted.tot_num_values,
    }
}

fn numbers(feature: &FeatureStatistics, common_stats: Option<pb::CommonStatistics>) -> pb::NumericStatistics {
    let Some(numbers) = &feature.numeric else { return pb::NumericStatistics { common_stats, ..Default::default() } };
    let mut histograms = vec![
        histogram(&numbers.histogram, HistogramType::Standard, ""),
        histogram(&numbers.quantiles, HistogramType::Quantiles, ""),
    ];
    for histogram in &mut histograms {
        histogram.num_nan = numbers.num_nan;
    }
    let weighted = feature.weighted.as_ref().and_then(|weighted| weighted.numeric.as_ref());
    pb::NumericStatistics {
        common_stats,
        mean: numbers.mean,
        std_dev: numbers.std_dev,
        num_zeros: numbers.num_zeros,
        min: numbers.min,
        median: numbers.median,
        max: numbers.max,
        histograms,
        weighted_numeric_stats: weighted.map(|weighted| pb::WeightedNumericStatistics {
            mean: weighted.mean,
            std_dev: weighted.std_dev,
            median: weighted.median,
            histograms: vec![
                histogram(&weighted.histogram, HistogramType::Standard, ""),
                histogram(&weighted.quantiles, HistogramType::Quantiles, ""),
            ],
        }),
    }
}

/// True and false as the numbers 1 and 0, which is how TFDV sees them.
fn truths(feature: &FeatureStatistics, common_stats: Option<pb::CommonStatistics>) -> pb::NumericStatistics {
    let (t, f) = feature.boolean.map_or((0.0, 0.0), |boolean| (boolean.num_true as f64, boolean.num_false as f64));
    if t + f == 0.0 {
        return pb::NumericStatistics { common_stats, ..Default::default() };
    }
    let plain = Truths::of(t, f);
    let weighted = feature.weighted.as_ref().and_then(|weighted| weighted.boolean);
    let weighted = weighted.filter(|counts| counts.num_true + counts.num_false > 0.0);
    pb::NumericStatistics {
        common_stats,
        mean: plain.mean,
        std_dev: plain.std_dev,
        num_zeros: f as u64,
        min: if f > 0.0 { 0.0 } else { 1.0 },
        median: plain.median,
        max: if t > 0.0 { 1.0 } else { 0.0 },
        histograms: plain.histograms,
        weighted_numeric_stats: weighted.map(|counts| {
            let Truths { mean, std_dev, median, histograms } = Truths::of(counts.num_true, counts.num_false);
            pb::WeightedNumericStatistics { mean, std_dev, median, histograms }
        }),
    }
}

/// What is the same of counts and of weights.
struct Truths {
    mean: f64,
    std_dev: f64,
    median: f64,
    histograms: Vec<pb::Histogram>,
}

impl Truths {
    /// Of so many ones and zeros, not both none.
    fn of(t: f64, f: f64) -> Self {
        let mean = t / (t + f);
        let side = |count: f64, value: f64| Bucket { low: value, high: value, count };
        let points = [side(f, 0.0), side(t, 1.0)].into_iter().filter(|bucket| bucket.count > 0.0).collect();
        let even = if f > 0.0 && t > 0.0 {
            let low = |at: usize| at as f64 / 10.0;
            let count = |at: usize| [f, 0.0, t][usize::from(at > 0) + usize::from(at == 9)];
            (0..10).map(|at| Bucket { low: low(at), high: low(at + 1), count: count(at) }).collect()
        } else {
            Vec::clone(&points)
        };
        Self {
            mean,
            std_dev: (mean * (1.0 - mean)).sqrt(),
            median: if t == f { 0.5 } else { f64::from(u8::from(t > f)) },
            histograms: vec![
                histogram(&Histogram { buckets: even }, HistogramType::Standard, ""),
                histogram(&Histogram { buckets: points }, HistogramType::Quantiles, ""),
            ],
        }
    }
}

fn texts(feature: &FeatureStatistics, common_stats: Option<pb::CommonStatistics>) -> pb::StringStatistics {
    let Some(text) = &feature.string else { return pb::StringStatistics { common_stats, ..Default::default() } };
    let top = |value: &String, frequency: f64| pb::string_statistics::FreqAndValue { value: value.clone(), frequency };
    let weighted = feature.weighted.as_ref().and_then(|weighted| weighted.string.as_ref());
    pb::StringStatistics {
        common_stats,
        unique: text.unique,
        top_values: text.top_values.iter().map(|of| top(&of.value, of.frequency as f64)).collect(),
        avg_length: text.avg_length as f32,
        rank_histogram: Some(ranks(text)),
        weighted_string_stats: weighted.map(|weighted| {
            let top_values: Vec<_> = weighted.top_values.iter().map(|of| top(&of.value, of.weight)).collect();
            let ranked = match &weighted.values {
                Some(values) => labelled(values.iter().map(|(value, weight)| (value.to_owned(), weight))),
                None => labelled(top_values.iter().map(|of| (of.value.clone(), of.frequency))),
            };
            pb::WeightedStringStatistics { rank_histogram: Some(ranked), top_values }
        }),
        vocabulary_file: String::new(),
        invalid_utf8_count: text.invalid_utf8_count,
    }
}

fn ranks(text: &StringStatistics) -> pb::RankHistogram {
    let bucket = |of: tidemill_core::RankBucket| pb::rank_histogram::Bucket {
        low_rank: of.low_rank,
        high_rank: of.high_rank,
        // A name for a bucket of several values would say that it holds that one.
        label: if of.low_rank == of.high_rank { of.label } else { String::new() },
        sample_count: of.count,
    };
    let buckets = text.rank_histogram(RANK_BUCKETS).into_iter().map(bucket).collect();
    pb::RankHistogram { buckets, name: String::new() }
}

pub(super) fn labelled(values: impl Iterator<Item = (String, f64)>) -> pb::RankHistogram {
    let bucket = |(rank, (label, sample_count)): (usize, (String, f64))| pb::rank_histogram::Bucket {
        low_rank: rank as u64,
        high_rank: rank as u64,
        label,
        sample_count,
    };
    pb::RankHistogram { buckets: values.enumerate().map(bucket).collect(), name: String::new() }
}

fn bytes(feature: &FeatureStatistics, common_stats: Option<pb::CommonStatistics>) -> pb::BytesStatistics {
    let Some(bytes) = &feature.bytes else { return pb::BytesStatistics { common_stats, ..Default::default() } };
    pb::BytesStatistics {
        common_stats,
        unique: bytes.unique,
        avg_num_bytes: bytes.avg_num_bytes as f32,
        min_num_bytes: bytes.min_num_bytes as f32,
        max_num_bytes: bytes.max_num_bytes as f32,
        max_num_bytes_int: i64::try_from(bytes.max_num_bytes).unwrap_or(i64::MAX),
    }
}

pub(super) fn histogram(histogram: &Histogram, kind: HistogramType, name: &str) -> pb::Histogram {
    let bucket = |of: &Bucket| pb::histogram::Bucket { low_value: of.low, high_value: of.high, sample_count: of.count };
    pb::Histogram {
        buckets: histogram.buckets.iter().map(bucket).collect(),
        r#type: kind.into(),
        name: name.to_owned(),
        ..Default::default()
    }
}

fn cross(cross: &CrossStatistics) -> Vec<pb::CrossFeatureStatistics> {
    use pb::cross_feature_statistics::CrossStats;
    use pb::lift_series::lift_value::{XAndYCountValue, XCountValue, XValue};
    use pb::lift_series::{LiftValue, YCountValue, YValue};
    let path = |name: &str| Some(pb::Path { step: vec![name.to_owned()] });
    let mut out = Vec::new();
    for pair in &cross.numeric {
        out.push(pb::CrossFeatureStatistics {
            path_x: path(&pair.x),
            path_y: path(&pair.y),
            count: pair.count,
            cross_stats: Some(CrossStats::NumCrossStats(pb::NumericCrossStatistics {
                correlation: pair.correlation.unwrap_or(f64::NAN) as f32,
                covariance: pair.covariance as f32,
            })),
        });
    }
    for lift in &cross.lift {
        let series = lift.label_values.iter().enumerate().map(|(at, label)| pb::LiftSeries {
            y_value: Some(YValue::YString(label.value.clone())),
            y_count_value: Some(YCountValue::YCount(label.count)),
            lift_values: lift
                .values
                .iter()
                .map(|value| LiftValue {
                    lift: value.lift.get(at).copied().unwrap_or_default(),
                    x_value: Some(XValue::XString(value.value.clone())),
                    x_count_value: Some(XCountValue::XCount(value.count)),
                    x_and_y_count_value: Some(XAndYCountValue::XAndYCount(value.counts.get(at).copied().unwrap_or(0))),
                })
                .collect(),
        });
        let lifts = pb::LiftStatistics { lift_series: series.collect(), weighted_lift_series: Vec::new() };
        out.push(pb::CrossFeatureStatistics {
            path_x: path(&lift.feature),
            path_y: path(&lift.label),
            count: lift.count,
            cross_stats: Some(CrossStats::CategoricalCrossStats(pb::CategoricalCrossStatistics { lift: Some(lifts) })),
        });
    }
    out
}
