//! Losses of classes.

use tidemill_model::trees::Link;

use super::{Gradient, Objective, mean};

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

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let share = mean(labels, weights).clamp(1e-12, 1.0 - 1e-12);
        vec![(share / (1.0 - share)).ln()]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            let probability = 1.0 / (1.0 + (-score).exp());
            *out = [(probability - label) as f32, (probability * (1.0 - probability)) as f32];
        }
    }

    /// `ln(1 + e^s) − y s`, without overflow.
    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        let score = scores[0];
        score.max(0.0) - label * score + (-score.abs()).exp().ln_1p()
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
