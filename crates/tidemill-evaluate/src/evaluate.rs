//! From predictions to metrics by slice.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tidemill_core::TaskKind;
use tidemill_model::Task;

use crate::evaluation::EVALUATION_FORMAT;
use crate::finder::{SearchOptions, search};
use crate::intervals::{Measured, around};
use crate::metrics::{
    ConfusionCounts, Curves, Kind, LabelCounts, Metric, MetricPlan, Ordered, Rows, Subset, class_areas, floors,
    label_areas, metrics_with,
};
use crate::row_values::{Predicted, row_values};
use crate::slices::{SliceKey, SliceSpec, partition};
use crate::{
    ClassEvaluation, DroppedSlices, EvaluateError, Evaluation, EvaluationTable, IntervalOptions, SliceEvaluation,
};

/// A row is called positive if its score is above this, unless something else is said.
pub const DECISION_THRESHOLD: f64 = 0.5;

/// Options of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateOptions {
    /// Families of slices. All rows are always evaluated, named here or not.
    pub slices: Vec<SliceSpec>,
    /// The fewest rows a slice must have to be shown. All rows are shown in any case.
    pub min_slice_size: u64,
    /// A row is called positive if its score is above this.
    pub decision_threshold: f64,
    /// The same for the scores of the baseline; that of the candidate if absent.
    pub baseline_decision_threshold: Option<f64>,
    /// How to compute confidence intervals, if at all.
    pub confidence_intervals: Option<IntervalOptions>,
    /// How to search for bad slices, if at all. Needs `finder` in the table.
    pub find_slices: Option<SearchOptions>,
    /// Metrics on request, with parameters, and defined ones. Needs their [`needs`] in the table.
    pub metrics: Vec<Metric>,
    /// Which rows are a series in time, for the error of a naive forecast.
    pub series: Option<Series>,
    /// The column of rows that belong together, by whose number `groups` of the table draws them.
    pub interval_group: Option<String>,
}

/// Series in time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The column that orders the rows: a number, or a date or time as text.
    pub time: String,
    /// The columns whose values make a series: none for a single one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Rows of a season: the naive forecast is the value so many rows earlier.
    #[serde(default = "Series::default_season")]
    pub season: usize,
}

impl Series {
    const fn default_season() -> usize {
        1
    }
}

/// The columns that metrics need of the rows: to compute with, and to group by.
pub fn needs(metrics: &[Metric], series: Option<&Series>) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut groups) = (Vec::new(), Vec::new());
    let add = |to: &mut Vec<String>, name: &String| {
        if !to.contains(name) {
            to.push(name.clone());
        }
    };
    for metric in metrics {
        match metric {
            Metric::Mase => series.iter().for_each(|series| {
                std::iter::once(&series.time).chain(&series.by).for_each(|name| add(&mut kept, name));
            }),
            Metric::Written(written) => match written.kind() {
                Kind::Own(own) => own.columns().iter().for_each(|name| add(&mut kept, name)),
                Kind::Spread { column, .. } => add(&mut groups, column),
                _ => {}
            },
            _ => {}
        }
    }
    (kept, groups)
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            slices: Vec::new(),
            min_slice_size: 1,
            decision_threshold: DECISION_THRESHOLD,
            baseline_decision_threshold: None,
            confidence_intervals: Some(IntervalOptions::default()),
            find_slices: None,
            metrics: Vec::new(),
            series: None,
            interval_group: None,
        }
    }
}

/// The rows of a table in the order of each model's scores.
struct Sorted<'a> {
    task: TaskKind,
    options: &'a EvaluateOptions,
    plan: MetricPlan,
    baseline_plan: MetricPlan,
    /// Whether every row counts the same and for itself.
    alike: bool,
    candidate: Ordered,
    baseline: Option<Ordered>,
}

/// Evaluates the predictions of `table`: every metric of its task on all rows and on every slice.
///
/// Runs on the current rayon pool; the result has the same bits at any number of threads and in any order of rows
/// (intervals resample rows by their position, so another order changes them within their randomness).
pub fn evaluate(table: &EvaluationTable, options: &EvaluateOptions) -> Result<Evaluation, EvaluateError> {
    table.check()?;
    check_metrics(&table.task, &options.metrics)?;
    let sorted = Sorted::new(table, options)?;
    let mut slices = vec![sorted.overall()];
    let mut dropped = DroppedSlices { min_slice_size: options.min_slice_size, slices: 0 };
    for spec in options.slices.iter().filter(|spec| !spec.columns.is_empty()) {
        let (family, too_small) = sorted.family(spec, table)?;
        dropped.slices += too_small;
        // Two families may name the same slice; the first one counts.
        slices.extend(family);
    }
    let mut seen: std::collections::HashSet<SliceKey> = std::collections::HashSet::new();
    slices.retain(|slice| seen.insert(slice.slice.clone()));

    Ok(Evaluation {
        format: EVALUATION_FORMAT,
        task: table.task.clone(),
        split: table.split.clone(),
        rows: table.rows() as u64,
        label: table.label.clone(),
        weight: table.weights.as_ref().map(|(column, _)| column.clone()),
        model: None,
        baseline: None,
        decision_threshold: (table.task.kind() == TaskKind::Binary).then_some(options.decision_threshold),
        baseline_decision_threshold: sorted.baseline.as_ref().and_then(|_| {
            let is_another = |threshold: &f64| *threshold != options.decision_threshold;
            options
                .baseline_decision_threshold
                .filter(|other| table.task.kind() == TaskKind::Binary && is_another(other))
        }),
        floors: floors(table.task.kind(), &sorted.candidate),
        confidence_intervals: options.confidence_intervals,
        interval_group: options.confidence_intervals.and_then(|_| options.interval_group.clone()),
        own_metrics: options.metrics.iter().filter_map(|metric| metric.definition().cloned()).collect(),
        slices,
        dropped,
        curves: Curves::new(&table.task, &sorted.candidate),
        classes: match &table.task {
            Task::MultiLabel { labels } => Some(label_evaluations(labels, &sorted.candidate)),
            task => class_evaluations(task.classes(), &sorted.candidate),
        },
        baseline_curves: sorted.baseline.as_ref().map(|rows| Curves::new(&table.task, rows)),
        found_slices: match (&options.find_slices, &table.finder) {
            (Some(search_options), Some(sample)) => {
                Some(search(table, sample, search_options, options.decision_threshold))
            }
            _ => None,
        },
        behaviour: Vec::new(),
        effects: None,
        suspicions: None,
    })
}

/// The quality of each class; `None` without classes.
fn class_evaluations(classes: &[String], rows: &Ordered) -> Option<Vec<ClassEvaluation>> {
    if classes.is_empty() {
        return None;
    }
    let (counts, areas) = (ConfusionCounts::new(classes.len(), rows), class_areas(rows));
    let one = |(at, class): (usize, &String)| ClassEvaluation {
        class: class.clone(),
        rows: counts.rows(at),
        precision: counts.precision(at),
        recall: counts.recall(at),
        f1: counts.f1(at),
        log_loss: None,
        auc: areas.get(at).copied().flatten(),
        predicted: classes.iter().enumerate().map(|(other, name)| (name.clone(), counts.get(at, other))).collect(),
    };
    Some(classes.iter().enumerate().map(one).collect())
}

/// The quality of each label.
fn label_evaluations(labels: &[String], rows: &Ordered) -> Vec<ClassEvaluation> {
    let areas = label_areas(rows);
    let one = |(at, label): (usize, &String)| {
        let counts = LabelCounts::new(at, rows);
        ClassEvaluation {
            class: label.clone(),
            rows: counts.rows(),
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            log_loss: counts.log_loss(),
            auc: areas.get(at).copied().flatten(),
            predicted: BTreeMap::new(),
        }
    };
    labels.iter().enumerate().map(one).collect()
}

/// Whether the model has what metrics are of: the task, and the class.
fn check_metrics(task: &Task, metrics: &[Metric]) -> Result<(), EvaluateError> {
    for metric in metrics {
        if !metric.applies_to(task.kind()) {
            let known: Vec<&str> = Metric::of(task).map(Metric::name).collect();
            return Err(EvaluateError::MetricOfOtherTask {
                metric: metric.name().to_owned(),
                task: task.name(),
                known: known.join(", "),
            });
        }
        if let Metric::Written(written) = metric
            && let Kind::Class { class, .. } = written.kind()
            && !task.names().contains(class)
        {
            return Err(EvaluateError::MetricOfUnknownClass {
                metric: metric.name().to_owned(),
                class: class.clone(),
                known: task.names().to_vec(),
            });
        }
    }
    Ok(())
}

impl<'a> Sorted<'a> {
    fn new(table: &EvaluationTable, options: &'a EvaluateOptions) -> Result<Self, EvaluateError> {
        let task = &table.task;
        let threshold = options.decision_threshold;
        let plan = MetricPlan::at(threshold).with(task, options.metrics.iter().copied());
        let of_baseline = options.baseline_decision_threshold.unwrap_or(threshold);
        let mut baseline_plan = plan.clone();
        baseline_plan.decision_threshold = of_baseline;
        let (mut candidate, mut baseline) = table.ordered();
        if !plan.columns().is_empty() {
            let values = |scores: &[f64], columns: &[Vec<f64>], threshold| {
                let predicted = Predicted { scores, columns, threshold };
                row_values(table, plan.columns(), predicted, options.series.as_ref())
            };
            candidate = candidate.with_values(values(&table.predictions, &table.class_predictions, threshold)?);
            if let (Some(rows), Some(scores)) = (baseline.take(), &table.baseline) {
                baseline = Some(rows.with_values(values(scores, &table.class_baseline, of_baseline)?));
            }
        }
        let alike = table.weights.is_none() && table.groups.is_none();
        Ok(Self { task: task.kind(), options, plan, baseline_plan, alike, candidate, baseline })
    }
}

impl Sorted<'_> {
    fn overall(&self) -> SliceEvaluation {
        let with_intervals = self.options.confidence_intervals;
        self.slice(SliceKey::overall(), &self.candidate, self.baseline.as_ref(), with_intervals)
    }

    /// The slices of one family that are large enough, and the number of those that are not.
    fn family(&self, spec: &SliceSpec, table: &EvaluationTable) -> Result<(Vec<SliceEvaluation>, u64), EvaluateError> {
        let division = partition(spec, &table.columns, table.rows())?;
        let positions = division.positions((0..self.candidate.len()).map(|position| self.candidate.id(position)));
        let baseline_positions =
            self.baseline.as_ref().map(|rows| division.positions((0..rows.len()).map(|position| rows.id(position))));
        let with_intervals = self.options.confidence_intervals.filter(|intervals| intervals.slices);
        let slices: Vec<SliceEvaluation> = division
            .keys
            .par_iter()
            .enumerate()
            .filter(|(number, _)| positions.of(*number).len() as u64 >= self.options.min_slice_size)
            .map(|(number, key)| {
                let rows = Subset { whole: &self.candidate, positions: positions.of(number) };
                let baseline = self
                    .baseline
                    .as_ref()
                    .zip(baseline_positions.as_ref())
                    .map(|(whole, positions)| Subset { whole, positions: positions.of(number) });
                self.slice(key.clone(), &rows, baseline.as_ref(), with_intervals)
            })
            .collect();
        let too_small = (division.keys.len() - slices.len()) as u64;
        Ok((slices, too_small))
    }

    fn slice<R: Rows>(
        &self,
        key: SliceKey,
        rows: &R,
        baseline_rows: Option<&R>,
        with_intervals: Option<IntervalOptions>,
    ) -> SliceEvaluation {
        let metrics = metrics_with(self.task, rows, &self.plan);
        let baseline = baseline_rows.map(|rows| metrics_with(self.task, rows, &self.baseline_plan));
        let (mut intervals, mut change_intervals) = (None, None);
        if let Some(options) = with_intervals {
            let candidate = Measured { rows, plan: &self.plan, metrics: &metrics };
            let compared = baseline_rows.zip(baseline.as_ref());
            let compared = compared.map(|(rows, metrics)| Measured { rows, plan: &self.baseline_plan, metrics });
            let (around, around_change) = around(self.task, &candidate, compared.as_ref(), options, self.alike);
            (intervals, change_intervals) = (Some(around), around_change);
        }
        SliceEvaluation { slice: key, rows: rows.len() as u64, metrics, baseline, intervals, change_intervals }
    }
}
