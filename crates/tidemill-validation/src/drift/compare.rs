//! Two datasets under the comparators of a schema.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tidemill_core::{
    Anomaly, AnomalyType, Bins, CommonStatistics, Comparators, DatasetStatistics, Distance, Feature, FractionBounds,
    Schema, Severity, shortened,
};

use super::distance::{FeatureDistance, both_by_weight, feature_distance};
use crate::counted::{Counted, weight};
use crate::validation::{finish, grouped};

/// Which comparators of a schema apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Data against the data before it: `drift`.
    Drift,
    /// Training data against serving data: `skew`.
    Skew,
    /// Data against another version of itself: `drift`, with `num_examples_version` for the number of examples.
    Version,
}

impl Comparison {
    /// The key of its comparators in the schema.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Drift | Self::Version => "drift",
            Self::Skew => "skew",
        }
    }

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Skew => "skew",
            Self::Version => "version",
        }
    }
}

/// How far two datasets lie apart, and whether that is too far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftReport {
    /// What was asked.
    pub comparison: Comparison,
    /// The dataset that is the measure.
    pub baseline: String,
    /// The dataset that is judged.
    pub current: String,
    /// Both have weights, and an example counts as much as its weight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_weight: bool,
    /// Every feature both have, those beyond a threshold first, then by falling Jensen-Shannon divergence.
    pub features: Vec<FeatureDrift>,
    /// Columns of either side that were not compared, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<NotCompared>,
    /// What is too far apart.
    pub anomalies: Vec<Anomaly>,
}

/// A column that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// The column.
    pub feature: String,
    /// Why: `only in day1.csv`.
    pub reason: String,
}

/// How far one feature lies apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// All distances, whether they have a threshold or not.
    #[serde(flatten)]
    pub distance: FeatureDistance,
    /// Those with a threshold.
    pub measured: Vec<Measured>,
}

impl FeatureDrift {
    /// Whether any distance is above its threshold, and above what chance explains.
    pub fn exceeded(&self) -> bool {
        self.measured.iter().any(|measured| measured.exceeded)
    }

    /// Whether a distance is above its threshold, but the examples are too few to say that this is more than chance.
    pub fn is_undecided(&self) -> bool {
        !self.exceeded() && self.measured.iter().any(Measured::is_undecided)
    }
}

/// A distance held against its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which distance.
    pub distance: Distance,
    /// Its value.
    pub value: f64,
    /// What is still allowed.
    pub threshold: f64,
    /// What chance alone makes of it for so few examples, with 99.9 % confidence; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// `value` is above `threshold` and above `chance`.
    pub exceeded: bool,
}

impl Measured {
    /// Whether the value is above its threshold, but not above what chance explains.
    pub fn is_undecided(&self) -> bool {
        !self.exceeded && self.value > self.threshold
    }
}

/// Whether a side without values may be so by chance: with the share of values of the other side, fewer than seven would be
/// expected, so that none at all has more than one chance in a thousand (`exp(-7)`).
fn emptied_by_chance(a: &CommonStatistics, b: &CommonStatistics) -> bool {
    let examples = |of: &CommonStatistics| (of.num_non_missing + of.num_missing) as f64;
    let expected = |full: &CommonStatistics, empty: &CommonStatistics| {
        full.num_non_missing as f64 / examples(full).max(1.0) * examples(empty)
    };
    match (a.num_non_missing, b.num_non_missing) {
        (0, 0) => false,
        (_, 0) => expected(a, b) < 7.0,
        (0, _) => expected(b, a) < 7.0,
        _ => false,
    }
}

/// Holds `current` against `baseline` under the comparators of `schema`.
///
/// Distances are reported for every feature that both have, with a threshold or without. Anomalies, all ERROR unless the
/// schema's `severity` says otherwise, are those of TensorFlow Data Validation with the same conditions:
///
/// * `COMPARATOR_L_INFTY_HIGH`, `COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH`,
///   `COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH`: a distance is above its threshold. Distances that it does not
///   know give `CUSTOM_VALIDATION`.
///   A distance that so few examples may show by chance is a WARNING: the examples are too few to say. The sizes of both sides
///   count, see `chance.rs` for the formulas.
/// * `COMPARATOR_CONTROL_DATA_MISSING`: a feature with a comparator is in `current` and not in `baseline`.
/// * `COMPARATOR_LOW_NUM_EXAMPLES`, `COMPARATOR_HIGH_NUM_EXAMPLES`: the number of examples by that of `baseline` is
///   outside `num_examples_drift`, of another version outside `num_examples_version`.
/// * `UNEXPECTED_DATA_TYPE`: a feature with a comparator holds numbers on one side and text on the other.
/// * `STATS_NOT_AVAILABLE`, a WARNING: a distance with a threshold cannot be computed because one side has no numbers.
///
/// Where the examples of both have weights, distances and the number of examples go by weight.
///
/// A feature that does not belong to `environment` has no comparators.
pub fn compare(
    baseline: &DatasetStatistics,
    current: &DatasetStatistics,
    schema: &Schema,
    environment: &str,
    comparison: Comparison,
) -> DriftReport {
    let mut report = DriftReport {
        comparison,
        baseline: baseline.name.clone(),
        current: current.name.clone(),
        by_weight: both_by_weight(baseline, current),
        features: Vec::new(),
        not_compared: Vec::new(),
        anomalies: Vec::new(),
    };
    let bounds = schema.dataset.and_then(|dataset| match comparison {
        Comparison::Drift => dataset.num_examples_drift,
        Comparison::Version => dataset.num_examples_version,
        Comparison::Skew => None,
    });
    if let Some(bounds) = bounds {
        report.anomalies.extend(number_of_examples(baseline, current, bounds));
    }
    let before: HashMap<&str, _> = baseline.features.iter().map(|column| (column.name.as_str(), column)).collect();
    for column in &current.features {
        let expected = schema.features.get(&column.name).filter(|feature| feature.belongs_to(environment));
        let comparators = expected.and_then(|feature| comparators(feature, comparison));
        let bins = comparators.map_or_else(Bins::default, |comparators| comparators.bins);
        let Some(control) = before.get(column.name.as_str()) else {
            let reason = format!("only in {}", quoted(&current.name));
            report.not_compared.push(NotCompared { feature: column.name.clone(), reason });
            if comparators.is_some() {
                let text = format!("{} has no such column to compare with", quoted(&baseline.name));
                let kind = AnomalyType::ComparatorControlDataMissing;
                report.anomalies.push(error(&column.name, kind, "nothing to compare with", &text));
            }
            continue;
        };
        let counted = |feature| Counted::new(feature, report.by_weight);
        let Some((distance, chance)) = feature_distance(counted(control), counted(column), bins) else {
            let reason = if column.feature_type == control.feature_type {
                format!("values of type `{}` have no distance", column.feature_type)
            } else {
                format!(
                    "`{}` in {}, `{}` in {}",
                    control.feature_type,
                    quoted(&baseline.name),
                    column.feature_type,
                    quoted(&current.name)
                )
            };
            report.not_compared.push(NotCompared { feature: column.name.clone(), reason });
            if comparators.is_some() {
                let text = format!(
                    "the values are `{}` and in {} `{}`, which cannot be compared",
                    column.feature_type,
                    quoted(&baseline.name),
                    control.feature_type
                );
                report.anomalies.push(error(&column.name, AnomalyType::UnexpectedDataType, "another type", &text));
            }
            continue;
        };
        let mut measured = Vec::new();
        for (which, threshold) in comparators.iter().flat_map(Comparators::thresholds) {
            if let Some(value) = distance.get(which) {
                let chance =
                    chance.of(which).or_else(|| emptied_by_chance(&control.common, &column.common).then_some(value));
                let exceeded = value > threshold && chance.is_none_or(|chance| value > chance);
                let one = Measured { distance: which, value, threshold, chance, exceeded };
                measured.push(one);
                if value > threshold {
                    let sizes = (control.common.num_non_missing, column.common.num_non_missing);
                    report.anomalies.push(too_far(&column.name, &report.baseline, comparison, &one, sizes));
                }
            } else if column.common.num_non_missing != control.common.num_non_missing {
                let mut anomaly = error(
                    &column.name,
                    AnomalyType::StatsNotAvailable,
                    "not compared",
                    &format!("`{which}` needs such values on both sides"),
                );
                anomaly.severity = Severity::Warning;
                report.anomalies.push(anomaly);
            }
        }
        report.features.push(FeatureDrift { distance, measured });
    }
    let now: HashSet<&str> = current.features.iter().map(|column| column.name.as_str()).collect();
    for gone in baseline.features.iter().filter(|column| !now.contains(column.name.as_str())) {
        let reason = format!("only in {}", quoted(&baseline.name));
        report.not_compared.push(NotCompared { feature: gone.name.clone(), reason });
    }
    report.features.sort_by(|a, b| {
        let by_divergence = b.distance.jensen_shannon.total_cmp(&a.distance.jensen_shannon);
        b.exceeded().cmp(&a.exceeded()).then(by_divergence).then_with(|| a.distance.feature.cmp(&b.distance.feature))
    });
    finish(&mut report.anomalies, schema);
    report
}

fn comparators(feature: &Feature, comparison: Comparison) -> Option<Comparators> {
    match comparison {
        Comparison::Drift | Comparison::Version => feature.drift,
        Comparison::Skew => feature.skew,
    }
}

fn error(feature: &str, anomaly_type: AnomalyType, short: &str, text: &str) -> Anomaly {
    Anomaly {
        feature: feature.to_owned(),
        anomaly_type,
        severity: Severity::Error,
        short_description: short.to_owned(),
        description: if feature.is_empty() { text.to_owned() } else { format!("`{feature}`: {text}") },
        evidence: Vec::new(),
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", shortened(name))
}

fn too_far(
    feature: &str,
    baseline: &str,
    comparison: Comparison,
    measured: &Measured,
    (before, now): (u64, u64),
) -> Anomaly {
    let Measured { distance, value, threshold, chance, exceeded } = *measured;
    let mut text = format!("`{distance}` to {} is {}, at most {threshold} is allowed", quoted(baseline), digits(value));
    if !exceeded && let Some(chance) = chance {
        text.push_str(&format!(
            "; {} values against {} are too few to say, chance alone gives up to {}",
            grouped(now),
            grouped(before),
            digits(chance)
        ));
    }
    let mut anomaly = error(feature, distance.anomaly_type(), comparison.name(), &text);
    if !exceeded {
        anomaly.severity = Severity::Warning;
    }
    anomaly
}

/// A distance with four significant digits.
fn digits(value: f64) -> String {
    let places = if value > 0.0 { (3.0 - value.log10().floor()).clamp(0.0, 12.0) as usize } else { 0 };
    format!("{value:.places$}")
}

fn number_of_examples(
    baseline: &DatasetStatistics,
    current: &DatasetStatistics,
    bounds: FractionBounds,
) -> Option<Anomaly> {
    let weights = baseline.by_weight().zip(current.by_weight());
    let (before, now) = weights.unwrap_or((baseline.num_examples as f64, current.num_examples as f64));
    if before == 0.0 && now == 0.0 {
        return None;
    }
    let ratio = now / before;
    let said = format!(
        "{} {} of the {} of {}",
        if weights.is_some() {
            format!("examples of a weight of {} are", weight(now))
        } else {
            format!("{} examples are", grouped(current.num_examples))
        },
        digits(ratio),
        weight(before),
        quoted(&baseline.name)
    );
    if let Some(least) = bounds.min_fraction.filter(|least| ratio < *least) {
        let text = format!("{said}, at least {least} is expected");
        return Some(error("", AnomalyType::ComparatorLowNumExamples, "too few examples", &text));
    }
    let most = bounds.max_fraction.filter(|most| ratio > *most)?;
    let text = format!("{said}, at most {most} is expected");
    Some(error("", AnomalyType::ComparatorHighNumExamples, "too many examples", &text))
}
