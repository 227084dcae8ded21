//! Metrics of a model of several classes.

use super::binary::log_loss;
use super::rank::{RankMetrics, RankSums, mean_of_all, rank_pairs, weighted_mean};
use super::values::ratio;
use super::{Metric, Metrics, Rows};

/// Areas of one class against the rest are computed for at most this many classes.
pub(super) const RANKED_CLASSES_MAX: usize = 100;
/// The maximum number of pairs of a row and a class that are ranked together.
const PAIRS_MAX: usize = 1 << 27;

/// The confusion matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusionCounts {
    classes: usize,
    /// Weight of the rows, by true and then by predicted class.
    cells: Vec<f64>,
}

impl ConfusionCounts {
    /// Counts `rows`.
    pub fn new<R: Rows>(classes: usize, rows: &R) -> Self {
        let mut cells = vec![0.0; classes * classes];
        for position in 0..rows.len() {
            let row = rows.row(position);
            cells[row.label as usize * classes + rows.predicted(position) as usize] += row.weight;
        }
        Self { classes, cells }
    }

    /// Weight of the rows of class `truth` that were predicted as `predicted`.
    pub fn get(&self, truth: usize, predicted: usize) -> f64 {
        self.cells[truth * self.classes + predicted]
    }

    /// Weight of the rows of a class.
    pub fn rows(&self, class: usize) -> f64 {
        (0..self.classes).map(|predicted| self.get(class, predicted)).sum()
    }

    /// Weight of the rows predicted as a class.
    fn predicted(&self, class: usize) -> f64 {
        (0..self.classes).map(|truth| self.get(truth, class)).sum()
    }

    /// Share of the rows of a class that were predicted correctly.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.get(class, class), self.rows(class))
    }

    /// Share of the rows predicted as a class that belong to it.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.get(class, class), self.predicted(class))
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self, class: usize) -> Option<f64> {
        ratio(2.0 * self.get(class, class), self.rows(class) + self.predicted(class))
    }
}

impl ConfusionCounts {
    /// The mean over the classes of what is defined; a class without true or predicted rows is left out, as in
    /// scikit-learn with `zero_division=nan`.
    fn mean(&self, of: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        let known: Vec<f64> = (0..self.classes).filter_map(|class| of(self, class)).collect();
        ratio(known.iter().sum(), known.len() as f64)
    }

    fn weighted(&self, of: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        // A class that is never predicted has no precision, and its rows count as predicted wrongly.
        weighted_mean((0..self.classes).map(|class| (of(self, class).or(Some(0.0)), self.rows(class))))
    }

    /// Gorodkin's correlation of two classifications (2004, doi:10.1016/j.compbiolchem.2004.09.006) and Cohen's kappa.
    fn write_agreement(&self, weight: f64, right: f64, metrics: &mut Metrics) {
        let sum = |of: &dyn Fn(usize) -> f64| (0..self.classes).map(of).sum::<f64>();
        let by_chance = sum(&|class| self.rows(class) * self.predicted(class));
        let truth = weight * weight - sum(&|class| self.rows(class).powi(2));
        let called = weight * weight - sum(&|class| self.predicted(class).powi(2));
        let correlation = ratio(right * weight - by_chance, truth.sqrt() * called.sqrt());
        metrics.set(Metric::Mcc, correlation.map(|correlation| correlation.clamp(-1.0, 1.0)));
        metrics.set(Metric::Kappa, ratio(right * weight - by_chance, weight * weight - by_chance));
    }
}

/// Writes every metric of a model of several classes.
pub(super) fn write_class_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let classes = rows.class_count();
    let counts = ConfusionCounts::new(classes, rows);
    let (mut weight, mut loss, mut squares) = (0.0, 0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        weight += row.weight;
        loss += row.weight * log_loss(row.score, 1.0);
        let square = |class: usize| {
            let outcome = f64::from(u8::from(row.label as usize == class));
            (rows.class_score(position, class) - outcome).powi(2)
        };
        squares += row.weight * (0..classes).map(square).sum::<f64>();
    }
    let right: f64 = (0..classes).map(|class| counts.get(class, class)).sum();
    metrics.set(Metric::Accuracy, ratio(right, weight));
    metrics.set(Metric::LogLoss, ratio(loss, weight));
    metrics.set(Metric::Brier, ratio(squares, weight));
    metrics.set(Metric::BalancedAccuracy, counts.mean(ConfusionCounts::recall));
    metrics.set(Metric::MacroRecall, counts.mean(ConfusionCounts::recall));
    metrics.set(Metric::MacroPrecision, counts.mean(ConfusionCounts::precision));
    metrics.set(Metric::MacroF1, counts.mean(ConfusionCounts::f1));
    metrics.set(Metric::WeightedPrecision, counts.weighted(ConfusionCounts::precision));
    metrics.set(Metric::WeightedRecall, counts.weighted(ConfusionCounts::recall));
    metrics.set(Metric::WeightedF1, counts.weighted(ConfusionCounts::f1));
    counts.write_agreement(weight, right, metrics);
    let ranks = class_ranks(rows);
    let areas: Vec<Option<f64>> = ranks.iter().map(|ranks| ranks.auc).collect();
    let precisions: Vec<Option<f64>> = ranks.iter().map(|ranks| ranks.average_precision).collect();
    metrics.set(Metric::Auc, mean_of_all(&areas));
    metrics.set(Metric::PrAuc, mean_of_all(&precisions));
    let weights = |at: usize| counts.rows(at);
    metrics
        .set(Metric::WeightedAuc, weighted_mean(areas.iter().enumerate().map(|(class, area)| (*area, weights(class)))));
    metrics.set(Metric::AucMicro, micro_area(rows));
}

/// Share of the rows whose true class is among the `k` most probable ones. Of equal probabilities the later class comes
/// first, as in scikit-learn's `top_k_accuracy_score`.
pub(super) fn top_k_accuracy<R: Rows>(k: usize, rows: &R) -> Option<f64> {
    let (mut found, mut weight) = (0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let truth = row.label as usize;
        let of_truth = rows.class_score(position, truth);
        let is_before = |class: &usize| {
            let score = rows.class_score(position, *class);
            score > of_truth || (score == of_truth && *class > truth)
        };
        weight += row.weight;
        if (0..rows.class_count()).filter(is_before).count() < k {
            found += row.weight;
        }
    }
    ratio(found, weight)
}

/// The area under the ROC curve of each class against the rest; none if there are too many classes.
pub fn class_areas<R: Rows>(rows: &R) -> Vec<Option<f64>> {
    class_ranks(rows).into_iter().map(|ranks| ranks.auc).collect()
}

/// AUC and average precision of each class against the rest; none if there are too many classes.
pub(super) fn class_ranks<R: Rows>(rows: &R) -> Vec<RankMetrics> {
    let classes = rows.class_count();
    if classes > RANKED_CLASSES_MAX {
        return Vec::new();
    }
    (0..classes)
        .map(|class| {
            let order = rows.class_order(class);
            let score = |position: &u32| rows.class_score(*position as usize, class);
            let mut sums = RankSums::default();
            let mut end = order.len();
            while end > 0 {
                let ties = score(&order[end - 1]);
                let start = order[..end].iter().rposition(|position| score(position) != ties).map_or(0, |at| at + 1);
                let (mut positive, mut negative) = (0.0, 0.0);
                for position in &order[start..end] {
                    let row = rows.row(*position as usize);
                    *(if row.label as usize == class { &mut positive } else { &mut negative }) += row.weight;
                }
                sums.push(positive, negative);
                end = start;
            }
            sums.finish()
        })
        .collect()
}

/// The area over all pairs of a row and a class; a pair is positive if the row is of the class.
fn micro_area<R: Rows>(rows: &R) -> Option<f64> {
    let classes = rows.class_count();
    if classes > RANKED_CLASSES_MAX || rows.len().saturating_mul(classes) > PAIRS_MAX {
        return None;
    }
    let mut pairs: Vec<(f64, bool, f64)> = Vec::with_capacity(rows.len() * classes);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let pair = |class| (rows.class_score(position, class), row.label as usize == class, row.weight);
        pairs.extend((0..classes).map(pair));
    }
    rank_pairs(pairs).auc
}
