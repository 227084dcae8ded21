//! Sums for the metrics of a regression model.

use super::values::ratio;
use super::{Accumulator, Metric, Metrics, Row, Rows};

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
    largest_error: f64,
    logarithmic_error: f64,
    poisson_deviance: f64,
    gamma_deviance: f64,
    label: Spread,
    score: Spread,
    /// Spread of the errors.
    residual: Spread,
    /// Sum of products of the distances of label and score from their means.
    product: f64,
}

/// A mean, and the sum of squares around it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Spread {
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Welford's update: squares around the running mean, which does not cancel if values are large. Returns the distance of
    /// the value from the mean before and after.
    #[inline]
    fn add(&mut self, value: f64, weight: f64, total: f64) -> (f64, f64) {
        let before = value - self.mean;
        self.mean += before * weight / total;
        let after = value - self.mean;
        self.squares += weight * before * after;
        (before, after)
    }

    /// Chan, Golub and `LeVeque`'s rule for joining means and squares. Returns the distance of the means.
    fn merge(&mut self, other: Self, weight: f64, other_weight: f64) -> f64 {
        let apart = other.mean - self.mean;
        self.mean += apart * other_weight / (weight + other_weight);
        self.squares += other.squares + apart * apart * weight * other_weight / (weight + other_weight);
        apart
    }
}

impl RegressionSums {
    /// Writes every metric of a regression model that follows from sums, but the count.
    pub fn write(&self, metrics: &mut Metrics) {
        let mse = ratio(self.squared_error, self.weight);
        let defined = self.weight > 0.0;
        metrics.set(Metric::Rmse, mse.map(f64::sqrt));
        metrics.set(Metric::Mse, mse);
        metrics.set(Metric::Mae, ratio(self.absolute_error, self.weight));
        metrics.set(Metric::Mape, ratio(self.relative_error, self.relative_weight));
        metrics.set(Metric::Smape, ratio(self.symmetric_error, self.weight));
        metrics.set(Metric::Bias, ratio(self.error, self.weight));
        metrics.set(Metric::R2, ratio(self.squared_error, self.label.squares).map(|share| 1.0 - share));
        metrics.set(Metric::LabelMean, defined.then_some(self.label.mean));
        metrics.set(Metric::PredictionMean, ratio(self.prediction, self.weight));
        metrics.set(Metric::Calibration, ratio(self.prediction, self.label.mean * self.weight));
        metrics.set(Metric::MaxError, defined.then_some(self.largest_error));
        metrics.set(Metric::Msle, ratio(self.logarithmic_error, self.weight));
        metrics.set(Metric::PoissonDeviance, ratio(2.0 * self.poisson_deviance, self.weight));
        metrics.set(Metric::GammaDeviance, ratio(2.0 * self.gamma_deviance, self.weight));
        let explained = ratio(self.residual.squares, self.label.squares);
        metrics.set(Metric::ExplainedVariance, explained.map(|share| 1.0 - share));
        let correlation = ratio(self.product, (self.label.squares * self.score.squares).sqrt());
        let correlation = correlation.map(|correlation| correlation.clamp(-1.0, 1.0));
        metrics.set(Metric::Correlation, correlation);
        metrics.set(Metric::SquaredCorrelation, correlation.map(|correlation| correlation * correlation));
    }
}

/// Half the Poisson deviance of a row; NaN if it is undefined.
fn poisson_deviance(label: f64, score: f64) -> f64 {
    if label < 0.0 || score <= 0.0 {
        return f64::NAN;
    }
    let term = if label > 0.0 { label * (label / score).ln() } else { 0.0 };
    term - label + score
}

/// Half the gamma deviance of a row; NaN if it is undefined.
fn gamma_deviance(label: f64, score: f64) -> f64 {
    if label <= 0.0 || score <= 0.0 { f64::NAN } else { (score / label).ln() + label / score - 1.0 }
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
        self.largest_error = self.largest_error.max(error.abs());
        let apart = score.ln_1p() - label.ln_1p();
        self.logarithmic_error += weight * apart * apart;
        self.poisson_deviance += weight * poisson_deviance(label, score);
        self.gamma_deviance += weight * gamma_deviance(label, score);
        self.weight += weight;
        let (_, label_after) = self.label.add(label, weight, self.weight);
        let (score_before, _) = self.score.add(score, weight, self.weight);
        self.residual.add(error, weight, self.weight);
        self.product += weight * score_before * label_after;
    }

    fn merge(&mut self, other: Self) {
        let weight = self.weight + other.weight;
        if weight > 0.0 {
            let labels_apart = self.label.merge(other.label, self.weight, other.weight);
            let scores_apart = self.score.merge(other.score, self.weight, other.weight);
            self.residual.merge(other.residual, self.weight, other.weight);
            self.product += other.product + labels_apart * scores_apart * self.weight * other.weight / weight;
        }
        self.weight = weight;
        self.prediction += other.prediction;
        self.error += other.error;
        self.absolute_error += other.absolute_error;
        self.squared_error += other.squared_error;
        self.relative_error += other.relative_error;
        self.relative_weight += other.relative_weight;
        self.symmetric_error += other.symmetric_error;
        self.largest_error = self.largest_error.max(other.largest_error);
        self.logarithmic_error += other.logarithmic_error;
        self.poisson_deviance += other.poisson_deviance;
        self.gamma_deviance += other.gamma_deviance;
    }
}

/// The median of |error| by weight; between two values their mean, as in scikit-learn's `median_absolute_error`.
pub(super) fn median_absolute_error<R: Rows>(rows: &R) -> Option<f64> {
    let mut errors: Vec<(f64, f64)> = (0..rows.len())
        .map(|position| rows.row(position))
        .filter(|row| row.weight > 0.0)
        .map(|row| ((row.score - row.label).abs(), row.weight))
        .collect();
    errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let half = errors.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let at = errors.iter().position(|(_, weight)| {
        below += weight;
        below >= half
    })?;
    // Exactly half of the weight lies up to this value: any value up to the next one is a median.
    let next = if below == half { errors.get(at + 1) } else { None };
    Some(next.map_or(errors[at].0, |next| f64::midpoint(errors[at].0, next.0)))
}
