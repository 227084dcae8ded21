//! Parameters of the step, and their validation.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tidemill_core::{ParamIssue, advise, parse_params_partly};

use crate::finder::SearchOptions;
use crate::gate::{KEYS_ELSEWHERE, SliceThreshold, Thresholds, WrittenThreshold};
use crate::slices::SliceSpec;
use crate::{DECISION_THRESHOLD, EvaluateOptions, IntervalOptions, Metric};

/// Parameters of [`Evaluator`](crate::Evaluator).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluatorParams {
    /// The split to evaluate the model on.
    pub split: String,
    /// Slices: each a list of columns whose values are crossed, or `{ columns, values }` for some values only.
    /// The empty list is all rows, which are evaluated in any case.
    pub slices: Vec<SliceSpec>,
    /// Look for the slices on which the model does worst: how many, or a map of options.
    pub find_slices: FindSlices,
    /// What the model must satisfy on all rows, by metric.
    #[schemars(with = "BTreeMap<Metric, WrittenThreshold>")]
    pub thresholds: BTreeMap<String, WrittenThreshold>,
    /// What the model must satisfy on slices.
    pub slice_thresholds: Vec<SliceThreshold>,
    /// Slices with fewer rows are not shown (and fail a threshold that names them).
    pub min_slice_size: u64,
    /// A row is called positive when its score is above this: for accuracy, precision, recall and rates. By default the
    /// `threshold` that the `Trainer` gave the model, and 0.5 without one.
    pub decision_threshold: Option<f64>,
    /// Confidence intervals: `false`, `true`, or a map of options.
    pub confidence_intervals: ConfidenceIntervals,
    /// A column that says how much each row counts.
    pub weight: Option<String>,
}

impl Default for EvaluatorParams {
    fn default() -> Self {
        Self {
            split: "eval".into(),
            slices: vec![SliceSpec::default()],
            find_slices: FindSlices::default(),
            thresholds: BTreeMap::new(),
            slice_thresholds: Vec::new(),
            min_slice_size: 1,
            decision_threshold: None,
            confidence_intervals: ConfidenceIntervals::default(),
            weight: None,
        }
    }
}

impl EvaluatorParams {
    /// Reads the parameters of the step; their values are checked by [`read_thresholds`](Self::read_thresholds).
    pub fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        match Self::parse_partly(params) {
            (Some(parsed), issues) if issues.is_empty() => Ok(parsed),
            (_, issues) => Err(issues),
        }
    }

    /// As [`parse`](Self::parse), with what the rest says if a part cannot be read.
    pub(super) fn parse_partly(params: &Value) -> (Option<Self>, Vec<ParamIssue>) {
        let (parsed, mut issues) = parse_params_partly(params);
        advise(&mut issues, KEYS_ELSEWHERE);
        (parsed, issues)
    }

    /// Returns every invalid value, or the thresholds if all are valid.
    pub fn read_thresholds(&self) -> Result<Thresholds, Vec<ParamIssue>> {
        let mut issues = Vec::new();
        for (index, spec) in self.slices.iter().enumerate() {
            let twice = spec.columns.iter().enumerate().find(|(at, name)| spec.columns[..*at].contains(name));
            if let Some((_, name)) = twice {
                issues.push(ParamIssue::new(
                    ["slices".to_owned(), index.to_string()],
                    format!("column `{name}` is named twice"),
                ));
            }
        }
        if self.min_slice_size == 0 {
            issues.push(ParamIssue::new(["min_slice_size"], "a slice has 1 row at least"));
        }
        if let Some(threshold) = self.decision_threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
            issues.push(ParamIssue::new(["decision_threshold"], format!("{threshold} is not between 0 and 1")));
        }
        issues.extend(self.find_slices.issues());
        issues.extend(self.confidence_intervals.issues());
        match Thresholds::read(&self.thresholds, &self.slice_thresholds) {
            Ok(thresholds) if issues.is_empty() => Ok(thresholds),
            Ok(_) => Err(issues),
            Err(more) => {
                issues.extend(more);
                Err(issues)
            }
        }
    }

    /// Every family of slices to evaluate: the requested ones and those that thresholds name.
    pub fn all_slices(&self) -> Vec<SliceSpec> {
        let named = self.slice_thresholds.iter().map(|threshold| threshold.slice.spec());
        let mut all: Vec<SliceSpec> = Vec::new();
        for spec in self.slices.iter().cloned().chain(named) {
            if !all.contains(&spec) {
                all.push(spec);
            }
        }
        all
    }

    /// The options of the evaluation of a model with this threshold of its own, beside a baseline with that one.
    pub fn options(&self, own: Option<f64>, of_baseline: Option<f64>) -> EvaluateOptions {
        let threshold = |own: Option<f64>| self.decision_threshold.or(own).unwrap_or(DECISION_THRESHOLD);
        EvaluateOptions {
            slices: self.all_slices(),
            min_slice_size: self.min_slice_size,
            decision_threshold: threshold(own),
            baseline_decision_threshold: Some(threshold(of_baseline)),
            confidence_intervals: self.confidence_intervals.options(),
            find_slices: self.find_slices.options(),
        }
    }
}

/// How to look for bad slices: `5`, or a map of options. `0` does not look.
#[derive(Debug, Clone, PartialEq)]
pub struct FindSlices {
    top: usize,
    columns: Option<Vec<String>>,
    min_rows: Option<u64>,
    min_effect_size: f64,
    significance: f64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenFindSlices {
    /// How many slices to report.
    top: usize,
    /// Columns to search: by default what the model reads, and the columns of `slices`.
    columns: Option<Vec<String>>,
    /// The fewest rows a slice may have: by default half a percent of all, and 30 at least.
    min_rows: Option<u64>,
    /// How far the mean loss must lie above that of the other rows, in standard deviations.
    min_effect_size: f64,
    /// The largest p-value, adjusted for the number of slices tried.
    significance: f64,
}

impl Default for WrittenFindSlices {
    fn default() -> Self {
        let SearchOptions { top, min_rows, min_effect_size, significance } = SearchOptions::default();
        Self { top, columns: None, min_rows, min_effect_size, significance }
    }
}

impl Default for FindSlices {
    fn default() -> Self {
        let mut none = Self::from(WrittenFindSlices::default());
        none.top = 0;
        none
    }
}

impl From<WrittenFindSlices> for FindSlices {
    fn from(written: WrittenFindSlices) -> Self {
        let WrittenFindSlices { top, columns, min_rows, min_effect_size, significance } = written;
        Self { top, columns, min_rows, min_effect_size, significance }
    }
}

impl FindSlices {
    /// The options of the search, if it is enabled.
    pub fn options(&self) -> Option<SearchOptions> {
        (self.top > 0).then_some(SearchOptions {
            top: self.top,
            min_rows: self.min_rows,
            min_effect_size: self.min_effect_size,
            significance: self.significance,
        })
    }

    /// The columns to search, if they are named.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if !(self.significance > 0.0 && self.significance < 1.0) {
            issues.push(ParamIssue::new(["find_slices", "significance"], "a p-value lies between 0 and 1"));
        }
        if !(self.min_effect_size >= 0.0 && self.min_effect_size.is_finite()) {
            issues.push(ParamIssue::new(["find_slices", "min_effect_size"], "an effect size is 0 or more"));
        }
        issues
    }
}

impl<'de> Deserialize<'de> for FindSlices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrMap;
        impl<'de> Visitor<'de> for CountOrMap {
            type Value = FindSlices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of slices, or a map of options")
            }

            fn visit_u64<E: serde::de::Error>(self, top: u64) -> Result<Self::Value, E> {
                let top = usize::try_from(top).unwrap_or(usize::MAX);
                Ok(FindSlices { top, ..FindSlices::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                WrittenFindSlices::deserialize(MapAccessDeserializer::new(map)).map(FindSlices::from)
            }
        }
        deserializer.deserialize_any(CountOrMap)
    }
}

impl JsonSchema for FindSlices {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FindSlices".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let count = generator.subschema_for::<usize>();
        let map = generator.subschema_for::<WrittenFindSlices>();
        schemars::json_schema!({ "anyOf": [count, map] })
    }
}

/// Confidence intervals: `false`, `true`, or a map of options.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceIntervals(Option<IntervalOptions>);

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum IntervalMethod {
    /// Each replica counts every row a Poisson(1) number of times.
    #[default]
    PoissonBootstrap,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenIntervals {
    /// How intervals are made.
    #[serde(rename = "method")]
    _method: IntervalMethod,
    /// Replicas of the bootstrap.
    replicas: u32,
    /// Share of such intervals that hold the true value.
    level: f64,
    /// For every slice, not only for all rows.
    slices: bool,
}

impl Default for WrittenIntervals {
    fn default() -> Self {
        let IntervalOptions { replicas, level, slices } = IntervalOptions::default();
        Self { _method: IntervalMethod::default(), replicas, level, slices }
    }
}

impl Default for ConfidenceIntervals {
    fn default() -> Self {
        Self(Some(IntervalOptions::default()))
    }
}

impl ConfidenceIntervals {
    /// The options of the intervals, if they are enabled.
    pub fn options(self) -> Option<IntervalOptions> {
        self.0
    }

    fn issues(self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        let Some(options) = self.0 else { return issues };
        if !(2..=10_000).contains(&options.replicas) {
            issues.push(ParamIssue::new(
                ["confidence_intervals", "replicas"],
                format!("{} is not between 2 and 10000", options.replicas),
            ));
        }
        if !(options.level > 0.0 && options.level < 1.0) {
            issues.push(
                ParamIssue::new(["confidence_intervals", "level"], format!("{} is not between 0 and 1", options.level))
                    .with_hint("95 % is written 0.95"),
            );
        }
        issues
    }
}

impl<'de> Deserialize<'de> for ConfidenceIntervals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoolOrMap;
        impl<'de> Visitor<'de> for BoolOrMap {
            type Value = ConfidenceIntervals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a map of options")
            }

            fn visit_bool<E: serde::de::Error>(self, wanted: bool) -> Result<Self::Value, E> {
                Ok(ConfidenceIntervals(wanted.then(IntervalOptions::default)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let WrittenIntervals { replicas, level, slices, .. } =
                    WrittenIntervals::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ConfidenceIntervals(Some(IntervalOptions { replicas, level, slices })))
            }
        }
        deserializer.deserialize_any(BoolOrMap)
    }
}

impl JsonSchema for ConfidenceIntervals {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfidenceIntervals".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let wanted = generator.subschema_for::<bool>();
        let map = generator.subschema_for::<WrittenIntervals>();
        schemars::json_schema!({ "anyOf": [wanted, map] })
    }
}
