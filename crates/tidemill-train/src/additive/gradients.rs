//! Scores of rows, their gradients, and the loss.

use super::rows::{AdditiveRows, Kind};
use crate::fast_exp::exp;

/// Rows of a bag with their scores, score by score.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) rows: Vec<u32>,
    pub(super) scores: Vec<Vec<f32>>,
}

impl Scored {
    pub(super) fn new(rows: Vec<u32>, base: &[f64]) -> Self {
        let scores = base.iter().map(|base| vec![*base as f32; rows.len()]).collect();
        Self { rows, scores }
    }

    /// Adds to each row's scores the values of its cell.
    pub(super) fn add(&mut self, cells: &[u16], values: &[f64]) {
        let count = self.scores.len();
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        for (at, scores) in self.scores.iter_mut().enumerate() {
            for (score, cell) in scores.iter_mut().zip(cells) {
                *score += values[usize::from(*cell) * count + at];
            }
        }
    }

    /// The first and second derivatives of the loss by each score of each row.
    pub(super) fn gradients(&self, data: &AdditiveRows, out: &mut Vec<Vec<[f32; 2]>>) {
        out.resize_with(self.scores.len(), Vec::new);
        out.iter_mut().for_each(|column| column.resize(self.rows.len(), [0.0; 2]));
        match data.kind {
            Kind::Amount => self.each_row(data, 0, &mut out[0], |score, target| [score - target, 1.0]),
            Kind::Binary => self.each_row(data, 0, &mut out[0], |score, target| {
                let p = 1.0 / (1.0 + exp(-score));
                [p - target, p * (1.0 - p)]
            }),
            Kind::Classes => {
                let mut sums = vec![0.0_f32; self.rows.len()];
                let mut largest = vec![f32::NEG_INFINITY; self.rows.len()];
                for column in &self.scores {
                    largest.iter_mut().zip(column).for_each(|(largest, score)| *largest = largest.max(*score));
                }
                for column in &self.scores {
                    for ((sum, score), largest) in sums.iter_mut().zip(column).zip(&largest) {
                        *sum += exp(score - largest);
                    }
                }
                for (class, column) in out.iter_mut().enumerate() {
                    for (at, (out, row)) in column.iter_mut().zip(&self.rows).enumerate() {
                        let p = exp(self.scores[class][at] - largest[at]) / sums[at];
                        let target = f32::from(u8::from(data.targets[*row as usize] as usize == class));
                        let weight = data.weight(*row as usize);
                        *out = [weight * (p - target), weight * p * (1.0 - p)];
                    }
                }
            }
        }
    }

    fn each_row(&self, data: &AdditiveRows, score: usize, out: &mut [[f32; 2]], of: impl Fn(f32, f32) -> [f32; 2]) {
        for ((out, score), row) in out.iter_mut().zip(&self.scores[score]).zip(&self.rows) {
            let weight = data.weight(*row as usize);
            *out = of(*score, data.targets[*row as usize]).map(|derivative| weight * derivative);
        }
    }

    /// The weighted mean loss.
    pub(super) fn loss(&self, data: &AdditiveRows) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (at, row) in self.rows.iter().enumerate() {
            let (target, weight) = (data.targets[*row as usize], f64::from(data.weight(*row as usize)));
            let score = |of: usize| f64::from(self.scores[of][at]);
            let loss = match data.kind {
                Kind::Amount => (score(0) - f64::from(target)).powi(2),
                Kind::Binary => {
                    let score = score(0);
                    score.max(0.0) - f64::from(target) * score + (-score.abs()).exp().ln_1p()
                }
                Kind::Classes => {
                    let largest = (0..self.scores.len()).map(score).fold(f64::NEG_INFINITY, f64::max);
                    let powers: f64 = (0..self.scores.len()).map(|of| (score(of) - largest).exp()).sum();
                    powers.ln() + largest - score(target as usize)
                }
            };
            sum += weight * loss;
            total += weight;
        }
        sum / total
    }
}
