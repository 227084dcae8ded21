//! Sums for the metrics of a regression model.

use super::catalogue::ratio;
use super::{Accumulator, Metric, Metrics, Row};

/// Sums over rows whose labels and scores are values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegressionSums {
    weight: f64,
    prediction: f64,
    error: f64,
    absolute_error: f64,
    squared_error: f64,
    relative_error: f64,
    relative_weight: f64,
    symmetric_error: f64,
    label_mean: f64,
    label_squares: f64,
}

impl RegressionSums {
    /// Writes every metric of a regression model but the count.
    pub fn write(&self, metrics: &mut Metrics) {
        let mse = ratio(self.squared_error, self.weight);
        let defined = self.weight > 0.0;
        metrics.set(Metric::Rmse, mse.map(f64::sqrt));
        metrics.set(Metric::Mse, mse);
        metrics.set(Metric::Mae, ratio(self.absolute_error, self.weight));
        metrics.set(Metric::Mape, ratio(self.relative_error, self.relative_weight));
        metrics.set(Metric::Smape, ratio(self.symmetric_error, self.weight));
        metrics.set(Metric::Bias, ratio(self.error, self.weight));
        metrics.set(Metric::R2, ratio(self.squared_error, self.label_squares).map(|share| 1.0 - share));
        metrics.set(Metric::LabelMean, defined.then_some(self.label_mean));
        metrics.set(Metric::PredictionMean, ratio(self.prediction, self.weight));
        metrics.set(Metric::Calibration, ratio(self.prediction, self.label_mean * self.weight));
    }
}

impl Accumulator for RegressionSums {
    #[inline]
    fn add(&mut self, row: Row) {
        let Row { score, label, weight } = row;
        if weight == 0.0 {
            return;
        }
        let error = score - label;
        self.prediction += weight * score;
        self.error += weight * error;
        self.absolute_error += weight * error.abs();
        self.squared_error += weight * error * error;
        if label != 0.0 {
            self.relative_error += weight * (error / label).abs();
            self.relative_weight += weight;
        }
        if error != 0.0 {
            self.symmetric_error += weight * 2.0 * error.abs() / (label.abs() + score.abs());
        }
        // Welford's update: squares around the running mean, which does not cancel where labels are large.
        self.weight += weight;
        let from_mean = label - self.label_mean;
        self.label_mean += from_mean * weight / self.weight;
        self.label_squares += weight * from_mean * (label - self.label_mean);
    }

    fn merge(&mut self, other: Self) {
        let weight = self.weight + other.weight;
        if weight > 0.0 {
            // Chan, Golub and LeVeque's rule for joining means and squares.
            let apart = other.label_mean - self.label_mean;
            self.label_mean += apart * other.weight / weight;
            self.label_squares += other.label_squares + apart * apart * self.weight * other.weight / weight;
        }
        self.weight = weight;
        self.prediction += other.prediction;
        self.error += other.error;
        self.absolute_error += other.absolute_error;
        self.squared_error += other.squared_error;
        self.relative_error += other.relative_error;
        self.relative_weight += other.relative_weight;
        self.symmetric_error += other.symmetric_error;
    }
}
