//! The loss of a linear model over all rows, with its gradient.

use rayon::prelude::*;

use super::design::Design;

/// Runs that are summed together, at least.
const RUNS_TOGETHER: usize = 4;
/// Sums over all rows are made of at most so many parts. Each has a number for every weight.
const PARTS_MAX: usize = 32;

/// What a row loses by its scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowLoss {
    /// Half the squared error.
    Squared,
    /// The log-loss of the logistic function of the score.
    Logistic,
    /// The log-loss of the softmax of so many scores.
    Softmax(usize),
    /// Half the Poisson deviance of the exponential of the score, but for what depends on the label alone.
    Poisson,
    /// The same of the gamma distribution.
    Gamma,
    /// The same of the Tweedie distribution whose variance grows with this power of the mean, above 1 and below 2.
    Tweedie(f64),
}

impl RowLoss {
    /// How many scores a row has.
    pub fn scores(self) -> usize {
        match self {
            Self::Softmax(classes) => classes,
            _ => 1,
        }
    }

    /// The loss of a row with one score, and its derivative.
    #[inline]
    fn of(self, score: f64, label: f64) -> (f64, f64) {
        match self {
            Self::Logistic => {
                let small = (-score.abs()).exp();
                let of_larger = 1.0 / (1.0 + small);
                let probability = if score >= 0.0 { of_larger } else { small * of_larger };
                (score.max(0.0) - label * score + small.ln_1p(), probability - label)
            }
            Self::Poisson => {
                let mean = score.exp();
                (mean - label * score, mean - label)
            }
            Self::Gamma => {
                let ratio = label * (-score).exp();
                (score + ratio, 1.0 - ratio)
            }
            Self::Tweedie(power) => {
                let (low, high) = ((score * (1.0 - power)).exp(), (score * (2.0 - power)).exp());
                (high / (2.0 - power) - label * low / (1.0 - power), high - label * low)
            }
            Self::Squared | Self::Softmax(_) => (0.5 * (score - label) * (score - label), score - label),
        }
    }

    /// The loss of a row with several scores, which are replaced by their derivatives.
    fn of_classes(scores: &mut [f64], class: usize) -> f64 {
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let of_class = scores[class] - largest;
        let mut sum = 0.0;
        for score in &mut *scores {
            *score = (*score - largest).exp();
            sum += *score;
        }
        scores.iter_mut().for_each(|score| *score /= sum);
        scores[class] -= 1.0;
        sum.ln() - of_class
    }
}

/// The sum over rows of the loss of a linear model, plus `l2` / 2 times the squares of its weights. Intercepts are not
/// penalised.
///
/// A point is for each score its intercept and then its weights.
#[derive(Debug)]
pub struct LinearLoss<'a> {
    /// What a row loses.
    pub loss: RowLoss,
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
    /// Numbers of a score: its intercept and its weights.
    pub fn stride(&self) -> usize {
        1 + self.design.width()
    }

    /// How many numbers a point has.
    pub fn dimensions(&self) -> usize {
        self.loss.scores() * self.stride()
    }

    /// The sum of what rows count for.
    pub fn total(&self) -> f64 {
        self.weights.map_or(self.labels.len() as f64, |weights| weights.iter().sum())
    }

    /// The value at `point`; `gradient` is overwritten. The same bits at any number of threads.
    pub fn value(&self, point: &[f64], gradient: &mut [f64]) -> f64 {
        let runs = self.design.run_count();
        let together = RUNS_TOGETHER.max(runs.div_ceil(PARTS_MAX));
        let parts: Vec<(f64, Vec<f64>)> = (0..runs.div_ceil(together))
            .into_par_iter()
            .map(|part| self.part(point, part * together..((part + 1) * together).min(runs)))
            .collect();
        gradient.fill(0.0);
        let mut value = 0.0;
        for (loss, derivatives) in parts {
            value += loss;
            gradient.iter_mut().zip(derivatives).for_each(|(sum, part)| *sum += part);
        }
        for (own, point) in gradient.chunks_mut(self.stride()).zip(point.chunks(self.stride())) {
            self.design.centre(own);
            for (derivative, weight) in own[1..].iter_mut().zip(&point[1..]) {
                value += 0.5 * self.l2 * weight * weight;
                *derivative += self.l2 * weight;
            }
        }
        value
    }

    /// The mean loss of the rows at `point`, without the penalty.
    pub fn mean(&self, point: &[f64]) -> f64 {
        let runs: Vec<f64> = (0..self.design.run_count())
            .into_par_iter()
            .map(|run| {
                let mut scores = vec![Vec::new(); self.loss.scores()];
                self.run(point, run, &mut scores)
            })
            .collect();
        runs.into_iter().sum::<f64>() / self.total()
    }

    fn part(&self, point: &[f64], runs: std::ops::Range<usize>) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; point.len()];
        let mut scores = vec![Vec::new(); self.loss.scores()];
        let mut loss = 0.0;
        for run in runs {
            loss += self.run(point, run, &mut scores);
            for (derivatives, own) in scores.iter().zip(gradient.chunks_mut(self.stride())) {
                self.design.add_gradient(run, derivatives, own);
            }
        }
        (loss, gradient)
    }

    /// The loss of a run; `scores` becomes the derivatives of its rows, a list for each score.
    fn run(&self, point: &[f64], run: usize, scores: &mut [Vec<f64>]) -> f64 {
        let (first, rows) = self.design.run_rows(run);
        for (scores, own) in scores.iter_mut().zip(point.chunks(self.stride())) {
            scores.resize(rows, 0.0);
            self.design.scores(run, own, scores);
        }
        let labels = &self.labels[first..first + rows];
        let weight = |row: usize| self.weights.map_or(1.0, |weights| weights[first + row]);
        let mut loss = 0.0;
        if let RowLoss::Softmax(classes) = self.loss {
            let mut of_row = vec![0.0; classes];
            for (row, label) in labels.iter().enumerate() {
                of_row.iter_mut().zip(&*scores).for_each(|(one, all)| *one = all[row]);
                loss += weight(row) * RowLoss::of_classes(&mut of_row, *label as usize);
                scores.iter_mut().zip(&of_row).for_each(|(all, one)| all[row] = weight(row) * one);
            }
        } else {
            for (row, (score, label)) in scores[0].iter_mut().zip(labels).enumerate() {
                let (lost, derivative) = self.loss.of(*score, *label);
                loss += weight(row) * lost;
                *score = weight(row) * derivative;
            }
        }
        loss
    }
}
