//! What is being minimised.

use tidemill_model::Task;

/// First and second derivative of the loss with respect to a score, for one row.
pub type Gradient = [f32; 2];

/// A loss that trees can be fitted to, of one score a row or of several.
///
/// Methods get columns of consecutive rows: one of `scores` and one of `out` for each score, all as long as `labels`.
pub trait Objective: Send + Sync {
    /// What each sum of trees stands for: [`Task::Regression`] where its score is the number itself.
    fn task(&self) -> Task;

    /// What [`metric`](Self::metric) is called: `log-loss`.
    fn metric_name(&self) -> &'static str;

    /// The constant scores with the smallest loss over the labels, whose weights are all 1 where there are none.
    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64>;

    /// The derivatives at `scores`.
    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]);

    /// The loss of one row.
    fn loss(&self, scores: &[f64], label: f64) -> f64;

    /// The figure reported for a mean loss; grows with it.
    fn metric(&self, mean_loss: f64) -> f64 {
        mean_loss
    }
}

/// Log-loss of a probability; the score is its log-odds. Labels are 0 or 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLoss;

impl Objective for LogLoss {
    fn task(&self) -> Task {
        Task::Binary
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

/// Half the squared error; the score is the prediction.
#[derive(Debug, Clone, Copy, Default)]
pub struct SquaredError;

impl Objective for SquaredError {
    fn task(&self) -> Task {
        Task::Regression
    }

    fn metric_name(&self) -> &'static str {
        "RMSE"
    }

    fn base_scores(&self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        vec![mean(labels, weights)]
    }

    fn gradients(&self, scores: &[&[f64]], labels: &[f64], out: &mut [&mut [Gradient]]) {
        for ((score, label), out) in scores[0].iter().zip(labels).zip(&mut *out[0]) {
            *out = [(score - label) as f32, 1.0];
        }
    }

    fn loss(&self, scores: &[f64], label: f64) -> f64 {
        0.5 * (scores[0] - label) * (scores[0] - label)
    }

    fn metric(&self, mean_loss: f64) -> f64 {
        (2.0 * mean_loss).sqrt()
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
    fn task(&self) -> Task {
        Task::Regression
    }

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

/// The weighted mean of labels.
fn mean(labels: &[f64], weights: Option<&[f64]>) -> f64 {
    // Values are scaled down first: a sum of large labels must not overflow.
    let total = weights.map_or(labels.len() as f64, |weights| weights.iter().sum());
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    labels.iter().enumerate().map(|(at, label)| label * (weight(at) / total)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivatives must be those of the loss, by central differences; second ones times `factor`.
    fn check(objective: &dyn Objective, others: &[f64], label: f64, factor: f64) {
        for score in [-8.0, -1.0, 0.0, 0.3, 5.0] {
            let step = 1e-4;
            let row = |score: f64| [&[score], others].concat();
            let at = |score| objective.loss(&row(score), label);
            let first = (at(score + step) - at(score - step)) / (2.0 * step);
            let second = factor * (at(score + step) - 2.0 * at(score) + at(score - step)) / (step * step);
            let (scores, mut out) = (row(score), vec![[[0.0; 2]; 1]; 1 + others.len()]);
            let columns: Vec<&[f64]> = scores.iter().map(std::slice::from_ref).collect();
            let mut outs: Vec<&mut [Gradient]> = out.iter_mut().map(|out| &mut out[..]).collect();
            objective.gradients(&columns, &[label], &mut outs);
            assert!((f64::from(out[0][0][0]) - first).abs() < 1e-6, "{score}: {out:?} {first}");
            assert!((f64::from(out[0][0][1]) - second).abs() < 1e-5, "{score}: {out:?} {second}");
        }
    }

    #[test]
    fn gradients_are_derivatives_of_the_loss() {
        check(&LogLoss, &[], 0.0, 1.0);
        check(&LogLoss, &[], 1.0, 1.0);
        check(&SquaredError, &[], 2.5, 1.0);
        for label in [0.0, 1.0, 2.0] {
            check(&Softmax::new(3), &[0.5, -1.0], label, 1.5);
        }
    }

    #[test]
    fn log_loss_does_not_overflow() {
        assert_eq!(LogLoss.loss(&[1000.0], 0.0), 1000.0);
        assert_eq!(LogLoss.loss(&[-1000.0], 0.0), 0.0);
        assert!((LogLoss.loss(&LogLoss.base_scores(&[0.0, 0.0, 1.0, 0.0], None), 1.0) - 4.0_f64.ln()).abs() < 1e-12);
        assert_eq!(Softmax::new(3).loss(&[1000.0, 0.0, 0.0], 1.0), 1000.0);
    }

    #[test]
    fn base_scores_are_the_logarithms_of_the_shares() {
        let scores = Softmax::new(3).base_scores(&[0.0, 1.0, 1.0, 2.0], None);
        assert_eq!(scores, [0.25_f64.ln(), 0.5_f64.ln(), 0.25_f64.ln()]);
        assert_eq!(Softmax::new(2).base_scores(&[0.0, 1.0], Some(&[3.0, 1.0])), [0.75_f64.ln(), 0.25_f64.ln()]);
    }
}
