//! Parameters of the step, and their validation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, TaskKind, advise, parse_params_partly};

use super::asked::{AskedMetric, asked_issues, asked_metrics, own_metrics};
use super::{ConfidenceIntervals, FindSlices};
use crate::gate::{CrossSliceThreshold, KEYS_ELSEWHERE, SliceThreshold, Thresholds, WrittenThreshold};
use crate::slices::SliceSpec;
use crate::{BehaviourTest, DECISION_THRESHOLD, EvaluateOptions, Metric, Series};

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
    /// What the differences between slices must satisfy.
    pub cross_slice_thresholds: Vec<CrossSliceThreshold>,
    /// An `EvalConfig` of TensorFlow Model Analysis, as text (`.pbtxt`) or JSON: a path in the project. It takes the place of all
    /// other parameters but `split`.
    pub eval_config: Option<PathBuf>,
    /// Slices with fewer rows are not shown (and fail a threshold that names them).
    pub min_slice_size: u64,
    /// A row is called positive when its score is above this: for accuracy, precision, recall and rates. By default the
    /// `threshold` that the `Trainer` gave the model, and 0.5 without one.
    pub decision_threshold: Option<f64>,
    /// Metrics besides those that are always computed: names of the reference of metrics, also with a parameter, as
    /// `recall@precision=0.9`; `all` for all of the task; or metrics of your own.
    pub metrics: Vec<AskedMetric>,
    /// Tests of the model's behaviour: what must not change a prediction, which way a change must move it, what must be predicted
    /// for obvious rows. A test that fails is a reason not to bless the model.
    pub behaviour: Vec<BehaviourTest>,
    /// Measure what the model makes of its inputs: permutation importance, partial dependence and accumulated local effects.
    pub explain: bool,
    /// Which rows are a series in time: for `mase`.
    pub series: Option<Series>,
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
            cross_slice_thresholds: Vec::new(),
            eval_config: None,
            min_slice_size: 1,
            decision_threshold: None,
            metrics: Vec::new(),
            behaviour: Vec::new(),
            explain: false,
            series: None,
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
        issues.extend(asked_issues(&self.metrics));
        for (index, test) in self.behaviour.iter().enumerate() {
            issues.extend(test.issues(&["behaviour".to_owned(), index.to_string()]));
        }
        if self.series.as_ref().is_some_and(|series| series.season == 0) {
            issues.push(ParamIssue::new(["series", "season"], "a season has 1 row at least"));
        }
        let asks_for_intervals =
            |written: &BTreeMap<String, WrittenThreshold>| written.values().any(WrittenThreshold::asks_for_interval);
        if self.confidence_intervals.options().is_none()
            && (asks_for_intervals(&self.thresholds)
                || self.slice_thresholds.iter().any(|slice| asks_for_intervals(&slice.thresholds)))
        {
            let issue =
                ParamIssue::new(["confidence_intervals"], "a threshold asks for the interval, and there are none");
            issues.push(issue.with_hint("leave `confidence_intervals: false` out"));
        }
        let own = own_metrics(&self.metrics);
        let read = Thresholds::read_with(&self.thresholds, &self.slice_thresholds, &own);
        match read.and_then(|thresholds| thresholds.with_cross(&self.cross_slice_thresholds, &own)) {
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
        let compared = self.cross_slice_thresholds.iter().flat_map(|cross| [cross.against.spec(), cross.slice.spec()]);
        let mut all: Vec<SliceSpec> = Vec::new();
        for spec in self.slices.iter().cloned().chain(named).chain(compared) {
            if !all.contains(&spec) {
                all.push(spec);
            }
        }
        all
    }

    /// The options of the evaluation of a model of a task with this threshold of its own, beside a baseline with that one.
    pub fn options(&self, task: TaskKind, own: Option<f64>, of_baseline: Option<f64>) -> EvaluateOptions {
        let threshold = |own: Option<f64>| self.decision_threshold.or(own).unwrap_or(DECISION_THRESHOLD);
        let mut intervals = self.confidence_intervals.options();
        if let Some(intervals) = &mut intervals {
            // A bound on the interval of a slice needs it.
            let of_slices = self.slice_thresholds.iter().flat_map(|slice| slice.thresholds.values());
            intervals.slices |= of_slices.into_iter().any(WrittenThreshold::asks_for_interval);
        }
        EvaluateOptions {
            slices: self.all_slices(),
            min_slice_size: self.min_slice_size,
            decision_threshold: threshold(own),
            baseline_decision_threshold: Some(threshold(of_baseline)),
            confidence_intervals: intervals,
            find_slices: self.find_slices.options(),
            metrics: self.all_metrics(task),
            series: self.series.clone(),
            interval_group: self.confidence_intervals.group().map(str::to_owned),
        }
    }

    /// Every metric to compute for a task besides those that are always computed: the requested ones, and those of thresholds.
    pub fn all_metrics(&self, task: TaskKind) -> Vec<Metric> {
        let own = own_metrics(&self.metrics);
        let of_slices = self.slice_thresholds.iter().map(|slice| &slice.thresholds);
        let of_cross = self.cross_slice_thresholds.iter().map(|cross| &cross.thresholds);
        let named = std::iter::once(&self.thresholds).chain(of_slices).chain(of_cross).flat_map(BTreeMap::keys);
        let bound = named.filter_map(|name| {
            own.iter().copied().find(|own| own.name() == name).or_else(|| name.parse::<Metric>().ok())
        });
        let mut all: Vec<Metric> = asked_metrics(&self.metrics, task);
        for metric in bound.filter(|metric| metric.is_on_request()) {
            if !all.contains(&metric) {
                all.push(metric);
            }
        }
        all
    }

    /// The column of rows that belong together, for intervals.
    pub fn interval_group(&self) -> Option<&str> {
        self.confidence_intervals.group()
    }
}
