//! The counts of a binary confusion matrix, and every rate that follows from them.

use super::values::ratio;
use super::{Metric, Rows};

/// Metrics that follow from the counts of a confusion matrix, so that there is one at every threshold.
pub(super) const AT_THRESHOLDS: &[Metric] = &[
    Metric::Accuracy,
    Metric::BalancedAccuracy,
    Metric::Precision,
    Metric::Recall,
    Metric::F1,
    Metric::Mcc,
    Metric::FalsePositiveRate,
    Metric::FalseNegativeRate,
    Metric::TruePositiveRate,
    Metric::TrueNegativeRate,
    Metric::PositiveRate,
    Metric::NegativeRate,
    Metric::NegativePredictiveValue,
    Metric::FalseDiscoveryRate,
    Metric::FalseOmissionRate,
    Metric::TruePositives,
    Metric::FalsePositives,
    Metric::TrueNegatives,
    Metric::FalseNegatives,
    Metric::ThreatScore,
    Metric::FowlkesMallows,
    Metric::Informedness,
    Metric::Markedness,
    Metric::PositiveLikelihoodRatio,
    Metric::NegativeLikelihoodRatio,
    Metric::DiagnosticOddsRatio,
    Metric::PrevalenceThreshold,
    Metric::Kappa,
];

/// Weights of rows by label and call.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Positives that are called positive.
    pub true_positives: f64,
    /// Negatives that are called positive.
    pub false_positives: f64,
    /// Negatives that are called negative.
    pub true_negatives: f64,
    /// Positives that are called negative.
    pub false_negatives: f64,
}

impl Counts {
    /// Adds a row.
    #[inline]
    pub fn add(&mut self, is_positive: bool, called_positive: bool, weight: f64) {
        *match (is_positive, called_positive) {
            (true, true) => &mut self.true_positives,
            (true, false) => &mut self.false_negatives,
            (false, true) => &mut self.false_positives,
            (false, false) => &mut self.true_negatives,
        } += weight;
    }

    /// Adds other rows.
    pub fn merge(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
    }

    /// Weight of the rows.
    pub fn weight(&self) -> f64 {
        self.positives() + self.negatives()
    }

    /// Weight of the rows labelled 1.
    pub fn positives(&self) -> f64 {
        self.true_positives + self.false_negatives
    }

    /// Weight of the rows labelled 0.
    pub fn negatives(&self) -> f64 {
        self.true_negatives + self.false_positives
    }

    /// The counts that a rate is made of: its part and its whole. `None` for a metric that is not a share of rows.
    pub fn share(&self, metric: Metric) -> Option<(f64, f64)> {
        let Self { true_positives: tp, false_positives: fp, true_negatives: tn, false_negatives: fn_ } = *self;
        Some(match metric {
            Metric::Accuracy => (tp + tn, self.weight()),
            Metric::Precision => (tp, tp + fp),
            Metric::Recall | Metric::TruePositiveRate => (tp, tp + fn_),
            Metric::FalseNegativeRate => (fn_, tp + fn_),
            Metric::FalsePositiveRate => (fp, fp + tn),
            Metric::TrueNegativeRate => (tn, fp + tn),
            Metric::PositiveRate => (tp + fp, self.weight()),
            Metric::NegativeRate => (tn + fn_, self.weight()),
            Metric::NegativePredictiveValue => (tn, tn + fn_),
            Metric::FalseOmissionRate => (fn_, tn + fn_),
            Metric::FalseDiscoveryRate => (fp, tp + fp),
            Metric::ThreatScore => (tp, tp + fn_ + fp),
            Metric::LabelMean => (tp + fn_, self.weight()),
            _ => return None,
        })
    }

    /// The value of a metric that follows from the counts; undefined for any other.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        if let Some((part, whole)) = self.share(metric) {
            return ratio(part, whole);
        }
        let Self { true_positives: tp, false_positives: fp, true_negatives: tn, false_negatives: fn_ } = *self;
        let rate = |metric| self.get(metric);
        match metric {
            Metric::TruePositives => Some(tp),
            Metric::FalsePositives => Some(fp),
            Metric::TrueNegatives => Some(tn),
            Metric::FalseNegatives => Some(fn_),
            Metric::F1 => ratio(2.0 * tp, 2.0 * tp + fp + fn_),
            Metric::BalancedAccuracy => {
                Some(f64::midpoint(rate(Metric::TruePositiveRate)?, rate(Metric::TrueNegativeRate)?))
            }
            Metric::Mcc => self.matthews_correlation(),
            Metric::FowlkesMallows => Some((rate(Metric::Precision)? * rate(Metric::Recall)?).sqrt()),
            Metric::Informedness => Some(rate(Metric::TruePositiveRate)? + rate(Metric::TrueNegativeRate)? - 1.0),
            Metric::Markedness => Some(rate(Metric::Precision)? + rate(Metric::NegativePredictiveValue)? - 1.0),
            Metric::PositiveLikelihoodRatio => ratio(rate(Metric::TruePositiveRate)?, rate(Metric::FalsePositiveRate)?),
            Metric::NegativeLikelihoodRatio => ratio(rate(Metric::FalseNegativeRate)?, rate(Metric::TrueNegativeRate)?),
            Metric::DiagnosticOddsRatio => ratio(tp * tn, fp * fn_),
            Metric::PrevalenceThreshold => {
                let (tpr, fpr) = (rate(Metric::TruePositiveRate)?, rate(Metric::FalsePositiveRate)?);
                ratio((tpr * fpr).sqrt() - fpr, tpr - fpr)
            }
            Metric::Kappa => {
                let weight = self.weight();
                let chance = ((tp + fp) * (tp + fn_) + (fn_ + tn) * (fp + tn)) / (weight * weight);
                ratio((tp + tn) / weight - chance, 1.0 - chance)
            }
            _ => None,
        }
    }

    /// The Matthews correlation coefficient (B. W. Matthews 1975, doi:10.1016/0005-2795(75)90109-9).
    fn matthews_correlation(&self) -> Option<f64> {
        let Self { true_positives: tp, false_positives: fp, true_negatives: tn, false_negatives: fn_ } = *self;
        let margins = ((tp + fp) * (tp + fn_)).sqrt() * ((tn + fp) * (tn + fn_)).sqrt();
        // Rounding can lead out of the range by a bit.
        ratio(tp * tn - fp * fn_, margins).map(|correlation| correlation.clamp(-1.0, 1.0))
    }
}

/// The counts at each of some thresholds, which ascend: one walk over the sorted rows.
pub(crate) fn counts_at<R: Rows>(rows: &R, thresholds: &[f64]) -> Vec<Counts> {
    // By how many of the thresholds a row is above: weights of positives and negatives.
    let mut above = vec![(0.0, 0.0); thresholds.len() + 1];
    let mut passed = 0;
    for position in 0..rows.len() {
        let row = rows.row(position);
        while passed < thresholds.len() && row.score > thresholds[passed] {
            passed += 1;
        }
        let (positive, negative) = &mut above[passed];
        *(if row.label > 0.5 { positive } else { negative }) += row.weight;
    }
    (0..thresholds.len())
        .map(|at| {
            let sum = |of: &[(f64, f64)]| of.iter().fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
            let ((false_negatives, true_negatives), (true_positives, false_positives)) =
                (sum(&above[..=at]), sum(&above[at + 1..]));
            Counts { true_positives, false_positives, true_negatives, false_negatives }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Ordered;

    #[test]
    fn a_row_is_positive_above_a_threshold_and_not_at_it() {
        let rows = Ordered::new(&[0.1, 0.5, 0.5, 0.9], &[0.0, 1.0, 0.0, 1.0], None);
        let [low, middle, high] = counts_at(&rows, &[0.0, 0.5, 0.95])[..] else { panic!("three thresholds") };
        assert_eq!((low.true_positives, low.false_positives, low.true_negatives), (2.0, 2.0, 0.0));
        assert_eq!((middle.true_positives, middle.false_positives, middle.false_negatives), (1.0, 0.0, 1.0));
        assert_eq!((high.get(Metric::Recall), high.get(Metric::Precision)), (Some(0.0), None));
        assert_eq!(Counts::default().get(Metric::Accuracy), None);
    }
}
