//! What is done to the averaged functions of all bags: effects of single features are taken out of pairs, functions are centred, and
//! directions are kept.

use super::pairs::PairAxes;
use super::rows::AdditiveRows;

/// Passes over the two features of a pair at most; each leaves a part of what the one before it left.
const PASSES: usize = 200;

/// The values of all terms, by cell and score.
#[derive(Debug, Clone)]
pub(super) struct Functions {
    pub(super) intercepts: Vec<f64>,
    /// By used feature.
    pub(super) single: Vec<Vec<f64>>,
    pub(super) pairs: Vec<(PairAxes, Vec<f64>)>,
}

/// The mean of the values of bags, term by term.
pub(super) fn mean<'a>(bags: impl Iterator<Item = &'a Vec<Vec<f64>>> + Clone) -> Vec<Vec<f64>> {
    let count = bags.clone().count().max(1) as f64;
    let mut sum: Vec<Vec<f64>> = Vec::new();
    for values in bags {
        if sum.is_empty() {
            sum = values.iter().map(|values| vec![0.0; values.len()]).collect();
        }
        for (sum, values) in sum.iter_mut().zip(values) {
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value / count);
        }
    }
    sum
}

impl Functions {
    /// Makes the functions such that each has a mean of 0 over the training rows, and what a pair adds has a mean of 0 for every
    /// value of either feature. Predictions stay what they were.
    pub(super) fn centre(&mut self, data: &AdditiveRows) {
        let scores = self.intercepts.len();
        for (pair, values) in &mut self.pairs {
            let rows = pair_rows(pair, data);
            let sizes = [pair.first.cells, pair.second.cells];
            for score in 0..scores {
                for _ in 0..PASSES {
                    let mut largest = 0.0_f64;
                    for axis in [0, 1] {
                        let coarse = [&pair.first, &pair.second][axis];
                        let moved = take_means(values, &rows, sizes, axis, score, scores);
                        let single = &mut self.single[coarse.used];
                        for (bin, group) in coarse.of.iter().enumerate() {
                            single[bin * scores + score] += moved[usize::from(*group)];
                        }
                        largest = moved.iter().fold(largest, |largest, mean| largest.max(mean.abs()));
                    }
                    if largest < 1e-10 {
                        break;
                    }
                }
            }
        }
        for (at, values) in self.single.iter_mut().enumerate() {
            let rows = single_rows(data, at);
            let total: f64 = rows.iter().sum();
            for score in 0..scores {
                let mean =
                    rows.iter().enumerate().map(|(cell, rows)| rows * values[cell * scores + score]).sum::<f64>()
                        / total.max(f64::MIN_POSITIVE);
                values.iter_mut().skip(score).step_by(scores).for_each(|value| *value -= mean);
                self.intercepts[score] += mean;
            }
        }
    }

    /// Makes the function of the used feature `at` rise, or fall, with its values: runs that break the direction get their mean (the
    /// pool-adjacent-violators algorithm, which is the nearest such function in the squares over the rows).
    pub(super) fn make_monotone(&mut self, data: &AdditiveRows, at: usize, sign: f64) {
        let rows = single_rows(data, at);
        let values = &mut self.single[at];
        let present = values.len() - 1;
        // The value, the rows and the bins of each run.
        let mut runs: Vec<(f64, f64, usize)> = Vec::new();
        for bin in 0..present {
            runs.push((sign * values[bin], rows[bin].max(1e-9), 1));
            while let [.., before, last] = &runs[..] {
                if before.0 <= last.0 {
                    break;
                }
                let rows = before.1 + last.1;
                let merged = ((before.0 * before.1 + last.0 * last.1) / rows, rows, before.2 + last.2);
                runs.truncate(runs.len() - 2);
                runs.push(merged);
            }
        }
        let smooth = runs.into_iter().flat_map(|(value, _, bins)| std::iter::repeat_n(sign * value, bins));
        values.iter_mut().zip(smooth).for_each(|(value, smooth)| *value = smooth);
    }

    /// By term: the mean absolute value over the rows, of the score where that is largest.
    pub(super) fn effects(&self, data: &AdditiveRows) -> (Vec<f64>, Vec<f64>) {
        let scores = self.intercepts.len();
        let single = self.single.iter().enumerate().map(|(at, values)| effect(values, &single_rows(data, at), scores));
        let pairs = self.pairs.iter().map(|(pair, values)| effect(values, &pair_rows(pair, data), scores));
        (single.collect(), pairs.collect())
    }
}

fn effect(values: &[f64], rows: &[f64], scores: usize) -> f64 {
    let total = rows.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let of = |score: usize| {
        rows.iter().enumerate().map(|(cell, rows)| rows * values[cell * scores + score].abs()).sum::<f64>() / total
    };
    (0..scores).map(of).fold(0.0, f64::max)
}

/// Weights of rows by cell of the used feature `at`.
pub(super) fn single_rows(data: &AdditiveRows, at: usize) -> Vec<f64> {
    let mut rows = vec![0.0; data.cells(at)];
    for (row, bin) in data.bins.columns[at].iter().enumerate() {
        rows[usize::from(*bin)] += f64::from(data.weight(row));
    }
    rows
}

fn pair_rows(pair: &PairAxes, data: &AdditiveRows) -> Vec<f64> {
    let mut rows = vec![0.0; pair.cells()];
    for row in 0..data.rows() {
        rows[usize::from(pair.cell(data, row as u32))] += f64::from(data.weight(row));
    }
    rows
}

/// Takes the mean over the other axis from every bin of `axis`, and returns those means.
fn take_means(
    values: &mut [f64],
    rows: &[f64],
    sizes: [usize; 2],
    axis: usize,
    score: usize,
    scores: usize,
) -> Vec<f64> {
    let bin = |cell: usize| [cell / sizes[1], cell % sizes[1]][axis];
    let (mut sums, mut totals) = (vec![0.0; sizes[axis]], vec![0.0; sizes[axis]]);
    for (cell, rows) in rows.iter().enumerate() {
        sums[bin(cell)] += rows * values[cell * scores + score];
        totals[bin(cell)] += rows;
    }
    let means: Vec<f64> =
        sums.iter().zip(&totals).map(|(sum, total)| if *total > 0.0 { sum / total } else { 0.0 }).collect();
    for cell in 0..rows.len() {
        values[cell * scores + score] -= means[bin(cell)];
    }
    means
}
