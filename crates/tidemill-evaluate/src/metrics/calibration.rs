//! Calibration: how well predicted probabilities match observed frequencies.

use serde::{Deserialize, Serialize};

use super::catalogue::ratio;
use super::{Rows, rank::tie_groups_descending};

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

/// Bins of equal weight by score, ascending; empty ones are left out. `total` is the weight of all rows.
///
/// Rows of equal score are in the bin of their middle rank: dividing them would sort them by label.
pub fn calibration_bins<R: Rows>(rows: &R, total: f64) -> Vec<CalibrationBin> {
    #[derive(Clone, Copy, Default)]
    struct Sums {
        weight: f64,
        prediction: f64,
        label: f64,
    }
    if total <= 0.0 {
        return Vec::new();
    }
    let mut bins = [Sums::default(); CALIBRATION_BINS];
    let mut above = 0.0;
    tie_groups_descending(rows, |group| {
        let middle = total - above - group.weight / 2.0;
        let bin = (middle / total * CALIBRATION_BINS as f64) as usize;
        let sums = &mut bins[bin.min(CALIBRATION_BINS - 1)];
        sums.weight += group.weight;
        sums.prediction += group.weight * group.score;
        sums.label += group.label;
        above += group.weight;
    });
    bins.iter()
        .filter(|sums| sums.weight > 0.0)
        .map(|sums| CalibrationBin {
            weight: sums.weight,
            prediction_mean: sums.prediction / sums.weight,
            label_mean: sums.label / sums.weight,
        })
        .collect()
}

/// Mean of |mean label - mean prediction| over the bins, weighted (Naeini et al. 2015, with bins of equal size).
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> Option<f64> {
    let weight: f64 = bins.iter().map(|bin| bin.weight).sum();
    let gap: f64 = bins.iter().map(|bin| bin.weight * (bin.label_mean - bin.prediction_mean).abs()).sum();
    ratio(gap, weight)
}
