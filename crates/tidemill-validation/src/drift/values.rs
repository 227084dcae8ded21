//! Counts of values, aligned.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_core::ValueSample;
use xxhash_rust::xxh3::xxh3_64;

use super::shares::{Pair, Pairs};
use crate::counted::Counted;

/// How often each value occurs, as far as it is known.
struct Counts<'a> {
    listed: BTreeMap<&'a str, f64>,
    /// Every value is listed.
    all: bool,
    sample: Option<&'a ValueSample>,
    /// What a value that is not listed may occur at most.
    unlisted_max: f64,
    total: f64,
}

/// The counts of text or booleans on two sides, value by value; `None` for other types.
///
/// Where distinct values were too many to count each, the most frequent are known one by one, and of the others a sample
/// that stands for all of them ([`ValueSample`]). Without one, a value listed on one side only counts on the other as
/// much as it may, up to the same share, and everything else is one value: a distance is then never larger than the
/// truth for want of counts.
pub(super) fn value_pairs(a: Counted<'_>, b: Counted<'_>) -> Option<Pairs> {
    let (left, right) = (counts(a)?, counts(b)?);
    let pairs = if left.all && right.all { None } else { sampled_pairs(&left, &right) };
    Some(pairs.unwrap_or_else(|| listed_pairs(&left, &right)))
}

/// The frequent values of either side, and for all others those of a sample that both sides have; `None` without one.
fn sampled_pairs(left: &Counts<'_>, right: &Counts<'_>) -> Option<Pairs> {
    let below = [left.limit()?, right.limit()?].into_iter().min()?;
    let rate = ValueSample { below, counts: Vec::new() }.rate();
    let frequent: BTreeSet<&str> = left.frequent().chain(right.frequent()).collect();
    let mut pairs: Vec<Pair> = Vec::with_capacity(frequent.len() + SAMPLE_USUAL);
    for value in &frequent {
        let (p, q) = (left.known(value), right.known(value));
        let p = p.unwrap_or_else(|| left.at_most(q.unwrap_or_default(), right.total));
        let q = q.unwrap_or_else(|| right.at_most(p, left.total));
        pairs.push((p, q).into());
    }
    let frequent: BTreeSet<u64> = frequent.iter().map(|value| xxh3_64(value.as_bytes())).collect();
    let mut others: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for (hash, count) in left.sampled(below) {
        others.entry(hash).or_default().0 = count;
    }
    for (hash, count) in right.sampled(below) {
        others.entry(hash).or_default().1 = count;
    }
    others.retain(|hash, _| !frequent.contains(hash));
    pairs.extend(others.into_values().map(|(a, b)| Pair { a, b, times: 1.0 / rate }));
    Some(Pairs(pairs))
}

/// The values that either side lists, and all others as one.
fn listed_pairs(left: &Counts<'_>, right: &Counts<'_>) -> Pairs {
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
    Pairs::from(pairs)
}

/// About how many values a sample has.
const SAMPLE_USUAL: usize = 1024;
/// How many of the values that are all listed are looked at one by one where the other side has a sample.
const FREQUENT: usize = 20;

impl<'a> Counts<'a> {
    /// Which hashes are known with their counts: all below this one.
    fn limit(&self) -> Option<u64> {
        if self.all { Some(u64::MAX) } else { self.sample.map(|sample| sample.below) }
    }

    /// The values that stand for themselves.
    fn frequent(&self) -> impl Iterator<Item = &'a str> {
        let mut listed: Vec<(&str, f64)> = self.listed.iter().map(|(value, count)| (*value, *count)).collect();
        listed.sort_by(|a, b| b.1.total_cmp(&a.1));
        listed.truncate(FREQUENT);
        listed.into_iter().map(|(value, _)| value)
    }

    /// How often `value` occurs, if that is known.
    fn known(&self, value: &str) -> Option<f64> {
        let sampled = || self.sample?.count(xxh3_64(value.as_bytes())).map(|count| count as f64);
        let listed = self.listed.get(value).copied();
        listed.or_else(|| if self.all { Some(0.0) } else { sampled() })
    }

    /// The values with a hash below a limit that is at most [`Counts::limit`], with their counts.
    fn sampled(&self, below: u64) -> Vec<(u64, f64)> {
        let mut sampled: Vec<(u64, f64)> = match self.sample.filter(|_| !self.all) {
            Some(sample) => sample.counts.iter().map(|(hash, count)| (*hash, *count as f64)).collect(),
            None => self.listed.iter().map(|(value, count)| (xxh3_64(value.as_bytes()), *count)).collect(),
        };
        sampled.retain(|(hash, _)| *hash < below);
        sampled
    }

    /// What a value may occur here that occurs `count` times of `total` on the other side and is not listed here.
    fn at_most(&self, count: f64, total: f64) -> f64 {
        if total > 0.0 { (count / total * self.total).min(self.unlisted_max) } else { 0.0 }
    }
}

fn counts(counted: Counted<'_>) -> Option<Counts<'_>> {
    if let Some((yes, no)) = counted.booleans() {
        let listed = [("true", yes), ("false", no)].into();
        return Some(Counts { listed, all: true, sample: None, unlisted_max: 0.0, total: yes + no });
    }
    let texts = counted.texts()?;
    let last = texts.listed.last().map_or(0.0, |(_, count)| *count);
    let listed: BTreeMap<&str, f64> = texts.listed.into_iter().collect();
    if texts.all {
        let total = listed.values().sum();
        return Some(Counts { listed, all: true, sample: None, unlisted_max: 0.0, total });
    }
    let (unlisted_max, total) = (last + texts.error, counted.values());
    Some(Counts { listed, all: false, sample: texts.sample, unlisted_max, total })
}
