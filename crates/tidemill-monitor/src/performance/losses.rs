//! The error of a model of numbers without labels: a model of its loss, learnt on the reference (direct loss estimation).

use serde::{Deserialize, Serialize};

/// Passes over all columns.
const ROUNDS: usize = 60;
/// The part of what a cell lacks that a pass adds.
const RATE: f64 = 0.2;
/// A cell counts as if it had this many more rows without an effect.
const SHRINKAGE: f64 = 20.0;

/// The absolute and the squared error that are expected of a row: a base and an effect of the cell that each of its values
/// is in. Fitted by boosting the columns in turn (as in generalised additive models, Lou et al. 2012).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossModel {
    /// The errors of the reference, on average.
    pub(crate) base: [f64; 2],
    /// By column of the profile and cell; the last cell is that of missing values.
    pub(crate) effects: Vec<Vec<[f64; 2]>>,
    /// The variances of the errors around what is expected.
    pub(crate) spread: [f64; 2],
}

impl LossModel {
    /// Learns from rows: by column the cell of each row, of `counts` cells, and the absolute error of each row.
    pub(crate) fn fit(cells: &[Vec<u16>], counts: &[usize], losses: &[f64]) -> Self {
        let rows = losses.len().max(1) as f64;
        let mut effects: Vec<Vec<[f64; 2]>> = counts.iter().map(|count| vec![[0.0; 2]; count + 1]).collect();
        let (mut base, mut spread) = ([0.0; 2], [0.0; 2]);
        for power in 0..2 {
            let target: Vec<f64> = losses.iter().map(|loss| loss.powi(power as i32 + 1)).collect();
            base[power] = target.iter().sum::<f64>() / rows;
            let mut rest: Vec<f64> = target.iter().map(|loss| loss - base[power]).collect();
            for _ in 0..ROUNDS {
                for (column, of_rows) in cells.iter().enumerate() {
                    let mut sums = vec![(0.0, 0.0); counts[column] + 1];
                    for (cell, rest) in of_rows.iter().zip(&rest) {
                        let sum = &mut sums[usize::from(*cell)];
                        *sum = (sum.0 + rest, sum.1 + 1.0);
                    }
                    let step: Vec<f64> = sums.iter().map(|(sum, count)| RATE * sum / (count + SHRINKAGE)).collect();
                    for (effect, step) in effects[column].iter_mut().zip(&step) {
                        effect[power] += step;
                    }
                    for (cell, rest) in of_rows.iter().zip(&mut rest) {
                        *rest -= step[usize::from(*cell)];
                    }
                }
            }
            spread[power] = rest.iter().map(|rest| rest * rest).sum::<f64>() / rows;
        }
        Self { base, effects, spread }
    }
}

/// What is expected of the rows of a batch, column by column.
#[derive(Debug)]
pub(crate) struct ExpectedLosses<'a> {
    model: &'a LossModel,
    rows: Vec<[f64; 2]>,
}

impl<'a> ExpectedLosses<'a> {
    pub(crate) fn new(model: &'a LossModel, rows: usize) -> Self {
        Self { model, rows: vec![model.base; rows] }
    }

    /// Adds the effect of the cell that a row has in a column; without a cell, that of a missing value.
    pub(crate) fn see(&mut self, column: usize, row: usize, cell: Option<usize>) {
        let Some(effects) = self.model.effects.get(column) else { return };
        let missing = effects.len().saturating_sub(1);
        if let Some(effect) = effects.get(cell.unwrap_or(missing)) {
            self.rows[row][0] += effect[0];
            self.rows[row][1] += effect[1];
        }
    }

    /// Rows, sums of the expected errors, and the variances of those sums.
    pub(crate) fn sums(&self) -> (f64, [f64; 4]) {
        let rows = self.rows.len() as f64;
        let sum = |power: usize| self.rows.iter().map(|row| row[power].max(0.0)).sum::<f64>();
        (rows, [sum(0), sum(1), rows * self.model.spread[0], rows * self.model.spread[1]])
    }
}

#[cfg(test)]
mod tests {
    use tidemill_core::SplitMix64;

    use super::*;

    #[test]
    fn errors_that_depend_on_two_columns_are_found() {
        let mut random = SplitMix64::new(3);
        let (mut a, mut b, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..4000 {
            let (x, y) = (random.below(4) as u16, random.below(3) as u16);
            losses.push(1.0 + f64::from(x) + 2.0 * f64::from(u8::from(y == 2)) + random.unit() - 0.5);
            a.push(x);
            b.push(y);
        }
        let model = LossModel::fit(&[a, b], &[4, 3], &losses);
        let mut expected = ExpectedLosses::new(&model, 2);
        for (row, (x, y)) in [(0, (0, 0)), (1, (3, 2))] {
            expected.see(0, row, Some(x));
            expected.see(1, row, Some(y));
        }
        assert!((expected.rows[0][0] - 1.0).abs() < 0.1, "{:?}", expected.rows);
        assert!((expected.rows[1][0] - 6.0).abs() < 0.1, "{:?}", expected.rows);
        assert!((model.spread[0] - 1.0 / 12.0).abs() < 0.02, "{:?}", model.spread);
    }
}
