//! Counts of values, aligned.

use std::collections::BTreeMap;

use super::shares::Pairs;
use crate::counted::Counted;

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
pub(super) fn value_pairs(a: Counted<'_>, b: Counted<'_>) -> Option<Pairs> {
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

fn counts(counted: Counted<'_>) -> Option<Counts<'_>> {
    if let Some((yes, no)) = counted.booleans() {
        let listed = [("true", yes), ("false", no)].into();
        return Some(Counts { listed, unlisted_max: 0.0, total: yes + no });
    }
    let texts = counted.texts()?;
    let last = texts.listed.last().map_or(0.0, |(_, count)| *count);
    let listed: BTreeMap<&str, f64> = texts.listed.into_iter().collect();
    if texts.all {
        let total = listed.values().sum();
        return Some(Counts { listed, unlisted_max: 0.0, total });
    }
    Some(Counts { listed, unlisted_max: last + texts.error, total: counted.values() })
}
