//! The performance of a classifier without labels: its calibrated probabilities say how often it is right (CBPE).

use serde::{Deserialize, Serialize};
use tidemill_core::RocArea;

use super::values::{Confusion, area, inside, mean};
use super::{Estimator, ExpectedLosses, Measures};

/// What the estimate of a window is made of. Sums of the same estimator merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClassSums {
    /// Rows.
    rows: f64,
    /// Expected true positives, false positives and false negatives.
    confusion: [f64; 3],
    /// Variances of true positives and false negatives.
    variances: [f64; 2],
    /// Expected squared error and its variance.
    brier: [f64; 2],
    /// Expected logarithmic loss and its variance.
    log_loss: [f64; 2],
    /// By bin of the estimator: rows, and the sum of their calibrated probabilities.
    bins: Vec<[f64; 2]>,
    /// Regression: expected absolute and squared errors, and their variances.
    losses: [f64; 4],
}

impl ClassSums {
    /// Takes in answers of a model of classes.
    pub(crate) fn update(&mut self, answers: impl Iterator<Item = f64>, estimator: &Estimator) {
        let Estimator::Classes { threshold, calibration, edges, .. } = estimator else { return };
        self.bins.resize(edges.len() + 1, [0.0; 2]);
        for answer in answers.filter(|answer| answer.is_finite()) {
            self.rows += 1.0;
            let p = calibration.as_ref().map_or(answer, |curve| curve.apply(answer)).clamp(0.0, 1.0);
            self.see(p, answer >= *threshold);
            let bin = edges.partition_point(|edge| *edge < p);
            self.bins[bin] = [self.bins[bin][0] + 1.0, self.bins[bin][1] + p];
        }
    }

    /// Takes in the expected errors of rows of a model of numbers.
    pub(crate) fn update_losses(&mut self, expected: &ExpectedLosses<'_>) {
        let (rows, sums) = expected.sums();
        self.rows += rows;
        self.losses.iter_mut().zip(sums).for_each(|(mine, sum)| *mine += sum);
    }

    fn see(&mut self, p: f64, called: bool) {
        let variance = p * (1.0 - p);
        if called {
            self.confusion[0] += p;
            self.confusion[1] += 1.0 - p;
            self.variances[0] += variance;
        } else {
            self.confusion[2] += p;
            self.variances[1] += variance;
        }
        let q = inside(p);
        let odds = (q / (1.0 - q)).ln();
        // The model's own probability is taken to be the calibrated one.
        self.brier = [self.brier[0] + variance, self.brier[1] + variance * (1.0 - 2.0 * p).powi(2)];
        self.log_loss[0] -= q * q.ln() + (1.0 - q) * (1.0 - q).ln();
        self.log_loss[1] += variance * odds * odds;
    }

    /// Takes in the sums of another window.
    pub(crate) fn merge(&mut self, other: &Self) {
        fn add<const N: usize>(mine: &mut [f64; N], theirs: &[f64; N]) {
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.rows += other.rows;
        add(&mut self.confusion, &other.confusion);
        add(&mut self.variances, &other.variances);
        add(&mut self.brier, &other.brier);
        add(&mut self.log_loss, &other.log_loss);
        add(&mut self.losses, &other.losses);
        if self.bins.len() < other.bins.len() {
            self.bins.resize(other.bins.len(), [0.0; 2]);
        }
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            add(mine, theirs);
        }
    }

    /// The estimated metrics; empty without rows.
    pub fn measures(&self, estimator: &Estimator) -> Measures {
        let mut out = Measures::new();
        if self.rows <= 0.0 {
            return out;
        }
        match estimator {
            Estimator::Classes { .. } => {
                self.confusion().measures(&mut out);
                let mut roc = RocArea::default();
                for [rows, sum] in self.bins.iter().rev().filter(|bin| bin[0] > 0.0) {
                    roc.push(*sum, rows - sum);
                }
                if let Some(value) = roc.value() {
                    out.insert("roc_auc".to_owned(), area(value, roc.positives(), roc.negatives()));
                }
                self.proper(&mut out);
            }
            Estimator::Losses { .. } => {
                let [absolute, squared, var_absolute, var_squared] = self.losses;
                out.insert("mae".to_owned(), mean(absolute, var_absolute, self.rows));
                let mut rmse = mean(squared, var_squared, self.rows);
                let root = rmse.value.max(0.0).sqrt();
                rmse.band = if root > 0.0 { rmse.band / (2.0 * root) } else { 0.0 };
                rmse.value = root;
                out.insert("rmse".to_owned(), rmse);
            }
        }
        out
    }

    fn confusion(&self) -> Confusion {
        let [true_positives, false_positives, false_negatives] = self.confusion;
        Confusion { rows: self.rows, true_positives, false_positives, false_negatives, variances: self.variances }
    }

    fn proper(&self, out: &mut Measures) {
        out.insert("brier".to_owned(), mean(self.brier[0], self.brier[1], self.rows));
        out.insert("log_loss".to_owned(), mean(self.log_loss[0], self.log_loss[1], self.rows));
    }
}

/// The area under the ROC curve that is expected if each row is positive with its probability: the closed form of
/// the CBPE of `NannyML`.
pub fn expected_auc(probabilities: &[f64]) -> Option<f64> {
    let mut sorted = probabilities.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut roc = RocArea::default();
    for p in sorted {
        roc.push(p, 1.0 - p);
    }
    roc.value()
}

/// All expected metrics of calibrated probabilities of which those where `called` are called positive.
pub fn expected_measures(probabilities: &[f64], called: impl Fn(usize) -> bool) -> Measures {
    let mut sums = ClassSums::default();
    for (row, p) in probabilities.iter().enumerate() {
        sums.rows += 1.0;
        sums.see(*p, called(row));
    }
    let mut out = Measures::new();
    sums.confusion().measures(&mut out);
    if sums.rows > 0.0 {
        sums.proper(&mut out);
    }
    if let Some(value) = expected_auc(probabilities) {
        let positives: f64 = probabilities.iter().sum();
        out.insert("roc_auc".to_owned(), area(value, positives, probabilities.len() as f64 - positives));
    }
    out
}
