//! A first schema out of statistics.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_core::{
    DatasetStatistics, Domain, Feature, FeatureStatistics, FeatureType, NumericStatistics, Presence, Schema, ValueCount,
};

use super::chance::plausible_share;
use super::meaning::{bounds_by_name, is_of_time};
use crate::counted::Counted;
use crate::drift::default_comparators;

/// A text column with more distinct values than this gets no domain.
pub const DOMAIN_VALUES_MAX: usize = 100;
/// Nothing is concluded from fewer values than this.
const VALUES_MIN: u64 = 20;
/// Nothing is concluded from fewer lists than this about their length.
const LISTS_MIN: u64 = 100;
/// A presence floor lies at least this far below what was observed.
const PRESENCE_MARGIN_MIN: f64 = 0.02;
/// Share of unseen values that is always allowed before it is an error.
const UNSEEN_SHARE_MIN: f64 = 0.005;
/// A domain is closed only where at most this share of a fresh sample may lie outside it.
const UNSEEN_SHARE_MAX: f64 = 0.2;
/// The tolerance of presence that needs no saying.
const TOLERANCE_MIN: f64 = crate::validation::STRAY_SHARE;

/// The schema that `datasets` suggest, to be curated by a person.
///
/// Every rule leaves room for chance: a fresh sample of the same data, at least a quarter of the size, breaks it in fewer than
/// 1 of 100 cases. What chance can do is computed from counts (rule of three, Good and Turing), see `chance.rs`.
///
/// * Type: as found; a column that is `int` in one dataset and `float` in another is `float`.
/// * Presence: `min_fraction: 1` for a column that was never missing, with the `tolerance` that chance asks for: none
///   missing of 1,500 values leaves 0.2 % plausible, so a few missing in the next split are a warning. An optional column gets a
///   floor: the smallest share observed, less five standard deviations of the difference to a split half the size, less at
///   least 2 points. `min_count: 1` unless there were fewer than 20 values. Where examples have weights, shares are of
///   the weight.
/// * Text with at most 100 distinct values: these are the domain, if what was not seen is bounded. The probability of a new
///   value is estimated by the share of values that were seen once (Good 1953); `min_domain_mass` allows what a fresh sample
///   may show of them, at least 0.5 %. Where this is more than a fifth, the domain stays open. Dates, months and other spans
///   of time get no domain: every day brings new ones.
/// * Numbers are bounded only by what they mean: amounts (`fare`, `trip_miles`, `age`) get `min: 0` if none was negative,
///   latitudes and longitudes the bounds of the globe. Extremes that were seen bound nothing.
/// * Lists that all have the same number of values, more than one, get this `value_count`, from 100 lists on.
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
            (name.to_owned(), infer_feature(name, &seen, everywhere))
        })
        .collect();
    Schema { version: 1, features, ..Schema::default() }
}

fn infer_feature(name: &str, seen: &[&FeatureStatistics], everywhere: bool) -> Feature {
    let feature_type = seen.iter().map(|feature| feature.feature_type).reduce(wider).unwrap_or(FeatureType::Bytes);
    let mut feature = Feature {
        presence: if everywhere { presence(seen) } else { Presence::default() },
        value_count: value_count(seen),
        value_counts: value_counts(seen),
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
            let (min, max) = bounds(name, seen);
            if min.is_some() || max.is_some() {
                feature.domain = Some(Domain::Int { min: min.map(|min| min as i64), max: max.map(|max| max as i64) });
            }
        }
        FeatureType::Float => {
            let (min, max) = bounds(name, seen);
            if min.is_some() || max.is_some() {
                feature.domain = Some(Domain::Float { min, max, disallow_nan: false, disallow_inf: false });
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
    let complete = present > 0 && seen.iter().all(|feature| Counted::new(feature, true).missing() == 0.0);
    if complete {
        let tolerance = round_up(plausible_share(0, present));
        return Presence {
            min_fraction: Some(1.0),
            min_count: Some(1),
            tolerance: (tolerance > TOLERANCE_MIN).then_some(tolerance),
        };
    }
    if present < VALUES_MIN {
        return Presence::default();
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
            // Few missing values are not normal: there, the bound of a Poisson distribution is the wider one.
            let rare = 1.0 - plausible_share(feature.common.num_missing, feature.common.num_examples());
            (floor.min(rare) * 1000.0).floor() / 1000.0
        })
        .fold(1.0, f64::min);
    Presence { min_fraction: (floor > 0.0).then_some(floor), min_count: Some(1), tolerance: None }
}

/// A share with two significant digits, not below what it was.
fn round_up(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return share.clamp(0.0, 1.0);
    }
    let unit = 10f64.powf(1.0 - share.log10().floor());
    (share * unit).ceil() / unit
}

/// The values of a text column with the least share that must lie among them; `None` where more may come than is bounded.
fn text_domain(seen: &[&FeatureStatistics]) -> Option<(Vec<String>, f64)> {
    let mut values = BTreeSet::new();
    let (mut count, mut singletons) = (0u64, 0u64);
    for feature in seen {
        let text = feature.string.as_ref()?;
        if text.invalid_utf8_count > 0 || is_of_time(feature) {
            return None;
        }
        values.extend(text.values.as_ref()?.iter().map(|(value, _)| value.to_owned()));
        count += feature.common.num_non_missing;
        singletons += text.num_singletons;
    }
    let unseen = plausible_share(singletons, count).max(UNSEEN_SHARE_MIN);
    if values.is_empty() || values.len() > DOMAIN_VALUES_MAX || unseen > UNSEEN_SHARE_MAX {
        return None;
    }
    let mass = ((1.0 - unseen) * 1000.0).floor() / 1000.0;
    Some((values.into_iter().collect(), mass))
}

/// The bounds that a name gives its numbers, where nothing that was seen contradicts them.
fn bounds(name: &str, seen: &[&FeatureStatistics]) -> (Option<f64>, Option<f64>) {
    let numbers: Vec<&NumericStatistics> = seen.iter().filter_map(|feature| feature.numeric.as_ref()).collect();
    let finite: u64 = seen.iter().map(|feature| feature.common.num_non_missing).sum();
    if finite < VALUES_MIN || numbers.is_empty() {
        return (None, None);
    }
    let (min, max) = bounds_by_name(name);
    let holds = numbers.iter().all(|n| min.is_none_or(|min| n.min >= min) && max.is_none_or(|max| n.max <= max));
    // A column of nothing but zeros tells nothing.
    if holds && numbers.iter().any(|n| n.min != 0.0 || n.max != 0.0) { (min, max) } else { (None, None) }
}

/// The lengths of lists within lists, level by level: the one length of all, or at least one value where none is empty.
fn value_counts(seen: &[&FeatureStatistics]) -> Vec<ValueCount> {
    let Some(levels) = seen.first().map(|feature| feature.levels.len()).filter(|levels| *levels > 1) else {
        return Vec::new();
    };
    if seen.iter().any(|feature| feature.levels.len() != levels) {
        return Vec::new();
    }
    let level = |level: usize| {
        let of = || seen.iter().map(|feature| feature.levels[level]);
        let min = of().map(|level| level.min_num_values).min().unwrap_or(0);
        let max = of().map(|level| level.max_num_values).max().unwrap_or(0);
        ValueCount {
            min: (min > 0).then_some(if min == max { min } else { 1 }),
            max: (min > 0 && min == max).then_some(max),
        }
    };
    (0..levels).map(level).collect()
}

/// The one length of all lists, where there are enough of them.
fn value_count(seen: &[&FeatureStatistics]) -> Option<ValueCount> {
    let lists: u64 = seen.iter().map(|feature| feature.common.num_non_missing).sum();
    let length = seen.first()?.common.max_num_values;
    let same = |feature: &&FeatureStatistics| {
        feature.valency.is_some() && (feature.common.min_num_values, feature.common.max_num_values) == (length, length)
    };
    (length > 1 && lists >= LISTS_MIN && seen.iter().all(same))
        .then_some(ValueCount { min: Some(length), max: Some(length) })
}
