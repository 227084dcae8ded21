//! What a round is judged by, and the best round so far.

use rayon::prelude::*;

use super::boosting::{RUN_ROWS, Trees, add_trees};
use super::choices::Combination;
use super::combination::Changes;
use super::grown::GrownTree;
use super::metric::StopMetric;
use super::objective::Objective;
use super::params::GradientBoosting;
use super::rows::LabelledRows;

/// What a round is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) objective: &'a dyn Objective,
    pub(super) metric: Option<StopMetric>,
    pub(super) params: &'a GradientBoosting,
}

impl Judge<'_> {
    pub(super) fn metric(self, scores: &[Vec<f64>], rows: &LabelledRows) -> f64 {
        match self.metric {
            // Of classes and labels, the loss is the log-loss.
            Some(StopMetric::LogLoss) | None => loss(self.objective, scores, rows),
            Some(metric) => metric.value(scores, self.objective.link(), rows, self.params),
        }
    }

    pub(super) fn is_better(self, metric: f64, than: f64) -> bool {
        if self.metric.is_some_and(StopMetric::larger_is_better) { metric > than } else { metric < than }
    }
}

/// Scores of the validation rows, and the best there were.
pub(super) struct ValidationScores<'a> {
    rows: &'a LabelledRows,
    judge: Judge<'a>,
    /// What the rows start from, where a round changes what all trees count.
    start: Option<Vec<Vec<f64>>>,
    pub(super) scores: Vec<Vec<f64>>,
    pub(super) metric: f64,
    pub(super) best_round: u32,
    pub(super) best_metric: f64,
    pub(super) best_scores: Vec<Vec<f64>>,
}

impl<'a> ValidationScores<'a> {
    pub(super) fn new(rows: &'a LabelledRows, judge: Judge<'a>, base_scores: &[f64]) -> Self {
        let scores = rows.start(base_scores);
        let best_scores = scores.clone();
        let start = (judge.params.boosting == Combination::RandomForest).then(|| scores.clone());
        Self { rows, judge, start, scores, metric: f64::NAN, best_round: 0, best_metric: f64::NAN, best_scores }
    }

    /// Adds the trees of a round.
    pub(super) fn add(&mut self, changes: &Changes, grown: &[Trees], trees: &[GrownTree], factors: &[f64], round: u32) {
        for (scores, start) in self.scores.iter_mut().zip(self.start.iter().flatten()) {
            scores.iter_mut().zip(start).for_each(|(score, start)| *score = start + (*score - start) * changes.all);
        }
        for (at, by) in &changes.earlier {
            add_trees(&grown[*at], &self.rows.data, &mut self.scores, factors[*at] * (by - 1.0));
        }
        add_trees(trees, &self.rows.data, &mut self.scores, changes.new);
        self.metric = self.judge.metric(&self.scores, self.rows);
        if self.best_round == 0 || self.judge.is_better(self.metric, self.best_metric) {
            (self.best_metric, self.best_round) = (self.metric, round);
            self.best_scores.clone_from(&self.scores);
        }
    }
}

/// The metric of the mean loss.
pub(super) fn loss(objective: &dyn Objective, scores: &[Vec<f64>], rows: &LabelledRows) -> f64 {
    let parts: Vec<(f64, f64)> = rows
        .labels
        .par_chunks(RUN_ROWS)
        .enumerate()
        .map(|(run, labels)| {
            let from = run * RUN_ROWS;
            let mut of_row = vec![0.0; scores.len()];
            labels.iter().enumerate().fold((0.0, 0.0), |(loss, total), (at, label)| {
                let weight = rows.weights.as_ref().map_or(1.0, |weights| weights[from + at]);
                of_row.iter_mut().zip(scores).for_each(|(score, column)| *score = column[from + at]);
                (loss + weight * objective.loss(&of_row, *label), total + weight)
            })
        })
        .collect();
    let (loss, total) = parts.into_iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    objective.metric(loss / total)
}
