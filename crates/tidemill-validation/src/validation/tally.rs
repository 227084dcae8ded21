//! Text held against the domain of its feature, value by value: from the counts of statistics, or from rows.

use std::collections::BTreeMap;

use tidemill_core::{Anomaly, AnomalyType, Feature, FeatureValue, Severity, ValueRule, Violation};

use super::text::{percent, value_list};
use tidemill_core::grouped;

/// Distinct values that are named with their counts.
const NAMED_MAX: usize = 1000;

/// An anomaly of one feature, before it is given the feature's name.
pub(super) struct Found {
    pub anomaly_type: AnomalyType,
    pub severity: Severity,
    pub short: &'static str,
    pub text: String,
}

impl Found {
    pub(super) fn error(anomaly_type: AnomalyType, short: &'static str, text: String) -> Self {
        Self { anomaly_type, severity: Severity::Error, short, text }
    }

    /// The anomaly of the feature `name`.
    pub(super) fn of(self, name: &str) -> Anomaly {
        Anomaly {
            feature: name.to_owned(),
            anomaly_type: self.anomaly_type,
            severity: self.severity,
            short_description: self.short.to_owned(),
            description: format!("`{name}`: {}", self.text),
            evidence: Vec::new(),
        }
    }
}

/// What was seen of the texts of one feature.
pub(super) struct TextTally<'a> {
    feature: &'a Feature,
    rule: &'a ValueRule,
    by_weight: bool,
    values: u64,
    weight: f64,
    /// By violation: how many values, and which.
    broken: BTreeMap<AnomalyType, (Violation, Named)>,
    /// Least and greatest of the numbers in the texts.
    numbers: Option<(f64, f64)>,
}

#[derive(Default)]
struct Named {
    count: u64,
    weight: f64,
    values: BTreeMap<String, u64>,
}

impl<'a> TextTally<'a> {
    /// A tally of which shares are those of the weight, or of values.
    pub(super) fn new(feature: &'a Feature, rule: &'a ValueRule, by_weight: bool) -> Self {
        Self { feature, rule, by_weight, values: 0, weight: 0.0, broken: BTreeMap::new(), numbers: None }
    }

    /// Looks at a value that occurs `count` times, in examples of this weight together.
    pub(super) fn add(&mut self, text: &str, count: u64, weight: f64) {
        self.values += count;
        self.weight += weight;
        let value = FeatureValue::Text(text);
        if self.rule.is_of_numbers()
            && let Some(number) = self.rule.number_in(text).filter(|number| number.is_finite())
        {
            let (min, max) = self.numbers.unwrap_or((number, number));
            self.numbers = Some((min.min(number), max.max(number)));
        }
        match self.rule.judge(value) {
            // The extremes tell of them.
            None | Some(Violation::TooSmall | Violation::TooBig) => {}
            Some(violation) => {
                let kind = self.rule.anomaly_type(violation, value);
                let named = &mut self.broken.entry(kind).or_insert_with(|| (violation, Named::default())).1;
                named.count += count;
                named.weight += weight;
                if let Some(seen) = named.values.get_mut(text) {
                    *seen += count;
                } else if named.values.len() < NAMED_MAX {
                    named.values.insert(text.to_owned(), count);
                }
            }
        }
    }

    /// What is wrong with what was seen.
    pub(super) fn found(self) -> Vec<Found> {
        let mut found: Vec<Found> = self
            .broken
            .iter()
            // What weighs nothing is not there.
            .filter(|(_, (_, named))| !self.by_weight || named.weight > 0.0)
            .map(|(kind, (violation, named))| {
                let (share, what) = if self.by_weight {
                    (named.weight / self.weight, " of the weight")
                } else {
                    (named.count as f64 / self.values.max(1) as f64, "")
                };
                let (many, all) = (grouped(named.count), grouped(self.values));
                let of = format!("{many} of {all} values ({}{what})", percent(share));
                let list = named.list();
                match violation {
                    Violation::NotListed => {
                        let tolerated = tolerated(self.feature);
                        let text = format!("{of} are not in the domain{}: {list}", allowance(tolerated));
                        let severity = unexpected_severity(share, tolerated);
                        Found { anomaly_type: *kind, severity, short: "unexpected values", text }
                    }
                    Violation::NotABool => Found::error(
                        *kind,
                        "neither true nor false",
                        format!("{of} are neither true nor false: {list}"),
                    ),
                    Violation::NotATime => {
                        let text = format!("{of} are no moments of the {}: {list}", self.rule);
                        Found::error(*kind, "not a time", text)
                    }
                    Violation::Nan => Found::error(*kind, "NaN", format!("{of} are NaN")),
                    Violation::Infinite => Found::error(*kind, "infinite", format!("{of} are infinite")),
                    _ => {
                        let text = format!("{} values are not numbers: {list}", grouped(named.count));
                        Found::error(*kind, "not a number", text)
                    }
                }
            })
            .collect();
        if let Some((min, max)) = self.numbers {
            found.extend(bounds(self.rule, min, max, None));
        }
        found
    }
}

impl Named {
    /// The values, most frequent first.
    fn list(&self) -> String {
        let mut listed: Vec<(&str, u64)> = self.values.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        listed.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
        value_list(&listed)
    }
}

/// What is wrong with numbers of which `min` and `max` are the extremes. `negative` says how many of how many are below zero.
pub(super) fn bounds(rule: &ValueRule, min: f64, max: f64, negative: Option<(u64, u64)>) -> Vec<Found> {
    let kind = |violation, number| rule.anomaly_type(violation, FeatureValue::Float(number));
    let mut found = Vec::new();
    if let Some(least) = rule.min().filter(|_| rule.too_small(min)) {
        let many = negative.filter(|_| least == 0.0).map_or_else(String::new, |(count, values)| {
            let share = count as f64 / values.max(1) as f64;
            format!("{} of {} values ({}) are negative; ", grouped(count), grouped(values), percent(share))
        });
        let text = format!("{many}the smallest is {min}, the least allowed {least}");
        found.push(Found::error(kind(Violation::TooSmall, min), "below the least allowed", text));
    }
    if let Some(most) = rule.max().filter(|_| rule.too_big(max)) {
        let text = format!("the largest is {max}, the most allowed {most}");
        found.push(Found::error(kind(Violation::TooBig, max), "above the most allowed", text));
    }
    found
}

/// The share of values that may lie outside a domain of strings.
pub(super) fn tolerated(feature: &Feature) -> f64 {
    1.0 - feature.min_domain_mass.unwrap_or(1.0)
}

/// `, at most 1 % may be`, or nothing where none may.
pub(super) fn allowance(tolerated: f64) -> String {
    if tolerated > 0.0 { format!(", at most {} may be", percent(tolerated)) } else { String::new() }
}

/// How bad it is that `share` of the values lies outside a domain that tolerates `tolerated`.
pub(super) fn unexpected_severity(share: f64, tolerated: f64) -> Severity {
    // The guard keeps a share that equals what is tolerated on the right side of rounding.
    if share > tolerated + 1e-12 { Severity::Error } else { Severity::Warning }
}
