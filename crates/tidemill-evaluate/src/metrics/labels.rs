//! Metrics of a model of several labels, each true or false for a row.

use tidemill_core::{LabelSet, RocArea};

use super::binary::log_loss;
use super::catalogue::ratio;
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
    let (mut right, mut weight) = (0.0, 0.0);
    for position in 0..rows.len() {
        let row = rows.row(position);
        let predicted: LabelSet = (0..labels).map(|label| rows.class_score(position, label) > DECISION).collect();
        weight += row.weight;
        if predicted == LabelSet::from_value(row.label) {
            right += row.weight;
        }
    }
    metrics.set(Metric::SubsetAccuracy, ratio(right, weight));
    metrics.set(Metric::HammingLoss, ratio(all.false_positive + all.false_negative, all.weight));
    metrics.set(Metric::LogLoss, all.log_loss());
    metrics.set(Metric::MicroF1, all.f1());
    // A label that no row has and none is predicted to have is left out of the mean.
    let f1: Vec<f64> = counts.iter().filter_map(LabelCounts::f1).collect();
    metrics.set(Metric::MacroF1, ratio(f1.iter().sum(), f1.len() as f64));
    let areas = label_areas(rows);
    let known: Vec<f64> = areas.iter().copied().flatten().collect();
    let all_known = known.len() == areas.len() && !areas.is_empty();
    metrics.set(Metric::Auc, if all_known { ratio(known.iter().sum(), known.len() as f64) } else { None });
    metrics.set(Metric::AucMicro, micro_area(rows));
}

/// The area under the ROC curve of each label.
pub fn label_areas<R: Rows>(rows: &R) -> Vec<Option<f64>> {
    (0..rows.class_count()).map(|label| area(pairs(rows, label))).collect()
}

/// The area over all pairs of a row and a label.
fn micro_area<R: Rows>(rows: &R) -> Option<f64> {
    area((0..rows.class_count()).flat_map(|label| pairs(rows, label)).collect())
}

/// Score, truth and weight of each row for a label.
fn pairs<R: Rows>(rows: &R, label: usize) -> Vec<(f64, bool, f64)> {
    let pair = |position| {
        let row = rows.row(position);
        (rows.class_score(position, label), LabelSet::from_value(row.label).has(label), row.weight)
    };
    (0..rows.len()).map(pair).collect()
}

fn area(mut pairs: Vec<(f64, bool, f64)>) -> Option<f64> {
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let mut area = RocArea::default();
    for ties in pairs.chunk_by(|a, b| a.0 == b.0) {
        let of = |positive: bool| ties.iter().filter(|pair| pair.1 == positive).map(|pair| pair.2).sum::<f64>();
        area.push(of(true), of(false));
    }
    area.value()
}
