//! The loss of a linear model over all rows, with its gradient.

use rayon::prelude::*;
use tidemill_core::Task;

use super::design::Design;

/// Rows summed together. Sums depend on it, so it is fixed.
const RUN_ROWS: usize = 1 << 12;

/// The sum over rows of the loss of a linear model, plus `l2` / 2 times the squares of its weights. Intercepts are not
/// penalised.
///
/// A point is for each score its intercept and then its weights. Losses are half the squared error, the log-loss, and
/// the log-loss of a softmax.
#[derive(Debug)]
pub struct LinearLoss<'a> {
    /// What is learned.
    pub task: &'a Task,
    /// The rows.
    pub design: &'a Design,
    /// A label a row: a value, 0 or 1, or the number of a class.
    pub labels: &'a [f64],
    /// What a row counts for; 1 where there are none.
    pub weights: Option<&'a [f64]>,
    /// The penalty.
    pub l2: f64,
}

impl LinearLoss<'_> {
    /// How many scores a row has.
    pub fn scores(&self) -> usize {
        self.task.columns()
    }

    /// How many numbers a point has.
    pub fn dimensions(&self) -> usize {
        self.scores() * (1 + self.design.width())
    }

    /// The value at `point`; `gradient` is overwritten. The same bits at any number of threads.
    pub fn value(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let runs = self.design.rows().div_ceil(RUN_ROWS);
        let parts: Vec<(f64, Vec<f64>)> = (0..runs).into_par_iter().map(|run| self.run(point, run)).collect();
        gradient.fill(0.0);
        let mut value = 0.0;
        for (loss, derivatives) in parts {
            value += loss;
            gradient.iter_mut().zip(derivatives).for_each(|(sum, part)| *sum += part);
        }
        let stride = 1 + self.design.width();
        for score in 0..self.scores() {
            for at in score * stride + 1..(score + 1) * stride {
                value += 0.5 * self.l2 * point[at] * point[at];
                gradient[at] += self.l2 * point[at];
            }
        }
        value
    }

    fn run(&self, point: &[f64], run: usize) -> (f64, Vec<f64>) {
        let stride = 1 + self.design.width();
        let mut gradient = vec![0.0; point.len()];
        let mut scores = vec![0.0; self.scores()];
        let mut loss = 0.0;
        for row in run * RUN_ROWS..((run + 1) * RUN_ROWS).min(self.design.rows()) {
            for (at, score) in scores.iter_mut().enumerate() {
                let own = &point[at * stride..][..stride];
                *score = self.design.row(row).fold(own[0], |sum, (column, value)| sum + own[1 + column] * value);
            }
            // The scores become the derivatives of the loss.
            let weight = self.weights.map_or(1.0, |weights| weights[row]);
            loss += weight * self.row_loss(&mut scores, self.labels[row]);
            scores.iter_mut().for_each(|derivative| *derivative *= weight);
            for (at, derivative) in scores.iter().enumerate() {
                let own = &mut gradient[at * stride..][..stride];
                own[0] += derivative;
                for (column, value) in self.design.row(row) {
                    own[1 + column] += derivative * value;
                }
            }
        }
        (loss, gradient)
    }

    /// The loss of a row; its scores are replaced by their derivatives.
    fn row_loss(&self, scores: &mut [f64], label: f64) -> f64 {
        match self.task {
            Task::Binary => {
                let score = scores[0];
                scores[0] = 1.0 / (1.0 + (-score).exp()) - label;
                score.max(0.0) - label * score + (-score.abs()).exp().ln_1p()
            }
            Task::MultiClass { .. } => {
                let class = label as usize;
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let of_class = scores[class] - largest;
                let mut sum = 0.0;
                for score in &mut *scores {
                    *score = (*score - largest).exp();
                    sum += *score;
                }
                for score in &mut *scores {
                    *score /= sum;
                }
                scores[class] -= 1.0;
                sum.ln() - of_class
            }
            _ => {
                scores[0] -= label;
                0.5 * scores[0] * scores[0]
            }
        }
    }
}
