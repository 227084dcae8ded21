//! Sums for the metrics of a binary model that need no ranks.

use super::counts::{AT_THRESHOLDS, Counts};
use super::values::ratio;
use super::{Accumulator, Metric, Metrics, Row};

/// Sums over rows with labels 0 and 1 and scores that are probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct BinarySums {
    threshold: f64,
    counts: Counts,
    prediction: f64,
    log_loss: f64,
    squared_error: f64,
    /// Sums of Spiegelhalter's test: weight × (label - score) (1 - 2 score), and its variance.
    surprise: f64,
    surprise_variance: f64,
}

impl BinarySums {
    /// An empty sum. A row is called positive if its score is above `threshold`.
    pub fn new(threshold: f64) -> Self {
        Self {
            threshold,
            counts: Counts::default(),
            prediction: 0.0,
            log_loss: 0.0,
            squared_error: 0.0,
            surprise: 0.0,
            surprise_variance: 0.0,
        }
    }

    /// Sum of the weights.
    pub fn weight(&self) -> f64 {
        self.counts.weight()
    }

    /// Writes every metric that follows from these sums.
    pub fn write(&self, metrics: &mut Metrics) {
        let weight = self.weight();
        for metric in AT_THRESHOLDS {
            metrics.set(*metric, self.counts.get(*metric));
        }
        metrics.set(Metric::LogLoss, ratio(self.log_loss, weight));
        metrics.set(Metric::Brier, ratio(self.squared_error, weight));
        metrics.set(Metric::Calibration, ratio(self.prediction, self.counts.positives()));
        metrics.set(Metric::PredictionMean, ratio(self.prediction, weight));
        metrics.set(Metric::CalibrationZ, ratio(self.surprise, self.surprise_variance.sqrt()));
        let share = self.counts.get(Metric::LabelMean);
        metrics.set(Metric::LabelMean, share);
        metrics.set(Metric::BrierUncertainty, share.map(|share| share * (1.0 - share)));
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
        self.counts.add(label > 0.5, score > self.threshold, weight);
        self.prediction += weight * score;
        self.log_loss += weight * log_loss(score, label);
        self.squared_error += weight * (score - label) * (score - label);
        let turn = 1.0 - 2.0 * score;
        self.surprise += weight * (label - score) * turn;
        self.surprise_variance += weight * weight * turn * turn * score * (1.0 - score);
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(other.counts);
        self.prediction += other.prediction;
        self.log_loss += other.log_loss;
        self.squared_error += other.squared_error;
        self.surprise += other.surprise;
        self.surprise_variance += other.surprise_variance;
    }
}
