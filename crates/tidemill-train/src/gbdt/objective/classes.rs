//! Losses of classes and labels.

use tidemill_core::LabelSet;
use tidemill_model::trees::Link;

use super::{Gradient, Objective, mean};

/// The largest value of a leaf before the learning rate: at the default rate, the logarithm of the odds moves by 1 at most.
const LEAF_LIMIT: f64 = 10.0;

/// Log-loss of a probability; the score is its log-odds. Labels are 0 or 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLoss;

impl Objective for LogLoss {
    fn link(&self) -> Link {
        Link::Logistic
    }

    fn metric_name(&self) -> &'static str {
        "log-loss"
    }

    fn leaf_limit(&self) -> Option<f64> {
        Some(LEAF_LIMIT)
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let share = mean(labels, weights).clamp(1e-12, 1.0 - 1e-12);
        vec![(share / (1.0 - share)).ln()]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            *out = logistic_gradient(*score, *label);
        }
    }

    /// `ln(1 + e^s) − y s`, without overflow.
    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let score = scores[0];
        score.max(0.0) - label * score + (-score.abs()).exp().ln_1p()
    }
}

/// The derivatives of the log-loss of a log-odds for a label of 0 or 1.
fn logistic_gradient(score: f64, label: f64) -> Gradient {
    let probability = 1.0 / (1.0 + (-score).exp());
    [(probability - label) as f32, (probability * (1.0 - probability)) as f32]
}

/// A log-loss for each of several scores, which are log-odds: of each class against all others, or of each label.
#[derive(Debug, Clone, Copy)]
pub struct OneVsAll {
    scores: usize,
    /// A label is a [`LabelSet`], not the number of a class.
    of_labels: bool,
}

impl OneVsAll {
    /// The losses of `classes` classes; a label is the number of its class.
    pub fn of_classes(classes: usize) -> Self {
        Self { scores: classes, of_labels: false }
    }

    /// The losses of `labels` labels; a label is a [`LabelSet`].
    pub fn of_labels(labels: usize) -> Self {
        Self { scores: labels, of_labels: true }
    }

    /// 1 where `label` is the class or has the label of the score `at`, 0 otherwise.
    fn truth(self, label: f64, at: usize) -> f64 {
        let is = if self.of_labels { LabelSet::from_value(label).has(at) } else { label as usize == at };
        f64::from(u8::from(is))
    }
}

impl Objective for OneVsAll {
    fn metric_name(&self) -> &'static str {
        "log-loss"
    }

    fn leaf_limit(&self) -> Option<f64> {
        Some(LEAF_LIMIT)
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let base = |at| {
            let truth: Vec<f64> = labels.iter().map(|label| self.truth(*label, at)).collect();
            LogLoss.base_scores(&truth, weights)[0]
        };
        (0..self.scores).map(base).collect()
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for (at, (scores, out)) in scores.iter().zip(out).enumerate() {
            for ((score, label), out) in scores.iter().zip(labels).zip(&mut **out) {
                *out = logistic_gradient(*score, self.truth(*label, at));
            }
        }
    }

    /// Of labels the mean of their losses. Of classes what their predictions are worth, which are the shares of the
    /// probabilities: the log-loss that [`Softmax`] has too.
    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        if self.of_labels {
            let each = scores.iter().enumerate().map(|(at, score)| LogLoss.loss(&[*score], self.truth(label, at)));
            return each.sum::<f64>() / self.scores as f64;
        }
        // The logarithm of a logistic function, which does not overflow.
        let logarithms: Vec<f64> = scores.iter().map(|score| -LogLoss.loss(&[*score], 1.0)).collect();
        Softmax::new(self.scores).loss(&logarithms, label)
    }
}

/// Log-loss of the probabilities of several classes, the softmax of a score for each. A label is the number of its class.
///
/// As in LightGBM, second derivatives are taken K / (K − 1) times: the K scores of a row move together, and for two classes
/// a round then takes the same step as [`LogLoss`].
#[derive(Debug, Clone, Copy)]
pub struct Softmax {
    classes: usize,
}

impl Softmax {
    /// A loss over `classes` classes, of which there are two or more.
    pub fn new(classes: usize) -> Self {
        Self { classes: classes.max(2) }
    }
}

impl Objective for Softmax {
    fn metric_name(&self) -> &'static str {
        "log-loss"
    }

    fn leaf_limit(&self) -> Option<f64> {
        Some(LEAF_LIMIT)
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let mut counts = vec![0.0; self.classes];
        let mut total = 0.0;
        for (at, label) in labels.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[at]);
            counts[*label as usize] += weight;
            total += weight;
        }
        counts.into_iter().map(|count: f64| (count / total).max(1e-15).ln()).collect()
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        let factor = self.classes as f64 / (self.classes as f64 - 1.0);
        let mut powers = vec![0.0; self.classes];
        for (row, label) in labels.iter().enumerate() {
            let largest = scores.iter().map(|column| column[row]).fold(f64::NEG_INFINITY, f64::max);
            let mut sum = 0.0;
            for (power, column) in powers.iter_mut().zip(scores) {
                *power = (column[row] - largest).exp();
                sum += *power;
            }
            for (class, (power, out)) in powers.iter().zip(&mut *out).enumerate() {
                let probability = power / sum;
                let truth = f64::from(u8::from(class == *label as usize));
                out[row] = [(probability - truth) as f32, (factor * probability * (1.0 - probability)) as f32];
            }
        }
    }

    /// `ln Σ e^s − s_y`, without overflow.
    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        sum.ln() + largest - scores[label as usize]
    }
}
