//! What is unusual about the features of a dataset, each with the figure behind it.

use std::collections::BTreeMap;

use serde::Serialize;
use tidemill_core::{DatasetStatistics, FeatureStatistics, FeatureType, Histogram, NumericStatistics, Semantic};

use crate::schema::{is_of_time, offer};
use crate::validation::{grouped, percent, quoted, short_number};

/// Features with fewer values than this are only checked for missing and constant values.
const VALUES_MIN: u64 = 20;
/// Share of missing values from which a feature is mostly missing.
const MISSING_MIN: f64 = 0.5;
/// Share of the most frequent value from which a feature is imbalanced.
const IMBALANCE_MIN: f64 = 0.9;
/// Share of zeros that is unusual for a number with more than two values.
const ZEROS_MIN: f64 = 0.5;
/// Distinct values of a category above which there are many.
const DISTINCT_MAX: u64 = 100;
/// Distance of the farthest value from the mean, in standard deviations, from which a feature is skewed.
const REACH_MIN: f64 = 10.0;
/// Absolute correlation of two features that say almost the same.
const CORRELATION_MIN: f64 = 0.95;
/// How much a bucket of a counter (1, 2, 3, …) may differ from the others.
const COUNTER_TOLERANCE: f64 = 0.02;

/// One unusual property of one feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// The column's name.
    pub feature: String,
    /// What is unusual.
    pub kind: AlertKind,
    /// The reason with its figure, without the name of the feature: `62 % of the values are missing`.
    pub message: String,
}

/// What can be unusual about a feature, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// No example has a value.
    Empty,
    /// All values are the same.
    Constant,
    /// At least half of the examples have no value.
    MostlyMissing,
    /// Some values are NaN or infinite.
    NotFinite,
    /// Nearly every value occurs once: the feature names examples instead of describing them.
    Identifier,
    /// The absolute correlation with another feature is 0.95 or more. Only if correlations were computed.
    Correlated,
    /// One value makes up 90 % or more.
    Imbalanced,
    /// A category with more than 100 values.
    HighCardinality,
    /// A value is ten standard deviations or more away from the mean.
    Skewed,
    /// At least half of the values of a number are zero. Not for features with two values.
    ManyZeros,
}

impl AlertKind {
    /// All kinds, worst first.
    pub const ALL: [Self; 10] = [
        Self::Empty,
        Self::Constant,
        Self::MostlyMissing,
        Self::NotFinite,
        Self::Identifier,
        Self::Correlated,
        Self::Imbalanced,
        Self::HighCardinality,
        Self::Skewed,
        Self::ManyZeros,
    ];

    /// The kind in words: `mostly missing`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Constant => "constant",
            Self::MostlyMissing => "mostly missing",
            Self::NotFinite => "not finite",
            Self::Identifier => "identifier",
            Self::Correlated => "correlated",
            Self::Imbalanced => "imbalanced",
            Self::HighCardinality => "many values",
            Self::Skewed => "skewed",
            Self::ManyZeros => "many zeros",
        }
    }
}

/// What is unusual about the features of `statistics`: the worst kinds first, within a kind the largest figure, then the
/// order of the columns.
pub fn alerts(statistics: &DatasetStatistics) -> Vec<Alert> {
    let mut found: Vec<(f64, Alert)> = statistics.features.iter().flat_map(of_feature).collect();
    for (feature, (r, message)) in correlated(statistics) {
        found.push((r, Alert { feature: feature.to_owned(), kind: AlertKind::Correlated, message }));
    }
    found.sort_by(|(a, left), (b, right)| left.kind.cmp(&right.kind).then(b.total_cmp(a)));
    found.into_iter().map(|(_, alert)| alert).collect()
}

/// `alerts`, worst first, as those to show where there is room for about `room`, and the others: all while they fit, else
/// some of every kind, so that many of the worst kind do not hide the others.
pub fn first_of_each_kind<T>(alerts: &[T], room: usize, kind: impl Fn(&T) -> AlertKind) -> (Vec<&T>, Vec<&T>) {
    if alerts.len() <= room {
        return (alerts.iter().collect(), Vec::new());
    }
    let kinds = AlertKind::ALL.iter().filter(|one| alerts.iter().any(|alert| kind(alert) == **one)).count();
    let share = (room / kinds.max(1)).max(1);
    let mut seen = [0usize; AlertKind::ALL.len()];
    alerts.iter().partition(|alert| {
        let count = &mut seen[kind(alert) as usize];
        *count += 1;
        *count <= share
    })
}

/// The alerts of one feature that do not need another.
pub(crate) fn alerts_of(feature: &FeatureStatistics) -> Vec<Alert> {
    of_feature(feature).into_iter().map(|(_, alert)| alert).collect()
}

fn of_feature(feature: &FeatureStatistics) -> Vec<(f64, Alert)> {
    let mut found = Vec::new();
    look_at(feature, &mut |kind, figure, message| {
        found.push((figure, Alert { feature: feature.name.clone(), kind, message }));
    });
    found
}

fn look_at(feature: &FeatureStatistics, add: &mut impl FnMut(AlertKind, f64, String)) {
    let common = &feature.common;
    let (rows, present) = (common.num_examples(), common.num_non_missing);
    if rows == 0 {
        return;
    }
    if present == 0 {
        return add(AlertKind::Empty, 0.0, format!("none of the {} rows has a value", grouped(rows)));
    }
    let missing = common.missing_fraction();
    if missing >= MISSING_MIN {
        // Nearly all is not all.
        let share = if missing >= 0.9995 { "nearly all".to_owned() } else { percent(missing) };
        let few = if present < 1000 {
            let have = if present == 1 { "has" } else { "have" };
            format!(": {} of {} rows {have} one", grouped(present), grouped(rows))
        } else {
            String::new()
        };
        add(AlertKind::MostlyMissing, missing, format!("{share} of the values are missing{few}"));
    }
    if let Some(numbers) = feature.numeric.as_ref().filter(|numbers| numbers.num_nan + numbers.num_inf > 0) {
        let odd: Vec<String> = [(numbers.num_nan, "NaN"), (numbers.num_inf, "infinite")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", grouped(count)))
            .collect();
        let share = (numbers.num_nan + numbers.num_inf) as f64 / values(feature) as f64;
        add(AlertKind::NotFinite, share, format!("{} of {} values", odd.join(" and "), grouped(values(feature))));
    }
    if let Some(value) = constant(feature) {
        let count = values(feature);
        return add(AlertKind::Constant, count as f64, format!("all {} values are {value}", grouped(count)));
    }
    if values(feature) < VALUES_MIN {
        return;
    }
    let identifier = identifier(feature);
    if let Some((share, message)) = identifier {
        return add(AlertKind::Identifier, share, message);
    }
    let top = most_frequent(feature).filter(|(_, share)| *share >= IMBALANCE_MIN);
    if let Some((value, share)) = &top {
        add(AlertKind::Imbalanced, *share, format!("{} of the values are {value}", percent(*share)));
    }
    if let Some(distinct) = many_values(feature) {
        let message = format!("{} different values in {} rows", grouped(distinct), grouped(present));
        add(AlertKind::HighCardinality, distinct as f64, message);
    }
    if let Some(numbers) = &feature.numeric {
        if let Some((reach, message)) = skewed(numbers) {
            add(AlertKind::Skewed, reach, message);
        }
        let zeros = numbers.num_zeros as f64 / values(feature) as f64;
        if zeros >= ZEROS_MIN && top.is_none() && !is_flag(feature, numbers) {
            add(AlertKind::ManyZeros, zeros, format!("{} of the values are 0", percent(zeros)));
        }
    }
}

/// Values, not examples: a list has several.
fn values(feature: &FeatureStatistics) -> u64 {
    feature.common.tot_num_values.max(feature.common.num_non_missing).max(1)
}

fn finite(feature: &FeatureStatistics, numbers: &NumericStatistics) -> u64 {
    values(feature).saturating_sub(numbers.num_nan + numbers.num_inf)
}

/// The only value, if there are at least two and all are alike.
fn constant(feature: &FeatureStatistics) -> Option<String> {
    if values(feature) < 2 {
        return None;
    }
    if let Some(numbers) = &feature.numeric {
        let all = numbers.num_nan + numbers.num_inf == 0 && numbers.min == numbers.max;
        return all.then(|| short_number(numbers.min));
    }
    if let Some(boolean) = &feature.boolean {
        return match (boolean.num_true, boolean.num_false) {
            (_, 0) => Some("true".to_owned()),
            (0, _) => Some("false".to_owned()),
            _ => None,
        };
    }
    let text = feature.string.as_ref().filter(|text| text.unique == 1)?;
    Some(text.top_values.first().map_or_else(|| "the same".to_owned(), |top| shown(&top.value)))
}

fn identifier(feature: &FeatureStatistics) -> Option<(f64, String)> {
    if is_of_time(feature) || is_moment(feature) {
        return None;
    }
    let count = values(feature);
    if offer(feature).is_some_and(|offer| offer.semantic == Semantic::Identifier) {
        let distinct = feature.string.as_ref().map(|text| text.unique);
        let distinct = distinct.or(feature.numeric.as_ref().and_then(|numbers| numbers.distinct))?.min(count);
        let share = distinct as f64 / count as f64;
        return Some((share, format!("{} of {} values are different", grouped(distinct), grouped(count))));
    }
    // Too many numbers to count each: a row number is still recognised by its even spread.
    let numbers =
        feature.numeric.as_ref().filter(|of| feature.feature_type == FeatureType::Int && of.distinct.is_none())?;
    let span = numbers.max - numbers.min + 1.0;
    let buckets = &numbers.histogram.buckets;
    let mean = count as f64 / buckets.len().max(1) as f64;
    let even = buckets.len() > 1 && buckets.iter().all(|of| (of.count / mean - 1.0).abs() <= COUNTER_TOLERANCE);
    ((span / count as f64 - 1.0).abs() <= COUNTER_TOLERANCE && even).then(|| {
        let (low, high) = (short_number(numbers.min), short_number(numbers.max));
        (1.0, format!("{} values evenly spread from {low} to {high}, like row numbers", grouped(count)))
    })
}

/// Seconds, milliseconds or finer since 1970, by name: new ones come all the time and describe their example all the same.
fn is_moment(feature: &FeatureStatistics) -> bool {
    let name = feature.name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    feature.numeric.is_some()
        && words.any(|word| matches!(word, "time" | "timestamp" | "ts" | "date" | "datetime" | "epoch"))
}

/// The most frequent value and its share.
fn most_frequent(feature: &FeatureStatistics) -> Option<(String, f64)> {
    let count = values(feature) as f64;
    if let Some(numbers) = &feature.numeric {
        let top = frequent_number(&numbers.quantiles)?;
        return Some((short_number(top.0), top.1 / finite(feature, numbers).max(1) as f64));
    }
    if let Some(boolean) = &feature.boolean {
        let (value, most) = if boolean.num_true > boolean.num_false {
            ("true", boolean.num_true)
        } else {
            ("false", boolean.num_false)
        };
        return Some((value.to_owned(), most as f64 / count));
    }
    let top = feature.string.as_ref()?.top_values.first()?;
    Some((shown(&top.value), top.frequency as f64 / count))
}

/// The value with the fullest bucket of its own.
fn frequent_number(quantiles: &Histogram) -> Option<(f64, f64)> {
    let own = quantiles.buckets.iter().filter(|bucket| bucket.low == bucket.high);
    own.map(|bucket| (bucket.low, bucket.count)).max_by(|a, b| a.1.total_cmp(&b.1))
}

fn many_values(feature: &FeatureStatistics) -> Option<u64> {
    let text = feature.string.as_ref()?;
    let prose = feature.language.as_ref().is_some_and(|language| language.is_text)
        || offer(feature).is_some_and(|offer| offer.semantic == Semantic::FreeText);
    (text.unique > DISTINCT_MAX && feature.time.is_none() && !prose).then_some(text.unique)
}

/// How far the farthest value is from the mean.
fn skewed(numbers: &NumericStatistics) -> Option<(f64, String)> {
    if numbers.std_dev <= 0.0 || numbers.distinct.is_some_and(|distinct| distinct <= 2) {
        return None;
    }
    let (above, below) = (numbers.max - numbers.mean, numbers.mean - numbers.min);
    let (what, value, reach, side) = if above >= below {
        ("largest", numbers.max, above, "above")
    } else {
        ("smallest", numbers.min, below, "below")
    };
    let reach = reach / numbers.std_dev;
    (reach >= REACH_MIN).then(|| {
        let (mean, median, value) = (short_number(numbers.mean), short_number(numbers.median), short_number(value));
        let text = format!(
            "the {what} value {value} is {reach:.0} standard deviations {side} the mean {mean} (median {median})"
        );
        (reach, text)
    })
}

/// A feature of 0 and 1, or of two values at all.
fn is_flag(feature: &FeatureStatistics, numbers: &NumericStatistics) -> bool {
    match numbers.distinct {
        Some(distinct) => distinct <= 2,
        None => feature.feature_type == FeatureType::Int && numbers.min == 0.0 && numbers.max == 1.0,
    }
}

/// For each feature that nearly repeats an earlier one: the correlation with the nearest.
fn correlated(statistics: &DatasetStatistics) -> Vec<(&str, (f64, String))> {
    let mut by_feature: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for pair in &statistics.cross.numeric {
        if let Some(r) = pair.correlation.filter(|r| r.abs() >= CORRELATION_MIN) {
            by_feature.entry(&pair.y).or_default().push((&pair.x, r));
        }
    }
    let order = |name: &str| statistics.features.iter().position(|feature| feature.name == name);
    let mut out: Vec<(&str, (f64, String))> = by_feature
        .into_iter()
        .filter_map(|(feature, others)| {
            let (other, r) =
                others.iter().copied().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()).then(b.0.cmp(a.0)))?;
            let rest = match others.len() - 1 {
                0 => String::new(),
                1 => " and 1 other feature".to_owned(),
                more => format!(" and {more} other features"),
            };
            Some((feature, (r.abs(), format!("correlation {r:+.3} with {}{rest}", quoted(other)))))
        })
        .collect();
    out.sort_by_key(|(feature, _)| order(feature));
    out
}

fn shown(value: &str) -> String {
    if value.is_empty() { "the empty string".to_owned() } else { quoted(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_worst_first() {
        assert!(AlertKind::ALL.is_sorted());
    }
}
