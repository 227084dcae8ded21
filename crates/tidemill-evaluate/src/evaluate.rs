//! From predictions to metrics by slice.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tidemill_core::TaskKind;
use tidemill_model::Task;

use crate::evaluation::EVALUATION_FORMAT;
use crate::finder::{SearchOptions, search};
use crate::intervals::{change_intervals, intervals, replicas};
use crate::metrics::{
    ConfusionCounts, Curves, LabelCounts, Ordered, Rows, Subset, class_areas, floors, label_areas, metrics_of,
};
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
        }
    }
}

/// The rows of a table in the order of each model's scores.
struct Sorted<'a> {
    task: TaskKind,
    options: &'a EvaluateOptions,
    candidate: Ordered,
    baseline: Option<Ordered>,
}

/// Evaluates the predictions of `table`: every metric of its task on all rows and on every slice.
///
/// Runs on the current rayon pool; the result has the same bits at any number of threads and in any order of rows
/// (intervals resample rows by their position, so another order changes them within their randomness).
pub fn evaluate(table: &EvaluationTable, options: &EvaluateOptions) -> Result<Evaluation, EvaluateError> {
    table.check()?;
    let (candidate, baseline) = table.ordered();
    let sorted = Sorted { task: table.task.kind(), options, candidate, baseline };
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
        let threshold = self.options.decision_threshold;
        let metrics = metrics_of(self.task, rows, threshold);
        let of_baseline = self.options.baseline_decision_threshold.unwrap_or(threshold);
        let baseline = baseline_rows.map(|rows| metrics_of(self.task, rows, of_baseline));
        let (mut around, mut around_change) = (None, None);
        if let Some(IntervalOptions { replicas: count, level, .. }) = with_intervals {
            let drawn = replicas(self.task, rows, threshold, count);
            around = Some(intervals(&metrics, &drawn, level));
            if let (Some(rows), Some(baseline)) = (baseline_rows, &baseline) {
                let baseline_drawn = replicas(self.task, rows, of_baseline, count);
                around_change = Some(change_intervals([&metrics, baseline], [&drawn, &baseline_drawn], level));
            }
        }
        SliceEvaluation {
            slice: key,
            rows: rows.len() as u64,
            metrics,
            baseline,
            intervals: around,
            change_intervals: around_change,
        }
    }
}
