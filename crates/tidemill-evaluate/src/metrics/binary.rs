//! Sums for the metrics of a binary model that need no ranks.

use super::catalogue::ratio;
use super::{Accumulator, Metric, Metrics, Row};

/// Sums over rows with labels 0 and 1 and scores that are probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct BinarySums {
    threshold: f64,
    true_positives: f64,
    false_positives: f64,
    true_negatives: f64,
    false_negatives: f64,
    prediction: f64,
    log_loss: f64,
    squared_error: f64,
}

impl BinarySums {
    /// An empty sum. A row is called positive if its score is above `threshold`.
    pub fn new(threshold: f64) -> Self {
        Self {
            threshold,
            true_positives: 0.0,
            false_positives: 0.0,
            true_negatives: 0.0,
            false_negatives: 0.0,
            prediction: 0.0,
            log_loss: 0.0,
            squared_error: 0.0,
        }
    }

    /// Sum of the weights.
    pub fn weight(&self) -> f64 {
        self.positives() + self.negatives()
    }

    fn positives(&self) -> f64 {
        self.true_positives + self.false_negatives
    }

    fn negatives(&self) -> f64 {
        self.true_negatives + self.false_positives
    }

    /// The Matthews correlation coefficient (B. W. Matthews 1975, doi:10.1016/0005-2795(75)90109-9).
    fn matthews_correlation(&self) -> Option<f64> {
        let (tp, fp, tn, fn_) = (self.true_positives, self.false_positives, self.true_negatives, self.false_negatives);
        let margins = ((tp + fp) * (tp + fn_)).sqrt() * ((tn + fp) * (tn + fn_)).sqrt();
        // Rounding can lead out of the range by a bit.
        ratio(tp * tn - fp * fn_, margins).map(|correlation| correlation.clamp(-1.0, 1.0))
    }

    /// Writes every metric that follows from these sums.
    pub fn write(&self, metrics: &mut Metrics) {
        let weight = self.weight();
        let (tp, fp, tn, fn_) = (self.true_positives, self.false_positives, self.true_negatives, self.false_negatives);
        metrics.set(Metric::Accuracy, ratio(tp + tn, weight));
        metrics.set(Metric::Precision, ratio(tp, tp + fp));
        metrics.set(Metric::Recall, ratio(tp, tp + fn_));
        metrics.set(Metric::F1, ratio(2.0 * tp, 2.0 * tp + fp + fn_));
        metrics.set(Metric::Mcc, self.matthews_correlation());
        metrics.set(Metric::LogLoss, ratio(self.log_loss, weight));
        metrics.set(Metric::Brier, ratio(self.squared_error, weight));
        metrics.set(Metric::Calibration, ratio(self.prediction, self.positives()));
        metrics.set(Metric::FalsePositiveRate, ratio(fp, fp + tn));
        metrics.set(Metric::FalseNegativeRate, ratio(fn_, tp + fn_));
        metrics.set(Metric::TruePositiveRate, ratio(tp, tp + fn_));
        metrics.set(Metric::TrueNegativeRate, ratio(tn, fp + tn));
        metrics.set(Metric::PositiveRate, ratio(tp + fp, weight));
        metrics.set(Metric::LabelMean, ratio(self.positives(), weight));
        metrics.set(Metric::PredictionMean, ratio(self.prediction, weight));
    }
}

/// Log-loss of one row, the probability kept `f64::EPSILON` away from 0 and 1 (as scikit-learn's `log_loss`).
pub(crate) fn log_loss(score: f64, label: f64) -> f64 {
    let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    -(if label > 0.5 { score } else { 1.0 - score }).ln()
}

impl Accumulator for BinarySums {
    #[inline]
    fn add(&mut self, row: Row) {
        let Row { score, label, weight } = row;
        match (label > 0.5, score > self.threshold) {
            (true, true) => self.true_positives += weight,
            (true, false) => self.false_negatives += weight,
            (false, true) => self.false_positives += weight,
            (false, false) => self.true_negatives += weight,
        }
        self.prediction += weight * score;
        self.log_loss += weight * log_loss(score, label);
        self.squared_error += weight * (score - label) * (score - label);
    }

    fn merge(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
        self.prediction += other.prediction;
        self.log_loss += other.log_loss;
        self.squared_error += other.squared_error;
    }
}
