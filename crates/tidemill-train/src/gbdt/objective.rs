//! What is being minimised.

use tidemill_model::Task;

/// First and second derivative of the loss with respect to the score, for one row.
pub type Gradient = [f32; 2];

/// A loss that trees can be fitted to.
///
/// Methods get slices of consecutive rows: `scores`, `labels` and `out` have the same length.
pub trait Objective: Send + Sync {
    /// What a score stands for in the fitted ensemble.
    fn task(&self) -> Task;

    /// What [`metric`](Self::metric) is called: `log-loss`.
    fn metric_name(&self) -> &'static str;

    /// The constant score with the smallest loss over weighted labels.
    fn base_score(&self, mean_label: f64) -> f64;

    /// The derivatives at `scores`.
    fn gradients(&self, scores: &[f64], labels: &[f64], out: &mut [Gradient]);

    /// The loss of one row.
    fn loss(&self, score: f64, label: f64) -> f64;

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

    fn base_score(&self, mean_label: f64) -> f64 {
        let share = mean_label.clamp(1e-12, 1.0 - 1e-12);
        (share / (1.0 - share)).ln()
    }

    fn gradients(&self, scores: &[f64], labels: &[f64], out: &mut [Gradient]) {
        for ((score, label), out) in scores.iter().zip(labels).zip(out) {
            let probability = 1.0 / (1.0 + (-score).exp());
            *out = [(probability - label) as f32, (probability * (1.0 - probability)) as f32];
        }
    }

    /// `ln(1 + e^s) − y s`, without overflow.
    fn loss(&self, score: f64, label: f64) -> f64 {
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

    fn base_score(&self, mean_label: f64) -> f64 {
        mean_label
    }

    fn gradients(&self, scores: &[f64], labels: &[f64], out: &mut [Gradient]) {
        for ((score, label), out) in scores.iter().zip(labels).zip(out) {
            *out = [(score - label) as f32, 1.0];
        }
    }

    fn loss(&self, score: f64, label: f64) -> f64 {
        0.5 * (score - label) * (score - label)
    }

    fn metric(&self, mean_loss: f64) -> f64 {
        (2.0 * mean_loss).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The derivatives must be those of the loss, by central differences.
    fn check(objective: &dyn Objective, label: f64) {
        for score in [-8.0, -1.0, 0.0, 0.3, 5.0] {
            let step = 1e-4;
            let at = |score| objective.loss(score, label);
            let first = (at(score + step) - at(score - step)) / (2.0 * step);
            let second = (at(score + step) - 2.0 * at(score) + at(score - step)) / (step * step);
            let mut out = [[0.0; 2]];
            objective.gradients(&[score], &[label], &mut out);
            assert!((f64::from(out[0][0]) - first).abs() < 1e-6, "{score}: {out:?} {first}");
            assert!((f64::from(out[0][1]) - second).abs() < 1e-5, "{score}: {out:?} {second}");
        }
    }

    #[test]
    fn gradients_are_derivatives_of_the_loss() {
        check(&LogLoss, 0.0);
        check(&LogLoss, 1.0);
        check(&SquaredError, 2.5);
    }

    #[test]
    fn log_loss_does_not_overflow() {
        assert_eq!(LogLoss.loss(1000.0, 0.0), 1000.0);
        assert_eq!(LogLoss.loss(-1000.0, 0.0), 0.0);
        assert!((LogLoss.loss(LogLoss.base_score(0.25), 1.0) - 4.0_f64.ln()).abs() < 1e-12);
    }
}
