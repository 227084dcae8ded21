//! Counts of values, aligned.

use std::collections::BTreeMap;

use tidemill_core::FeatureStatistics;

use super::shares::Pairs;

/// How often each value occurs, as far as it is known.
struct Counts<'a> {
    listed: BTreeMap<&'a str, f64>,
    /// What a value that is not listed may occur at most.
    unlisted_max: f64,
    total: f64,
}

/// The counts of text or booleans on two sides, value by value; `None` for other types.
///
/// Where distinct values were too many to count each, only the most frequent are known. A value listed on one side
/// only then counts on the other as much as it may, up to the same share; everything else is one value. So a
/// distance is never larger than the truth for want of counts.
pub(super) fn value_pairs(a: &FeatureStatistics, b: &FeatureStatistics) -> Option<Pairs> {
    let (left, right) = (counts(a)?, counts(b)?);
    let mut pairs = Vec::with_capacity(left.listed.len().max(right.listed.len()) + 1);
    let mut rest = (left.total, right.total);
    let mut add = |p: f64, q: f64| {
        rest = (rest.0 - p, rest.1 - q);
        pairs.push((p, q));
    };
    for (value, p) in &left.listed {
        add(*p, right.listed.get(value).copied().unwrap_or_else(|| right.at_most(*p, left.total)));
    }
    for (value, q) in &right.listed {
        if !left.listed.contains_key(value) {
            add(left.at_most(*q, right.total), *q);
        }
    }
    pairs.push((rest.0.max(0.0), rest.1.max(0.0)));
    Some(Pairs(pairs))
}

impl Counts<'_> {
    /// What a value may occur here that occurs `count` times of `total` on the other side and is not listed here.
    fn at_most(&self, count: f64, total: f64) -> f64 {
        if total > 0.0 { (count / total * self.total).min(self.unlisted_max) } else { 0.0 }
    }
}

fn counts(feature: &FeatureStatistics) -> Option<Counts<'_>> {
    if let Some(boolean) = feature.boolean {
        let listed = [("true", boolean.num_true as f64), ("false", boolean.num_false as f64)].into();
        return Some(Counts { listed, unlisted_max: 0.0, total: (boolean.num_true + boolean.num_false) as f64 });
    }
    let text = feature.string.as_ref()?;
    if let Some(values) = &text.values {
        let listed: BTreeMap<&str, f64> = values.iter().map(|(value, count)| (value, count as f64)).collect();
        let total = listed.values().sum();
        return Some(Counts { listed, unlisted_max: 0.0, total });
    }
    let last = text.top_values.last().map_or(0, |top| top.frequency);
    Some(Counts {
        listed: text.top_values.iter().map(|top| (top.value.as_str(), top.frequency as f64)).collect(),
        unlisted_max: (last + text.frequency_error) as f64,
        total: feature.common.tot_num_values as f64,
    })
}
