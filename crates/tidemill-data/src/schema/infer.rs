//! A first schema out of statistics.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_core::{
    DatasetStatistics, Domain, Feature, FeatureStatistics, FeatureType, NumericStatistics, Presence, Schema,
};

use crate::counted::Counted;
use crate::drift::default_comparators;

/// A text column with more distinct values than this gets no domain.
pub const DOMAIN_VALUES_MAX: usize = 100;
/// Nothing is concluded from fewer values than this.
const VALUES_MIN: u64 = 20;
/// A presence floor lies at least this far below what was observed.
const PRESENCE_MARGIN_MIN: f64 = 0.02;
/// Share of unseen values that is always allowed before it is an error.
const UNSEEN_SHARE_MIN: f64 = 0.005;

/// The schema that `datasets` suggest, to be curated by a person.
///
/// * Type: as found; a column that is `int` in one dataset and `float` in another is `float`.
/// * Presence: `min_fraction: 1` only for a column that was never missing. An optional column gets a floor: the
///   smallest share observed, less five standard deviations of the difference to a split half the size, less at
///   least 2 points, so that honest splits pass and a burst of missing cells does not. `min_count: 1` unless there
///   were fewer than 20 values, which the next split may well not have. Where examples have weights, shares are of the weight.
/// * Text with at most 100 distinct values: these are the domain. How many new values are still honest is estimated from the
///   values seen exactly once (Good and Turing: the chance that the next value is new is singletons / values):
///   `min_domain_mass` allows what a split half the size would show, plus three Poisson deviations, plus three values, and
///   at least 0.5 %. Fewer unseen values than that are a warning, more are an error.
/// * Numbers that were never negative get `min: 0`, and those never positive `max: 0`, unless nothing but the small
///   number of values or a symmetric spread around a mean near zero speaks for it. Other bounds are not guessed.
/// * Drift: a threshold above what chance makes of a file half the size, see [`default_comparators`].
pub fn infer_schema(datasets: &[&DatasetStatistics]) -> Schema {
    let mut by_name: BTreeMap<&str, Vec<&FeatureStatistics>> = BTreeMap::new();
    for dataset in datasets {
        for feature in &dataset.features {
            by_name.entry(&feature.name).or_default().push(feature);
        }
    }
    let features = by_name
        .into_iter()
        .map(|(name, seen)| {
            let everywhere = seen.len() == datasets.len();
            (name.to_owned(), infer_feature(&seen, everywhere))
        })
        .collect();
    Schema { version: 1, features, ..Schema::default() }
}

fn infer_feature(seen: &[&FeatureStatistics], everywhere: bool) -> Feature {
    let feature_type = seen.iter().map(|feature| feature.feature_type).reduce(wider).unwrap_or(FeatureType::Bytes);
    let mut feature = Feature {
        presence: if everywhere { presence(seen) } else { Presence::default() },
        drift: default_comparators(seen, feature_type),
        ..Feature::new(feature_type)
    };
    match feature_type {
        FeatureType::String => {
            if let Some((values, mass)) = text_domain(seen) {
                feature.domain = Some(Domain::Values(values));
                feature.min_domain_mass = Some(mass);
            }
        }
        FeatureType::Int => {
            let (min, max) = sign_bounds(seen);
            if min || max {
                feature.domain = Some(Domain::Int { min: min.then_some(0), max: max.then_some(0) });
            }
        }
        FeatureType::Float => {
            let (min, max) = sign_bounds(seen);
            if min || max {
                feature.domain = Some(Domain::Float {
                    min: min.then_some(0.0),
                    max: max.then_some(0.0),
                    disallow_nan: false,
                    disallow_inf: false,
                });
            }
        }
        FeatureType::Bool | FeatureType::Bytes => {}
    }
    feature
}

/// The type that holds the values of both.
fn wider(a: FeatureType, b: FeatureType) -> FeatureType {
    match (a, b) {
        _ if a == b => a,
        (FeatureType::Int, FeatureType::Float) | (FeatureType::Float, FeatureType::Int) => FeatureType::Float,
        _ => FeatureType::String,
    }
}

fn presence(seen: &[&FeatureStatistics]) -> Presence {
    let present = seen.iter().map(|feature| feature.common.num_non_missing).min().unwrap_or(0);
    if present < VALUES_MIN {
        let complete = present > 0 && seen.iter().all(|feature| Counted::new(feature, true).missing() == 0.0);
        return if complete { Presence { min_fraction: Some(1.0), min_count: Some(1) } } else { Presence::default() };
    }
    let floor = seen
        .iter()
        .map(|feature| {
            let examples = feature.common.num_examples() as f64;
            let counted = Counted::new(feature, true);
            let share = counted.present_share();
            if counted.missing() == 0.0 {
                return 1.0;
            }
            // Var(p) of n rows plus that of n/2 rows is 3 p (1 − p) / n.
            let spread = (3.0 * share * (1.0 - share) / examples).sqrt();
            let floor = share - (5.0 * spread).max(PRESENCE_MARGIN_MIN);
            (floor * 1000.0).floor() / 1000.0
        })
        .fold(1.0, f64::min);
    Presence { min_fraction: (floor > 0.0).then_some(floor), min_count: Some(1) }
}

/// The values of a text column with the least share that must lie among them; `None` where they are too many.
fn text_domain(seen: &[&FeatureStatistics]) -> Option<(Vec<String>, f64)> {
    let mut values = BTreeSet::new();
    let (mut count, mut singletons) = (0u64, 0u64);
    for feature in seen {
        let text = feature.string.as_ref()?;
        if text.invalid_utf8_count > 0 {
            return None;
        }
        values.extend(text.values.as_ref()?.iter().map(|(value, _)| value.to_owned()));
        count += feature.common.num_non_missing;
        singletons += text.num_singletons;
    }
    // A handful of rows in which nearly every value is new says nothing about what may come.
    if values.is_empty() || values.len() > DOMAIN_VALUES_MAX || singletons * 2 > count {
        return None;
    }
    let half = count as f64 / 2.0;
    let expected = singletons as f64 / 2.0;
    let unseen = ((expected + 3.0 * expected.sqrt() + 3.0) / half).clamp(UNSEEN_SHARE_MIN, 1.0);
    let mass = ((1.0 - unseen) * 1000.0).floor() / 1000.0;
    Some((values.into_iter().collect(), mass))
}

/// Whether zero is a lower and an upper bound that the numbers suggest.
fn sign_bounds(seen: &[&FeatureStatistics]) -> (bool, bool) {
    let numbers: Vec<&NumericStatistics> = seen.iter().filter_map(|feature| feature.numeric.as_ref()).collect();
    let finite: u64 = seen.iter().map(|feature| feature.common.num_non_missing).sum();
    if finite < VALUES_MIN || numbers.is_empty() {
        return (false, false);
    }
    let never_negative = numbers.iter().all(|n| n.num_negative == 0 && one_sided(n, n.mean, n.median));
    let never_positive = numbers.iter().all(|n| n.max <= 0.0 && n.min < 0.0 && one_sided(n, -n.mean, -n.median));
    (never_negative, never_positive)
}

/// Whether numbers on one side of zero stay there for a reason rather than by luck: some are exactly zero, or the mean is
/// many deviations away, or the spread leans away from zero as that of amounts and durations does.
fn one_sided(numbers: &NumericStatistics, mean: f64, median: f64) -> bool {
    // A column of nothing but zeros, or of nothing finite, tells nothing.
    if mean <= 0.0 {
        return false;
    }
    // Pearson's second coefficient of skewness.
    let skewness = 3.0 * (mean - median) / numbers.std_dev.max(f64::MIN_POSITIVE);
    numbers.num_zeros > 0 || mean > 6.0 * numbers.std_dev || skewness > 0.15
}
