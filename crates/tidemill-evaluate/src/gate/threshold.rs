//! Thresholds as written in a pipeline file, and their validation.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tidemill_core::{ParamIssue, TaskKind};

use super::Rule;
use super::elsewhere::unknown_metric;
use super::written::bounds;
use crate::EvaluateError;
use crate::metrics::{Direction, Metric};
use crate::slices::{SliceKey, SliceSpec};

/// What a metric must satisfy. Every bound that is set must hold; a value equal to its bound passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// How much worse than the baseline the metric may be, in its own unit. Not looked at without a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_worse_than_baseline_by: Option<f64>,
    /// How much worse than the baseline the metric may be, in percent of the baseline's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_worse_than_baseline_by_percent: Option<f64>,
    /// How much better than the baseline the metric must be, in its own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better_than_baseline_by: Option<f64>,
    /// The least change: the metric minus that of the baseline, whichever is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_at_least: Option<f64>,
    /// The largest change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_at_most: Option<f64>,
    /// The least relative change: the change divided by the baseline's value, 0.1 for 10 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_change_at_least: Option<f64>,
    /// The largest relative change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_change_at_most: Option<f64>,
    /// Every bound must hold for the whole confidence interval, not only for the value: a result that chance may explain does
    /// not pass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interval: bool,
}

impl Threshold {
    /// The bounds that are set.
    pub fn rules(&self) -> impl Iterator<Item = (Rule, f64)> {
        [
            (Rule::AtLeast, self.at_least),
            (Rule::AtMost, self.at_most),
            (Rule::NoWorseThanBaselineBy, self.no_worse_than_baseline_by),
            (Rule::NoWorseThanBaselineByPercent, self.no_worse_than_baseline_by_percent),
            (Rule::BetterThanBaselineBy, self.better_than_baseline_by),
            (Rule::ChangeAtLeast, self.change_at_least),
            (Rule::ChangeAtMost, self.change_at_most),
            (Rule::RelativeChangeAtLeast, self.relative_change_at_least),
            (Rule::RelativeChangeAtMost, self.relative_change_at_most),
        ]
        .into_iter()
        .filter_map(|(rule, limit)| Some((rule, limit?)))
    }
}

/// A threshold as a pipeline file has it: a mapping, or bounds in a text as commands take them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum WrittenThreshold {
    /// `{ at_least: 0.9 }`
    Bounds(Threshold),
    /// `">= 0.9"`, or several bounds: `">= 0.9, >= baseline - 0.01"`
    Text(String),
    /// A number alone, which says neither which way nor against what.
    Number(f64),
}

impl<'de> Deserialize<'de> for WrittenThreshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrText;
        impl<'de> Visitor<'de> for MapOrText {
            type Value = WrittenThreshold;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bounds, as in `{ at_least: 0.9 }` or `\">= 0.9\"`,")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Threshold::deserialize(MapAccessDeserializer::new(map)).map(WrittenThreshold::Bounds)
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(WrittenThreshold::Text(text.to_owned()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(WrittenThreshold::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(WrittenThreshold::Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(WrittenThreshold::Number(number as f64))
            }
        }
        deserializer.deserialize_any(MapOrText)
    }
}

impl schemars::JsonSchema for WrittenThreshold {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WrittenThreshold".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let bounds = generator.subschema_for::<Threshold>();
        let text = schemars::json_schema!({ "type": "string", "description": "Bounds in a text: `>= 0.9`." });
        schemars::json_schema!({ "anyOf": [bounds, text] })
    }
}

impl WrittenThreshold {
    /// Whether the bounds must hold for the whole interval.
    pub(crate) fn asks_for_interval(&self) -> bool {
        match self {
            Self::Bounds(threshold) => threshold.interval,
            Self::Text(text) => text.trim_end().ends_with("(interval)"),
            Self::Number(_) => false,
        }
    }

    /// The bounds on a metric.
    fn read(&self, metric: Metric, path: &[String]) -> Result<Threshold, ParamIssue> {
        match self {
            Self::Bounds(threshold) => Ok(*threshold),
            Self::Text(text) => {
                bounds(metric, text).map_err(|(problem, hint)| ParamIssue::new(path.to_vec(), problem).with_hint(hint))
            }
            Self::Number(number) => {
                let bound = if metric.direction() == Direction::Lower { "at_most" } else { "at_least" };
                let issue = ParamIssue::new(path.to_vec(), format!("`{metric}` has a number and no bound"));
                Err(issue.with_hint(format!("write `{metric}: {{ {bound}: {number} }}`")))
            }
        }
    }
}

/// Which slices a threshold is for: `{ payment_type: Cash }` is one slice, `[payment_type]` every slice by the
/// values of those columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SliceSelector {
    /// One slice.
    One(SliceKey),
    /// Every slice by the values of these columns that is large enough to be shown.
    Each(Vec<String>),
    /// Every slice by the values of columns some of which are given. Pipeline files have no form for it.
    Family(SliceSpec),
}

impl SliceSelector {
    /// The slices to evaluate for it.
    pub fn spec(&self) -> SliceSpec {
        match self {
            Self::Each(columns) => SliceSpec::over(columns.iter().cloned()),
            Self::Family(spec) => spec.clone(),
            Self::One(key) => SliceSpec {
                columns: key.terms().iter().map(|term| term.column.clone()).collect(),
                values: key.terms().iter().map(|term| (term.column.clone(), vec![term.value.clone()])).collect(),
            },
        }
    }
}

impl<'de> Deserialize<'de> for SliceSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrList;
        impl<'de> Visitor<'de> for MapOrList {
            type Value = SliceSelector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from column to value, or a list of columns")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                SliceKey::deserialize(MapAccessDeserializer::new(map)).map(SliceSelector::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(SliceSelector::Each)
            }
        }
        deserializer.deserialize_any(MapOrList)
    }
}

impl schemars::JsonSchema for SliceSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SliceSelector".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<BTreeMap<String, crate::slices::SliceValue>>();
        let each = generator.subschema_for::<Vec<String>>();
        schemars::json_schema!({
            "description": "One slice as a map from column to value, or every slice by the values of a list of columns.",
            "anyOf": [one, each],
        })
    }
}

/// Thresholds for some slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SliceThreshold {
    /// The slices.
    pub slice: SliceSelector,
    /// Bounds by metric.
    #[schemars(with = "BTreeMap<Metric, WrittenThreshold>")]
    pub thresholds: BTreeMap<String, WrittenThreshold>,
}

/// Thresholds for the difference between two slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossSliceThreshold {
    /// The slice to compare with: `{}` is all rows.
    pub against: SliceSelector,
    /// The slices that are compared.
    pub slice: SliceSelector,
    /// Bounds by metric, on the metric of `against` minus that of `slice`.
    #[schemars(with = "BTreeMap<Metric, WrittenThreshold>")]
    pub thresholds: BTreeMap<String, WrittenThreshold>,
}

/// Everything that a model must satisfy to be blessed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    /// Bounds on all rows, by metric.
    pub overall: BTreeMap<Metric, Threshold>,
    /// Bounds on slices.
    pub slices: Vec<(SliceSelector, BTreeMap<Metric, Threshold>)>,
    /// Bounds on differences: of which slice, minus which, by metric.
    pub cross: Vec<(SliceSelector, SliceSelector, BTreeMap<Metric, Threshold>)>,
}

impl Thresholds {
    /// Parses thresholds: every unknown metric and every meaningless bound is an issue.
    pub fn read(
        overall: &BTreeMap<String, WrittenThreshold>,
        slices: &[SliceThreshold],
    ) -> Result<Self, Vec<ParamIssue>> {
        Self::read_with(overall, slices, &[])
    }

    /// As [`read`](Self::read), where bounds may name the metrics `own` too.
    pub fn read_with(
        overall: &BTreeMap<String, WrittenThreshold>,
        slices: &[SliceThreshold],
        own: &[Metric],
    ) -> Result<Self, Vec<ParamIssue>> {
        let mut issues = Vec::new();
        let read = Self {
            cross: Vec::new(),
            overall: metrics_by_name(overall, own, &["thresholds".to_owned()], &mut issues),
            slices: slices
                .iter()
                .enumerate()
                .map(|(index, written)| {
                    let at = ["slice_thresholds".to_owned(), index.to_string()];
                    if matches!(&written.slice, SliceSelector::One(key) if key.is_overall())
                        || matches!(&written.slice, SliceSelector::Each(columns) if columns.is_empty())
                    {
                        issues.push(
                            ParamIssue::new(at.iter().cloned().chain(["slice".into()]), "the slice names no column")
                                .with_hint("bounds on all rows belong in `thresholds`"),
                        );
                    }
                    let at = [at.as_slice(), &["thresholds".to_owned()]].concat();
                    (written.slice.clone(), metrics_by_name(&written.thresholds, own, &at, &mut issues))
                })
                .collect(),
        };
        if issues.is_empty() { Ok(read) } else { Err(issues) }
    }

    /// Adds bounds on the differences between slices.
    pub fn with_cross(mut self, cross: &[CrossSliceThreshold], own: &[Metric]) -> Result<Self, Vec<ParamIssue>> {
        let mut issues = Vec::new();
        for (index, written) in cross.iter().enumerate() {
            let at = ["cross_slice_thresholds".to_owned(), index.to_string(), "thresholds".to_owned()];
            let bounds = metrics_by_name(&written.thresholds, own, &at, &mut issues);
            if bounds.values().any(|threshold| threshold.interval) {
                let message = "a difference between slices has no confidence interval";
                issues.push(
                    ParamIssue::new(at, message)
                        .with_hint("a metric `difference(METRIC)[COLUMN]` has one, and `thresholds` can name it"),
                );
            }
            self.cross.push((written.against.clone(), written.slice.clone(), bounds));
        }
        if issues.is_empty() { Ok(self) } else { Err(issues) }
    }

    /// Whether there are no thresholds.
    pub fn is_empty(&self) -> bool {
        self.metrics().next().is_none()
    }

    /// Returns an error if a bound is on a metric that models of `task` do not have.
    pub fn check_task(&self, task: TaskKind) -> Result<(), EvaluateError> {
        match self.metrics().find(|(metric, _)| !metric.applies_to(task)) {
            None => Ok(()),
            Some((metric, _)) => {
                let known: Vec<&str> = Metric::of(task).map(Metric::name).collect();
                Err(EvaluateError::MetricOfOtherTask {
                    metric: metric.name().to_owned(),
                    task: task.name(),
                    known: known.join(", "),
                })
            }
        }
    }

    /// Every metric that has a bound, with the bounds.
    pub fn metrics(&self) -> impl Iterator<Item = (Metric, &Threshold)> {
        let slices = self.slices.iter().flat_map(|(_, thresholds)| thresholds);
        let cross = self.cross.iter().flat_map(|(_, _, thresholds)| thresholds);
        self.overall
            .iter()
            .chain(slices)
            .chain(cross)
            .filter(|(_, threshold)| threshold.rules().next().is_some())
            .map(|(metric, threshold)| (*metric, threshold))
    }
}

fn metrics_by_name(
    written: &BTreeMap<String, WrittenThreshold>,
    own: &[Metric],
    at: &[String],
    issues: &mut Vec<ParamIssue>,
) -> BTreeMap<Metric, Threshold> {
    let mut read = BTreeMap::new();
    for (name, threshold) in written {
        let path: Vec<String> = at.iter().cloned().chain([name.clone()]).collect();
        let defined = own.iter().copied().find(|metric| metric.name() == name);
        match defined.map_or_else(|| name.parse::<Metric>(), Ok) {
            Ok(metric) => match threshold.read(metric, &path) {
                Ok(threshold) => {
                    issues.extend(threshold_issues(metric, &threshold, &path));
                    read.insert(metric, threshold);
                }
                Err(issue) => issues.push(issue),
            },
            Err(error) => issues.push(unknown_metric(&error, name, own, path)),
        }
    }
    read
}

fn threshold_issues(metric: Metric, threshold: &Threshold, path: &[String]) -> Vec<ParamIssue> {
    let mut issues = Vec::new();
    let at = |rule: Rule| path.iter().cloned().chain([rule.name().to_owned()]);
    let (low, high) = metric.range();
    for (rule, limit) in threshold.rules() {
        if !limit.is_finite() {
            issues
                .push(ParamIssue::new(at(rule), format!("{limit} is not a valid bound: a finite number is required")));
            continue;
        }
        let impossible = match rule {
            Rule::AtLeast => limit > high,
            Rule::AtMost => limit < low,
            _ => false,
        };
        if impossible {
            let never = if rule == Rule::AtLeast { "more" } else { "less" };
            let end = if rule == Rule::AtLeast { high } else { low };
            issues.push(ParamIssue::new(at(rule), format!("`{metric}` is never {never} than {end}")));
        }
        if rule.needs_direction() && metric.direction() == Direction::Neutral {
            issues.push(
                ParamIssue::new(at(rule), format!("no value of `{metric}` is better than another"))
                    .with_hint("bound it with `at_least` and `at_most`"),
            );
        }
        if rule.needs_direction() && limit < 0.0 {
            let other = if rule == Rule::BetterThanBaselineBy {
                "no_worse_than_baseline_by"
            } else {
                "better_than_baseline_by"
            };
            issues.push(ParamIssue::new(at(rule), format!("{limit} is negative")).with_hint(format!("use `{other}`")));
        }
    }
    if let (Some(low), Some(high)) = (threshold.at_least, threshold.at_most)
        && low > high
    {
        issues.push(ParamIssue::new(path.to_vec(), format!("no value is at least {low} and at most {high}")));
    }
    if threshold.interval && !matches!(metric.direction(), Direction::Higher | Direction::Lower) {
        let wrong = threshold.rules().any(|(rule, _)| rule.needs_direction());
        if wrong {
            issues.push(ParamIssue::new(
                path.to_vec(),
                format!("the interval of a change of `{metric}` has no better end"),
            ));
        }
    }
    if threshold.rules().next().is_none() {
        issues.push(
            ParamIssue::new(path.to_vec(), format!("`{metric}` has no bound")).with_hint("add one: `at_least: 0.9`"),
        );
    }
    issues
}
