//! The slices of a search, and the losses in each.

use super::column::{BinRange, FinderColumn};
use super::moments::Moments;

/// Columns that are crossed at most.
pub(super) const DEPTH_MAX: usize = 3;

/// A slice of a family: a range of bins for each of its columns. What is beyond the columns of a family has one bin.
pub(super) type Ranges = [BinRange; DEPTH_MAX];

/// The only bin of an absent column.
const NOTHING: BinRange = BinRange { low: 0, high: 1 };

/// The crossings of up to three columns: which, and how many bins they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    columns: [usize; DEPTH_MAX],
    depth: usize,
    widths: [usize; DEPTH_MAX],
}

impl Family {
    /// The crossing of `of`, one to three different columns.
    pub fn new(columns: &[FinderColumn], of: &[usize]) -> Self {
        let mut family = Self { columns: [0; DEPTH_MAX], depth: of.len(), widths: [1; DEPTH_MAX] };
        for (at, column) in of.iter().enumerate() {
            (family.columns[at], family.widths[at]) = (*column, columns[*column].width());
        }
        family
    }

    /// The columns that are crossed.
    pub fn columns(&self) -> &[usize] {
        &self.columns[..self.depth]
    }

    /// The number of cells of a table of sums.
    pub fn cells(&self) -> usize {
        self.widths.iter().map(|width| width + 1).product()
    }

    /// The cell of the sums of everything before these bins.
    fn cell(&self, [a, b, c]: [usize; DEPTH_MAX]) -> usize {
        (a * (self.widths[1] + 1) + b) * (self.widths[2] + 1) + c
    }

    /// The cell that row `row` is counted in.
    fn cell_of_row(&self, columns: &[FinderColumn], row: usize) -> usize {
        let bin = |at: usize| {
            if at < self.depth { columns[self.columns[at]].codes()[row] as usize + 1 } else { 1 }
        };
        self.cell([bin(0), bin(1), bin(2)])
    }

    /// The cells of some rows, in their order.
    pub fn cells_of(&self, columns: &[FinderColumn], rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|row| self.cell_of_row(columns, *row as usize) as u32).collect()
    }

    /// Turns sums by cell into sums of everything up to each cell.
    pub fn accumulate<T: Copy + std::ops::Add<Output = T>>(&self, cells: &mut [T]) {
        let [a, b, c] = self.widths.map(|width| width + 1);
        for (step, length) in [(b * c, a), (c, b), (1, c)] {
            // Along each axis, every cell takes in the one before it.
            for cell in step..cells.len() {
                if cell / step % length > 0 {
                    cells[cell] = cells[cell] + cells[cell - step];
                }
            }
        }
    }

    /// The corners of a slice in a table of accumulated sums: those that are added, and those that are subtracted.
    pub fn corners(&self, ranges: Ranges) -> [(usize, bool); 8] {
        let mut corners = [(0, true); 8];
        for (number, corner) in corners.iter_mut().enumerate() {
            let take_low = |axis: usize| number >> axis & 1 == 1;
            let end = |axis: usize| if take_low(axis) { ranges[axis].low } else { ranges[axis].high } as usize;
            let lows = (0..DEPTH_MAX).filter(|axis| take_low(*axis)).count();
            *corner = (self.cell([end(0), end(1), end(2)]), lows % 2 == 0);
        }
        corners
    }

    /// How many slices there are at most.
    pub fn slices_at_most(&self, columns: &[FinderColumn]) -> usize {
        self.columns().iter().map(|column| columns[*column].bin_ranges().len()).product()
    }

    /// Every slice that may be tried: the crossings of the ranges of the columns for which `keep` holds. It is asked of the first
    /// ranges too, with all bins for the rest: no part of a slice has more rows.
    pub fn slices(&self, columns: &[FinderColumn], keep: impl Fn(&Ranges) -> bool) -> Vec<Ranges> {
        let ranges = |at: usize| columns[self.columns[at]].bin_ranges();
        let all = |at: usize| if at < self.depth { columns[self.columns[at]].all_bins() } else { NOTHING };
        let mut slices: Vec<Ranges> = vec![[all(0), all(1), all(2)]];
        for at in 0..self.depth {
            let ranges = ranges(at);
            let narrower = |outer: &Ranges| {
                ranges
                    .iter()
                    .map(|range| {
                        let mut inner = *outer;
                        inner[at] = *range;
                        inner
                    })
                    .collect::<Vec<_>>()
            };
            slices = slices.iter().flat_map(narrower).filter(|inner| keep(inner)).collect();
        }
        slices
    }

    /// Every wider slice of this family that contains `inner`, except all rows. A condition may be dropped.
    pub fn wider(&self, inner: Ranges, columns: &[FinderColumn]) -> Vec<Ranges> {
        let mut found: Vec<Ranges> = vec![inner];
        let mut all = [NOTHING; DEPTH_MAX];
        for at in 0..self.depth {
            let column = &columns[self.columns[at]];
            all[at] = column.all_bins();
            let within = column.bin_ranges().into_iter().filter(|outer| inner[at].is_within(*outer));
            let outer: Vec<BinRange> = within.chain([column.all_bins()]).collect();
            found = found
                .iter()
                .flat_map(|slice| {
                    outer
                        .iter()
                        .map(|range| {
                            let mut wider = *slice;
                            wider[at] = *range;
                            wider
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        found.retain(|outer| *outer != inner && *outer != all);
        found
    }

    /// Whether row `row` belongs to a slice.
    pub fn contains(&self, ranges: Ranges, columns: &[FinderColumn], row: usize) -> bool {
        (0..self.depth).all(|at| ranges[at].contains(columns[self.columns[at]].codes()[row]))
    }
}

/// The losses in every slice of a family.
#[derive(Debug)]
pub(super) struct LossTable {
    family: Family,
    sums: Vec<Moments>,
}

impl LossTable {
    /// Sums the losses of some rows. `losses` are by row of the sample.
    pub fn new(family: Family, columns: &[FinderColumn], rows: &[u32], losses: &[f64]) -> Self {
        let mut sums = vec![Moments::default(); family.cells()];
        for row in rows {
            sums[family.cell_of_row(columns, *row as usize)].push(losses[*row as usize]);
        }
        family.accumulate(&mut sums);
        Self { family, sums }
    }

    /// The losses in the rows of a slice.
    pub fn moments(&self, ranges: Ranges) -> Moments {
        let (mut plus, mut minus) = (Moments::default(), Moments::default());
        for (cell, adds) in self.family.corners(ranges) {
            let of = if adds { &mut plus } else { &mut minus };
            *of = of.plus(self.sums[cell]);
        }
        plus.minus(minus)
    }

    /// The number of rows of a slice.
    pub fn count(&self, ranges: Ranges) -> f64 {
        let sign = |adds: bool| if adds { 1.0 } else { -1.0 };
        self.family.corners(ranges).iter().map(|(cell, adds)| sign(*adds) * self.sums[*cell].n).sum()
    }

    /// The sum of squares of the losses that the bins of one column explain, from the differences of their means. Losses are
    /// centred.
    pub fn explained_squares(&self) -> f64 {
        let bin = |at: usize| {
            let range = BinRange { low: at as u8, high: at as u8 + 1 };
            self.moments([range, NOTHING, NOTHING])
        };
        let bins = (0..self.family.widths[0]).map(bin).filter(|bin| bin.n > 0.0);
        bins.map(|bin| bin.sum * bin.sum / bin.n).sum()
    }
}
