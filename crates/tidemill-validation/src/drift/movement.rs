//! How a feature moved from one dataset to another, in words.

use std::collections::HashMap;

use tidemill_core::FeatureStatistics;

use crate::counted::Counted;
use crate::validation::{percent, quoted, short_number};

/// Values listed at most.
const VALUES_MAX: usize = 3;
/// Changes of a share below this are left out.
const SHARE_MIN: f64 = 0.001;
/// Change of the share of missing values from which it is part of the text.
const MISSING_MIN: f64 = 0.005;

/// How a feature moved from `baseline` to `current`: mean and median of numbers, the values whose share changed most,
/// and the share of missing values if it changed by half a point or more. Empty if nothing of that is known or differs.
///
/// `mean 12.07 → 18.4, median 7.25 → 9.5`; `` `Cash` 66.1 % → 45 %, `App` 0 % → 12 % ``.
pub fn movement(baseline: &FeatureStatistics, current: &FeatureStatistics, by_weight: bool) -> String {
    let (a, b) = (Counted::new(baseline, by_weight), Counted::new(current, by_weight));
    let mut parts = numbers(a, b).unwrap_or_else(|| shares(a, b));
    if let (Some(before), Some(now)) = (&baseline.time, &current.time)
        && (&before.min, &before.max) != (&now.min, &now.max)
    {
        parts = vec![format!("{} to {} → {} to {}", before.min, before.max, now.min, now.max)];
    }
    if (a.missing_share() - b.missing_share()).abs() >= MISSING_MIN {
        parts.push(format!("missing {} → {}", percent(a.missing_share()), percent(b.missing_share())));
    }
    parts.join(", ")
}

fn numbers(a: Counted<'_>, b: Counted<'_>) -> Option<Vec<String>> {
    let of = |side: Counted<'_>| {
        let numbers = side.feature.numeric.as_ref()?;
        let weighted = side.feature.weighted.as_ref().filter(|_| side.by_weight).and_then(|of| of.numeric.as_ref());
        Some(weighted.map_or((numbers.mean, numbers.median), |numbers| (numbers.mean, numbers.median)))
    };
    let (before, now) = (of(a)?, of(b)?);
    if a.present() == 0.0 || b.present() == 0.0 {
        return Some(Vec::new());
    }
    let pairs = [("mean", before.0, now.0), ("median", before.1, now.1)];
    let moved = pairs.into_iter().filter_map(|(what, before, now)| {
        let (before, now) = (short_number(before), short_number(now));
        (before != now).then(|| format!("{what} {before} → {now}"))
    });
    Some(moved.collect())
}

/// The values of text and booleans whose share changed most.
fn shares(a: Counted<'_>, b: Counted<'_>) -> Vec<String> {
    let (Some(before), Some(now)) = (counts(a), counts(b)) else { return Vec::new() };
    let mut names: Vec<&str> = before.counts.keys().chain(now.counts.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let mut moved: Vec<(&str, f64, f64)> = names
        .into_iter()
        .filter_map(|name| Some((name, before.share(name)?, now.share(name)?)))
        .filter(|(_, before, now)| (now - before).abs() >= SHARE_MIN)
        .collect();
    moved.sort_by(|x, y| (y.2 - y.1).abs().total_cmp(&(x.2 - x.1).abs()).then_with(|| x.0.cmp(y.0)));
    let text =
        |(name, before, now): &(&str, f64, f64)| format!("{} {} → {}", quoted(name), percent(*before), percent(*now));
    moved.iter().take(VALUES_MAX).map(text).collect()
}

/// How often the values of one side occur.
struct Counts<'a> {
    counts: HashMap<&'a str, f64>,
    /// Every value is listed.
    all: bool,
    total: f64,
}

impl Counts<'_> {
    /// The share of `name`; `None` if it may occur and was not counted.
    fn share(&self, name: &str) -> Option<f64> {
        let count = self.counts.get(name).copied().or(self.all.then_some(0.0))?;
        (self.total > 0.0).then_some(count / self.total)
    }
}

fn counts(side: Counted<'_>) -> Option<Counts<'_>> {
    if let Some((yes, no)) = side.booleans() {
        return Some(Counts { counts: [("true", yes), ("false", no)].into(), all: true, total: yes + no });
    }
    let texts = side.texts()?;
    Some(Counts { counts: texts.listed.into_iter().collect(), all: texts.all, total: side.values() })
}
