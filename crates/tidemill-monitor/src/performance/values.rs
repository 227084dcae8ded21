//! Metrics of classes from sums, and their standard errors.

use super::{Measure, Measures};

/// Sums over rows, each of them certain (labels) or expected (probabilities). Variances are those of the sums above.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Confusion {
    pub rows: f64,
    pub true_positives: f64,
    pub false_positives: f64,
    pub false_negatives: f64,
    /// Variance of the true positives, and of the false negatives.
    pub variances: [f64; 2],
}

impl Confusion {
    /// Accuracy, precision, recall and F1, with three standard errors by the delta method. A metric without a row that
    /// it is about is left out.
    pub fn measures(&self, out: &mut Measures) {
        let Self { rows, true_positives: tp, false_positives: fp, false_negatives: fnn, variances: [vt, vf] } = *self;
        let mut put = |name: &str, value: f64, variance: f64| {
            if value.is_finite() {
                out.insert(name.to_owned(), Measure { value, band: 3.0 * variance.max(0.0).sqrt() });
            }
        };
        if rows <= 0.0 {
            return;
        }
        put("accuracy", (rows - fp - fnn) / rows, (vt + vf) / (rows * rows));
        let called = tp + fp;
        if called > 0.0 {
            put("precision", tp / called, vt / (called * called));
        }
        let positives = tp + fnn;
        if positives > 0.0 {
            let recall = (fnn * fnn * vt + tp * tp * vf) / positives.powi(4);
            put("recall", tp / positives, recall);
            let sum = called + positives;
            let (by_tp, by_fn) = (2.0 * (called + fnn) / (sum * sum), -2.0 * tp / (sum * sum));
            put("f1", 2.0 * tp / sum, by_tp * by_tp * vt + by_fn * by_fn * vf);
        }
    }
}

/// The area under the ROC curve with three standard errors (Hanley and `McNeil` 1982).
pub(super) fn area(value: f64, positives: f64, negatives: f64) -> Measure {
    let square = value * value;
    let (q1, q2) = (value / (2.0 - value), 2.0 * square / (1.0 + value));
    let sum =
        value * (1.0 - value) + (positives - 1.0).max(0.0) * (q1 - square) + (negatives - 1.0).max(0.0) * (q2 - square);
    Measure { value, band: 3.0 * (sum.max(0.0) / (positives * negatives).max(1.0)).sqrt() }
}

/// A mean over `rows` with the variance of their sum.
pub(super) fn mean(sum: f64, variance: f64, rows: f64) -> Measure {
    Measure { value: sum / rows, band: 3.0 * variance.max(0.0).sqrt() / rows }
}

/// A probability away from 0 and 1, before a logarithm.
pub(super) fn inside(probability: f64) -> f64 {
    probability.clamp(1e-15, 1.0 - 1e-15)
}
