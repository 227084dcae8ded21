//! How good probabilities are.

use serde_json::{Value, json};

/// Bins of equal weight.
const BINS: usize = 10;

/// Log-loss, Brier score and expected calibration error of probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// The mean of −ln of the probability of what happened.
    pub log_loss: f64,
    /// The mean squared distance of probability and outcome.
    pub brier: f64,
    /// The expected calibration error.
    pub calibration_error: f64,
    /// By bin the mean prediction, the share of positives and the weight.
    bins: Vec<[f64; 3]>,
}

impl Quality {
    /// Judges `columns`: one column of probabilities of the label 1, or one for each class.
    ///
    /// The calibration error is that of the metric `calibration_error`: the mean distance of prediction and frequency over ten
    /// bins of equal weight. Of several classes it is that of the most probable one. The Brier score of several classes sums
    /// over them.
    pub fn of(columns: &[Vec<f64>], labels: &[f64], weights: Option<&[f64]>) -> Self {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total: f64 = (0..labels.len()).map(weight).sum();
        let (mut log_loss, mut brier) = (0.0, 0.0);
        let mut judged: Vec<[f64; 3]> = Vec::with_capacity(labels.len());
        for (row, label) in labels.iter().enumerate() {
            let (of_label, squares, confidence, is_right) = match columns {
                [one] => {
                    let yes = one[row];
                    (if *label > 0.5 { yes } else { 1.0 - yes }, (yes - label) * (yes - label), yes, *label)
                }
                several => {
                    let class = *label as usize;
                    let best = tidemill_model::largest_column(several, row);
                    let apart = |(at, column): (usize, &Vec<f64>)| column[row] - f64::from(u8::from(at == class));
                    let squares = several.iter().enumerate().map(apart).map(|apart| apart * apart).sum();
                    (several[class][row], squares, several[best][row], f64::from(u8::from(best == class)))
                }
            };
            log_loss -= weight(row) * super::inside(of_label).ln();
            brier += weight(row) * squares;
            judged.push([confidence, is_right, weight(row)]);
        }
        let bins = bins(judged, total);
        let calibration_error =
            bins.iter().map(|[predicted, found, weight]| weight * (predicted - found).abs()).sum::<f64>();
        Self { log_loss: log_loss / total, brier: brier / total, calibration_error: calibration_error / total, bins }
    }

    /// For the package and the report.
    pub(crate) fn facts(&self) -> Value {
        json!({
            "log_loss": self.log_loss,
            "brier": self.brier,
            "calibration_error": self.calibration_error,
            "bins": self.bins,
        })
    }
}

/// Bins of equal weight by prediction; rows of equal prediction share the bin of their middle.
fn bins(mut judged: Vec<[f64; 3]>, total: f64) -> Vec<[f64; 3]> {
    judged.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a[2].total_cmp(&b[2])));
    let mut sums = [[0.0; 3]; BINS];
    let mut below = 0.0;
    for group in judged.chunk_by(|a, b| a[0] == b[0]) {
        let weight: f64 = group.iter().map(|[_, _, weight]| weight).sum();
        let bin = ((below + weight / 2.0) / total * BINS as f64) as usize;
        let sum = &mut sums[bin.min(BINS - 1)];
        for [predicted, found, weight] in group {
            sum[0] += weight * predicted;
            sum[1] += weight * found;
            sum[2] += weight;
        }
        below += weight;
    }
    sums.iter().filter(|sum| sum[2] > 0.0).map(|[p, f, weight]| [p / weight, f / weight, *weight]).collect()
}
