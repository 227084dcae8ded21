//! Metrics of a model of several labels, each true or false for a row.

use tidemill_core::LabelSet;

use super::binary::log_loss;
use super::rank::{RankMetrics, mean_of_all, rank_pairs, weighted_mean};
use super::values::ratio;
use super::{Metric, Metrics, Rows};

/// A label counts as predicted if its probability is above this.
const DECISION: f64 = 0.5;

/// What was true and what was predicted of one label, in weights of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LabelCounts {
    true_positive: f64,
    false_positive: f64,
    false_negative: f64,
    /// Sum of the log-losses.
    loss: f64,
    weight: f64,
}

impl LabelCounts {
    /// Counts one label of all rows.
    pub fn new<R: Rows>(label: usize, rows: &R) -> Self {
        let mut counts = Self::default();
        for position in 0..rows.len() {
            let row = rows.row(position);
            let (is, score) = (LabelSet::from_value(row.label).has(label), rows.class_score(position, label));
            match (is, score > DECISION) {
                (true, true) => counts.true_positive += row.weight,
                (false, true) => counts.false_positive += row.weight,
                (true, false) => counts.false_negative += row.weight,
                (false, false) => {}
            }
            counts.loss += row.weight * log_loss(score, f64::from(u8::from(is)));
            counts.weight += row.weight;
        }
        counts
    }

    fn add(self, other: Self) -> Self {
        Self {
            true_positive: self.true_positive + other.true_positive,
            false_positive: self.false_positive + other.false_positive,
            false_negative: self.false_negative + other.false_negative,
            loss: self.loss + other.loss,
            weight: self.weight + other.weight,
        }
    }

    /// Weight of the rows that have the label.
    pub fn rows(&self) -> f64 {
        self.true_positive + self.false_negative
    }

    /// Share of the rows predicted to have the label that do.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of the rows with the label that are predicted to have it.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.rows())
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> Option<f64> {
        ratio(2.0 * self.true_positive, 2.0 * self.true_positive + self.false_positive + self.false_negative)
    }

    /// Mean log-loss.
    pub fn log_loss(&self) -> Option<f64> {
        ratio(self.loss, self.weight)
    }
}

/// Writes every metric of a model of several labels.
pub(super) fn write_label_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let labels = rows.class_count();
    let counts: Vec<LabelCounts> = (0..labels).map(|label| LabelCounts::new(label, rows)).collect();
    let all = counts.iter().copied().fold(LabelCounts::default(), LabelCounts::add);
    write_row_metrics(rows, metrics);
    metrics.set(Metric::HammingLoss, ratio(all.false_positive + all.false_negative, all.weight));
    metrics.set(Metric::LogLoss, all.log_loss());
    metrics.set(Metric::MicroF1, all.f1());
    metrics.set(Metric::MicroPrecision, all.precision());
    metrics.set(Metric::MicroRecall, all.recall());
    // A label that no row has and none is predicted to have is left out of the mean.
    let mean = |of: fn(&LabelCounts) -> Option<f64>| {
        let known: Vec<f64> = counts.iter().filter_map(of).collect();
        ratio(known.iter().sum(), known.len() as f64)
    };
    metrics.set(Metric::MacroF1, mean(LabelCounts::f1));
    metrics.set(Metric::MacroPrecision, mean(LabelCounts::precision));
    metrics.set(Metric::MacroRecall, mean(LabelCounts::recall));
    let weighted = |of: fn(&LabelCounts) -> Option<f64>| {
        weighted_mean(counts.iter().map(|counts| (of(counts).or(Some(0.0)), counts.rows())))
    };
    metrics.set(Metric::WeightedF1, weighted(LabelCounts::f1));
    metrics.set(Metric::WeightedPrecision, weighted(LabelCounts::precision));
    metrics.set(Metric::WeightedRecall, weighted(LabelCounts::recall));
    let ranks = label_ranks(rows);
    let areas: Vec<Option<f64>> = ranks.iter().map(|ranks| ranks.auc).collect();
    let precisions: Vec<Option<f64>> = ranks.iter().map(|ranks| ranks.average_precision).collect();
    metrics.set(Metric::Auc, mean_of_all(&areas));
    metrics.set(Metric::PrAuc, mean_of_all(&precisions));
    metrics.set(Metric::WeightedAuc, weighted_mean(areas.iter().copied().zip(counts.iter().map(LabelCounts::rows))));
    metrics.set(Metric::AucMicro, micro_area(rows));
}

/// Writes the metrics that are means over the rows.
fn write_row_metrics<R: Rows>(rows: &R, metrics: &mut Metrics) {
    let labels = rows.class_count();
    let mut weight = 0.0;
    let mut sums = [0.0; 5];
    let mut scores = Vec::with_capacity(labels);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let truth = LabelSet::from_value(row.label);
        scores.clear();
        scores.extend((0..labels).map(|label| (rows.class_score(position, label), truth.has(label))));
        let predicted: LabelSet = scores.iter().map(|(score, _)| *score > DECISION).collect();
        let both = scores.iter().filter(|(score, has)| *has && *score > DECISION).count() as f64;
        let (of_row, of_model) = (f64::from(truth.count()), f64::from(predicted.count()));
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
        let (precision, loss) = ranking_of(&scores);
        let values = [
            f64::from(u8::from(predicted == truth)),
            share(2.0 * both, of_row + of_model),
            share(both, of_row + of_model - both),
            precision,
            loss,
        ];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += row.weight * value);
        weight += row.weight;
    }
    let [right, f1, jaccard, precision, loss] = sums;
    metrics.set(Metric::SubsetAccuracy, ratio(right, weight));
    metrics.set(Metric::SampleF1, ratio(f1, weight));
    metrics.set(Metric::Jaccard, ratio(jaccard, weight));
    metrics.set(Metric::LabelRankingPrecision, ratio(precision, weight));
    metrics.set(Metric::LabelRankingLoss, ratio(loss, weight));
}

/// The label ranking average precision of one row, and its share of pairs in the wrong order. As in scikit-learn, a row of no
/// label or of all has a precision of 1 and a loss of 0.
fn ranking_of(scores: &[(f64, bool)]) -> (f64, f64) {
    let of_row = scores.iter().filter(|(_, has)| *has).count();
    if of_row == 0 || of_row == scores.len() {
        return (1.0, 0.0);
    }
    let (mut precision, mut wrong) = (0.0, 0);
    for (score, _) in scores.iter().filter(|(_, has)| *has) {
        let above = scores.iter().filter(|(other, _)| other >= score).count();
        let own = scores.iter().filter(|(other, has)| *has && other >= score).count();
        precision += own as f64 / above as f64;
        wrong += above - own;
    }
    (precision / of_row as f64, wrong as f64 / (of_row * (scores.len() - of_row)) as f64)
}

/// The area under the ROC curve of each label.
pub fn label_areas<R: Rows>(rows: &R) -> Vec<Option<f64>> {
    label_ranks(rows).into_iter().map(|ranks| ranks.auc).collect()
}

/// AUC and average precision of each label.
pub(super) fn label_ranks<R: Rows>(rows: &R) -> Vec<RankMetrics> {
    (0..rows.class_count()).map(|label| rank_pairs(pairs(rows, label))).collect()
}

/// The area over all pairs of a row and a label.
fn micro_area<R: Rows>(rows: &R) -> Option<f64> {
    rank_pairs((0..rows.class_count()).flat_map(|label| pairs(rows, label)).collect()).auc
}

/// Score, truth and weight of each row for a label.
fn pairs<R: Rows>(rows: &R, label: usize) -> Vec<(f64, bool, f64)> {
    let pair = |position| {
        let row = rows.row(position);
        (rows.class_score(position, label), LabelSet::from_value(row.label).has(label), row.weight)
    };
    (0..rows.len()).map(pair).collect()
}
