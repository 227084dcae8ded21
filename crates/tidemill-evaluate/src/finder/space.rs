//! The slices of a search, and the losses in each.

use super::column::{BinRange, FinderColumn};
use super::moments::Moments;

/// The crossings of two columns (or the bins of one alone), with the losses in each cell.
#[derive(Debug)]
pub(super) struct Family {
    pub first: usize,
    pub second: Option<usize>,
    width: usize,
    cells: Vec<Moments>,
}

/// A slice of a family: one condition for each of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub first: BinRange,
    pub second: BinRange,
}

/// The only bin of an absent column.
const NOTHING: BinRange = BinRange { low: 0, high: 1 };

impl Family {
    /// Sums `losses` (one a row) into the cells of the crossing.
    pub fn new(columns: &[FinderColumn], first: usize, second: Option<usize>, losses: &[f64]) -> Self {
        let width = second.map_or(1, |second| columns[second].width());
        let mut cells = vec![Moments::default(); columns[first].width() * width];
        let codes = columns[first].codes();
        match second {
            None => {
                for (code, loss) in codes.iter().zip(losses) {
                    cells[*code as usize].push(*loss);
                }
            }
            Some(second) => {
                for ((a, b), loss) in codes.iter().zip(columns[second].codes()).zip(losses) {
                    cells[*a as usize * width + *b as usize].push(*loss);
                }
            }
        }
        Self { first, second, width, cells }
    }

    /// The losses in the rows of `pair`.
    pub fn moments(&self, pair: Pair) -> Moments {
        let mut sum = Moments::default();
        for a in pair.first.low..pair.first.high {
            let row = &self.cells[a as usize * self.width..][..self.width];
            for cell in &row[pair.second.low as usize..pair.second.high as usize] {
                sum = sum.plus(*cell);
            }
        }
        sum
    }

    /// The sum of squares of the losses explained by the cells, from the differences of their means. Losses are
    /// centred.
    pub fn explained_squares(&self) -> f64 {
        self.cells.iter().filter(|cell| cell.n > 0.0).map(|cell| cell.sum * cell.sum / cell.n).sum()
    }

    /// Every slice to try.
    pub fn pairs(&self, columns: &[FinderColumn]) -> Vec<Pair> {
        let second = self.second.map_or_else(|| vec![NOTHING], |second| columns[second].bin_ranges());
        let first = columns[self.first].bin_ranges();
        first.iter().flat_map(|first| second.iter().map(|second| Pair { first: *first, second: *second })).collect()
    }

    /// Every wider slice of this family that contains `pair`, except all rows. A condition may be dropped.
    pub fn wider(&self, pair: Pair, columns: &[FinderColumn]) -> Vec<Pair> {
        let wider = |column: &FinderColumn, inner: BinRange| -> Vec<BinRange> {
            let mut found: Vec<BinRange> =
                column.bin_ranges().into_iter().filter(|outer| inner.is_within(*outer)).collect();
            found.push(column.all_bins());
            found
        };
        let all_first = columns[self.first].all_bins();
        let (all_second, second) = match self.second {
            Some(column) => (columns[column].all_bins(), wider(&columns[column], pair.second)),
            None => (NOTHING, vec![NOTHING]),
        };
        wider(&columns[self.first], pair.first)
            .iter()
            .flat_map(|first| second.iter().map(|second| Pair { first: *first, second: *second }))
            .filter(|outer| *outer != pair && !(outer.first == all_first && outer.second == all_second))
            .collect()
    }

    /// Whether row `row` belongs to `pair`.
    pub fn contains(&self, pair: Pair, columns: &[FinderColumn], row: usize) -> bool {
        pair.first.contains(columns[self.first].codes()[row])
            && self.second.is_none_or(|second| pair.second.contains(columns[second].codes()[row]))
    }
}
