//! Calibration: how well predicted probabilities match observed frequencies.

use serde::{Deserialize, Serialize};

use super::values::ratio;
use super::{Metric, Metrics, Rows, rank::tie_groups_descending};

/// Bins of a calibration curve.
pub const CALIBRATION_BINS: usize = 10;

/// Rows with adjacent scores, an equal share of all rows in each bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Weight of the rows.
    pub weight: f64,
    /// The mean prediction.
    pub prediction_mean: f64,
    /// The mean label.
    pub label_mean: f64,
}

/// The rows of a bin, summed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct BinSums {
    weight: f64,
    /// Sum of the squared weights.
    squares: f64,
    prediction: f64,
    label: f64,
}

impl BinSums {
    fn prediction_mean(&self) -> f64 {
        self.prediction / self.weight
    }

    fn label_mean(&self) -> f64 {
        self.label / self.weight
    }

    fn gap(&self) -> f64 {
        self.label_mean() - self.prediction_mean()
    }

    /// The number of rows of equal weight that would be as certain.
    fn effective_rows(&self) -> f64 {
        self.weight * self.weight / self.squares
    }
}

/// Rows by score in bins of equal weight, ascending; empty ones are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationBins(Vec<BinSums>);

impl CalibrationBins {
    /// The bins of rows whose weights are `total` together.
    ///
    /// Rows of equal score are in the bin of their middle rank: dividing them would sort them by label.
    pub fn new<R: Rows>(rows: &R, total: f64) -> Self {
        if total <= 0.0 {
            return Self(Vec::new());
        }
        let mut bins = [BinSums::default(); CALIBRATION_BINS];
        let mut above = 0.0;
        tie_groups_descending(rows, |group| {
            let middle = total - above - group.weight / 2.0;
            let bin = (middle / total * CALIBRATION_BINS as f64) as usize;
            let sums = &mut bins[bin.min(CALIBRATION_BINS - 1)];
            sums.weight += group.weight;
            sums.squares += group.squares;
            sums.prediction += group.weight * group.score;
            sums.label += group.label;
            above += group.weight;
        });
        Self(bins.into_iter().filter(|sums| sums.weight > 0.0).collect())
    }

    /// The points of a calibration curve.
    pub fn curve(&self) -> Vec<CalibrationBin> {
        let point = |sums: &BinSums| CalibrationBin {
            weight: sums.weight,
            prediction_mean: sums.prediction_mean(),
            label_mean: sums.label_mean(),
        };
        self.0.iter().map(point).collect()
    }

    /// The mean of `value` over the bins, by weight.
    fn mean(&self, value: impl Fn(&BinSums) -> f64) -> Option<f64> {
        let weight: f64 = self.0.iter().map(|bin| bin.weight).sum();
        ratio(self.0.iter().map(|bin| bin.weight * value(bin)).sum(), weight)
    }

    /// Mean of |mean label - mean prediction| over the bins, weighted (Naeini et al. 2015, with bins of equal size).
    pub fn expected_error(&self) -> Option<f64> {
        self.mean(|bin| bin.gap().abs())
    }

    /// Root of the mean squared error less what chance adds (Kumar, Liang and Ma 2019, "Verified uncertainty calibration").
    /// `None` if a bin has too few rows to say what chance adds.
    fn debiased_error(&self) -> Option<f64> {
        if self.0.iter().any(|bin| bin.effective_rows() <= 1.0) {
            return None;
        }
        let unbiased = |bin: &BinSums| {
            let label = bin.label_mean();
            bin.gap() * bin.gap() - label * (1.0 - label) / (bin.effective_rows() - 1.0)
        };
        self.mean(unbiased).map(|squared| squared.max(0.0).sqrt())
    }

    /// Writes every metric that follows from the bins.
    pub fn write(&self, metrics: &mut Metrics) {
        let label = self.mean(BinSums::label_mean);
        metrics.set(Metric::CalibrationError, self.expected_error());
        metrics.set(Metric::DebiasedCalibrationError, self.debiased_error());
        metrics.set(Metric::MaxCalibrationError, self.0.iter().map(|bin| bin.gap().abs()).reduce(f64::max));
        metrics.set(Metric::BrierReliability, self.mean(|bin| bin.gap() * bin.gap()));
        let resolution = label.and_then(|label| self.mean(|bin| (bin.label_mean() - label).powi(2)));
        metrics.set(Metric::BrierResolution, resolution);
    }
}
