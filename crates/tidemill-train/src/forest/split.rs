//! The best split of a node on one feature.

use tidemill_core::SplitMix64;

use super::rows::Labels;
use crate::gbdt::{BinSet, FeatureBins, UsedFeature};

/// Nodes of fewer rows sort them by their bin; larger ones fill a histogram.
const SORTED_ROWS: usize = 96;
/// Numbers of a cell beside its sums: how many rows, and what they count together.
const HEAD: usize = 2;

/// The rows of a node, and how they count.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeRows<'a> {
    pub(super) rows: &'a [u32],
    /// By row of the table.
    pub(super) counts: &'a [f64],
    pub(super) labels: &'a Labels,
}

impl NodeRows<'_> {
    /// Adds a row to the cell at `cells`.
    #[inline]
    fn add(&self, row: u32, cell: &mut [f64]) {
        let count = self.counts[row as usize];
        cell[0] += 1.0;
        cell[1] += count;
        match self.labels {
            Labels::Amount(values) => cell[HEAD] += count * values[row as usize],
            Labels::Class { of, .. } => cell[HEAD + of[row as usize] as usize] += count,
        }
    }

    /// The sums of all rows.
    pub(super) fn total(&self) -> Vec<f64> {
        let mut total = vec![0.0; HEAD + self.labels.sums()];
        self.rows.iter().for_each(|row| self.add(*row, &mut total));
        total
    }
}

/// A split of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Σ sums² / count over both sides: larger is purer.
    pub(super) score: f64,
    pub(super) left: BinSet,
    pub(super) missing_left: bool,
}

/// What a leaf of these sums is worth.
pub(super) fn score(cell: &[f64]) -> f64 {
    cell[HEAD..].iter().map(|sum| sum * sum).sum::<f64>() / cell[1].max(f64::MIN_POSITIVE)
}

/// The sums of a cell divided by its count: shares of classes, or the mean of an amount.
pub(super) fn means(cell: &[f64]) -> impl Iterator<Item = f64> + '_ {
    cell[HEAD..].iter().map(|sum| sum / cell[1].max(f64::MIN_POSITIVE))
}

/// How many rows a cell has.
pub(super) fn rows_of(cell: &[f64]) -> f64 {
    cell[0]
}

/// Memory for the cells of a node's feature, reused.
#[derive(Debug, Default)]
pub(super) struct Cells {
    histogram: Vec<f64>,
    /// The bins that have rows, ascending, and their cells side by side.
    bins: Vec<u8>,
    cells: Vec<f64>,
    sorted: Vec<(u8, u32)>,
    left: Vec<f64>,
    right: Vec<f64>,
}

impl Cells {
    /// Sums the rows of a node by bin.
    fn fill(&mut self, node: NodeRows<'_>, column: &[u8], width: usize, all: usize) {
        self.bins.clear();
        self.cells.clear();
        if node.rows.len() < SORTED_ROWS {
            self.sorted.clear();
            self.sorted.extend(node.rows.iter().map(|row| (column[*row as usize], *row)));
            self.sorted.sort_unstable();
            for (bin, row) in &self.sorted {
                if self.bins.last() != Some(bin) {
                    self.bins.push(*bin);
                    self.cells.resize(self.cells.len() + width, 0.0);
                }
                let from = self.cells.len() - width;
                node.add(*row, &mut self.cells[from..]);
            }
            return;
        }
        self.histogram.clear();
        self.histogram.resize(all * width, 0.0);
        for row in node.rows {
            let from = usize::from(column[*row as usize]) * width;
            node.add(*row, &mut self.histogram[from..from + width]);
        }
        for (bin, cell) in self.histogram.chunks_exact(width).enumerate() {
            if cell[0] > 0.0 {
                self.bins.push(bin as u8);
                self.cells.extend_from_slice(cell);
            }
        }
    }

    /// The best split on a feature whose sides have `min_leaf` rows at least; with `draw`, one at random.
    pub(super) fn best(
        &mut self,
        node: NodeRows<'_>,
        column: &[u8],
        used: &UsedFeature,
        min_leaf: f64,
        draw: Option<&mut SplitMix64>,
    ) -> Option<Found> {
        let width = HEAD + node.labels.sums();
        self.fill(node, column, width, used.bins.len() + 1);
        if self.bins.len() < 2 {
            return None;
        }
        match &used.bins {
            FeatureBins::Numeric { bounds } => self.numeric(width, used.bins.missing(), bounds, min_leaf, draw),
            FeatureBins::Categorical { .. } => self.categorical(width, used.bins.missing(), min_leaf, draw),
        }
    }

    fn numeric(
        &mut self,
        width: usize,
        missing: u8,
        bounds: &[f64],
        min_leaf: f64,
        draw: Option<&mut SplitMix64>,
    ) -> Option<Found> {
        let has_missing = self.bins.last() == Some(&missing);
        let present = self.bins.len() - usize::from(has_missing);
        if present == 0 {
            return None;
        }
        let bins = std::mem::take(&mut self.bins);
        let order: Vec<usize> = (0..present).collect();
        // Between two bins that have rows the threshold is in the middle of the empty ones.
        let between = |at: usize| match bins.get(at + 1).filter(|_| at + 1 < present) {
            Some(next) => bins[at].midpoint(*next - 1),
            None => bins[at],
        };
        let only = draw.filter(|_| present > 1).map(|draw| {
            // A threshold between the smallest and the largest value, as near as bins tell them.
            let (low, high) = (bounds[usize::from(bins[0])], bounds[usize::from(bins[present - 1]) - 1]);
            let threshold = low + draw.unit() * (high - low);
            bins[..present].partition_point(|bin| bounds[usize::from(*bin)..].first().is_some_and(|b| *b <= threshold))
        });
        let only = only.map(|count| count.clamp(1, present - 1) - 1);
        let mut best: Option<Found> = None;
        for missing_left in [false, true] {
            if missing_left && !has_missing {
                continue;
            }
            let rest = has_missing.then_some(present);
            let (from_left, from_right) = if missing_left { (rest, None) } else { (None, rest) };
            // All present values together may go left, away from the missing ones.
            let whole = has_missing && !missing_left;
            let found = self.scan(width, &order, [from_left, from_right], whole, min_leaf, only);
            let Some((value, at)) = found else { continue };
            if best.is_none_or(|best| value > best.score) {
                let mut left = BinSet::up_to(between(at));
                if missing_left {
                    left.insert(missing);
                }
                best = Some(Found { score: value, left, missing_left });
            }
        }
        if let Some(best) = best.as_mut().filter(|_| !has_missing) {
            // Nothing is known of missing values here: they follow the side with more rows.
            let is_left = |at: usize| best.left.contains(bins[at]);
            let rows = |at: usize| self.cells[at * width];
            let left: f64 = (0..present).filter(|at| is_left(*at)).map(rows).sum();
            let all: f64 = (0..present).map(rows).sum();
            if 2.0 * left >= all {
                best.left.insert(missing);
                best.missing_left = true;
            }
        }
        self.bins = bins;
        best
    }

    /// Categories in the order of their mean (for several classes: of the share of the most frequent one), which for two classes
    /// and for amounts holds the best of all splits (W. Fisher, 1958). The bin of rare codes and missing values go right, as codes
    /// never seen will.
    fn categorical(
        &mut self,
        width: usize,
        missing: u8,
        min_leaf: f64,
        draw: Option<&mut SplitMix64>,
    ) -> Option<Found> {
        let bins = std::mem::take(&mut self.bins);
        let mut total = vec![0.0; width];
        for cell in self.cells.chunks_exact(width) {
            total.iter_mut().zip(cell).for_each(|(total, sum)| *total += sum);
        }
        let first = |best: usize, at: usize| if total[at] > total[best] { at } else { best };
        let frequent = (HEAD..width).fold(HEAD, first);
        let mean = |at: &usize| self.cells[at * width + frequent] / self.cells[at * width + 1].max(f64::MIN_POSITIVE);
        let is_free = |at: &usize| bins[*at] != 0 && bins[*at] != missing;
        let mut order: Vec<usize> = (0..bins.len()).filter(is_free).collect();
        order.sort_by(|a, b| mean(a).total_cmp(&mean(b)).then(bins[*a].cmp(&bins[*b])));
        let fixed: Vec<usize> = (0..bins.len()).filter(|at| !is_free(at)).collect();
        let mut rest = [None, None];
        if let [first, others @ ..] = &fixed[..] {
            // At most two: added to one cell, of which nothing is read again.
            if let [second] = others {
                for at in 0..width {
                    self.cells[first * width + at] += self.cells[second * width + at];
                }
            }
            rest[1] = Some(*first);
        }
        let whole = rest[1].is_some();
        let places = order.len() - usize::from(!whole && !order.is_empty());
        let only = draw.filter(|_| places > 0).map(|draw| draw.below(places as u64) as usize);
        let found = self.scan(width, &order, rest, whole, min_leaf, only);
        let found = found.map(|(score, at)| {
            let left = order[..=at].iter().map(|at| bins[*at]).collect();
            Found { score, left, missing_left: false }
        });
        self.bins = bins;
        found
    }

    /// The best place after which to part the cells in `order`, with the cells `rest` on the left and on the right from the start.
    /// `whole`: all of `order` may go left. `only`: the one place to try.
    fn scan(
        &mut self,
        width: usize,
        order: &[usize],
        rest: [Option<usize>; 2],
        whole: bool,
        min_leaf: f64,
        only: Option<usize>,
    ) -> Option<(f64, usize)> {
        let cells = &self.cells;
        let cell = |at: usize| &cells[at * width..(at + 1) * width];
        let (left, right) = (&mut self.left, &mut self.right);
        for (side, rest) in [&mut *left, &mut *right].into_iter().zip(rest) {
            side.clear();
            side.resize(width, 0.0);
            if let Some(rest) = rest {
                side.copy_from_slice(cell(rest));
            }
        }
        for at in order {
            right.iter_mut().zip(cell(*at)).for_each(|(sum, part)| *sum += part);
        }
        let mut best: Option<(f64, usize)> = None;
        let places = if whole { order.len() } else { order.len().saturating_sub(1) };
        for (place, at) in order.iter().enumerate().take(places) {
            for ((left, right), part) in left.iter_mut().zip(&mut *right).zip(cell(*at)) {
                *left += part;
                *right -= part;
            }
            if only.is_some_and(|only| only != place) || left[0] < min_leaf || right[0] < min_leaf {
                continue;
            }
            let value = score(left) + score(right);
            if best.is_none_or(|(best, _)| value > best) {
                best = Some((value, place));
            }
        }
        best
    }
}
