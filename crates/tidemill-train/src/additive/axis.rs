//! A shallow tree over the bins of one feature.

use tidemill_core::SplitMix64;

/// Sums of first and second derivatives.
pub(super) type Cell = [f64; 2];

/// Keeps the value of a leaf of rows that are certain within reason.
const HESSIAN_MIN: f64 = 1e-4;
/// Pulls rare categories towards 0 when categories are sorted.
const SMOOTH: f64 = 10.0;

/// What is known of the bins of a feature, the same in every round of a bag.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Rows by cell.
    pub(super) rows: Vec<u32>,
    /// The bins have no order.
    pub(super) is_categorical: bool,
}

impl Axis {
    /// The bins in an order in which near ones may share a leaf: that of the numbers, or of the gradients of categories. The cell
    /// of missing values is not among them.
    fn order(&self, cells: &[Cell]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..cells.len() - 1).filter(|bin| self.rows[*bin] > 0).collect();
        if self.is_categorical {
            let place = |bin: &usize| cells[*bin][0] / (cells[*bin][1] + SMOOTH);
            order.sort_by(|a, b| place(a).total_cmp(&place(b)).then(a.cmp(b)));
        }
        order
    }

    /// By cell, what the score of its rows should change by, before the learning rate: a tree of at most `leaves` leaves over the
    /// present values, cut at random with `draw`, and a leaf of its own for missing ones. Returns also twice the loss that this takes
    /// away.
    pub(super) fn tree(
        &self,
        cells: &[Cell],
        leaves: u32,
        min_leaf: u32,
        draw: Option<&mut SplitMix64>,
    ) -> (Vec<f64>, f64) {
        let order = self.order(cells);
        let mut sums: Vec<(Cell, u32)> = vec![([0.0; 2], 0)];
        for bin in &order {
            let (sum, rows) = sums[sums.len() - 1];
            sums.push((add(sum, cells[*bin]), rows + self.rows[*bin]));
        }
        let mut ends = vec![0, order.len()];
        match draw {
            Some(draw) => {
                for _ in 1..leaves {
                    let at = draw.below(order.len().max(1) as u64) as usize;
                    let part = ends.partition_point(|end| *end <= at);
                    let range = [ends[part - 1], ends.get(part).copied().unwrap_or(at)];
                    if at > range[0] && may_part(&sums, range, at, min_leaf) {
                        ends.insert(part, at);
                    }
                }
            }
            None => {
                while ends.len() <= leaves as usize {
                    let cuts = ends.windows(2).filter_map(|range| best_cut(&sums, [range[0], range[1]], min_leaf));
                    let best = cuts.reduce(|best, cut| if cut.0 > best.0 { cut } else { best });
                    let Some((_, at)) = best else { break };
                    let part = ends.partition_point(|end| *end < at);
                    ends.insert(part, at);
                }
            }
        }
        let mut out = vec![0.0; cells.len()];
        let mut gain = 0.0;
        for range in ends.windows(2) {
            let sum = between(&sums, range[0], range[1]).0;
            let value = value(sum);
            gain += score(sum);
            order[range[0]..range[1]].iter().for_each(|bin| out[*bin] = value);
        }
        let missing = cells.len() - 1;
        if self.rows[missing] >= min_leaf {
            out[missing] = value(cells[missing]);
            gain += score(cells[missing]);
        }
        (out, gain)
    }
}

pub(super) fn add(a: Cell, b: Cell) -> Cell {
    [a[0] + b[0], a[1] + b[1]]
}

/// The value with the smallest loss.
pub(super) fn value(sum: Cell) -> f64 {
    if sum[1] < HESSIAN_MIN { 0.0 } else { -sum[0] / sum[1] }
}

/// Twice the loss that this value takes away.
pub(super) fn score(sum: Cell) -> f64 {
    if sum[1] < HESSIAN_MIN { 0.0 } else { sum[0] * sum[0] / sum[1] }
}

fn between(sums: &[(Cell, u32)], from: usize, to: usize) -> (Cell, u32) {
    let ((high, rows), (low, before)) = (sums[to], sums[from]);
    ([high[0] - low[0], high[1] - low[1]], rows - before)
}

fn may_part(sums: &[(Cell, u32)], [from, to]: [usize; 2], at: usize, min_leaf: u32) -> bool {
    between(sums, from, at).1 >= min_leaf && between(sums, at, to).1 >= min_leaf
}

/// The best place to cut a range of bins: the gain and the place.
fn best_cut(sums: &[(Cell, u32)], [from, to]: [usize; 2], min_leaf: u32) -> Option<(f64, usize)> {
    let whole = score(between(sums, from, to).0);
    let mut best: Option<(f64, usize)> = None;
    for at in from + 1..to {
        if !may_part(sums, [from, to], at, min_leaf) {
            continue;
        }
        let gain = score(between(sums, from, at).0) + score(between(sums, at, to).0) - whole;
        if gain > best.map_or(0.0, |(gain, _)| gain) {
            best = Some((gain, at));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_finds_the_steps_and_missing_values_have_their_own() {
        // Gradients of squared error: −value for each row.
        let cells: Vec<Cell> = [1.0, 1.0, 4.0, 4.0, 4.0, -2.0, 9.0].map(|value| [-10.0 * value, 10.0]).to_vec();
        let axis = Axis { rows: vec![10; 7], is_categorical: false };
        let found = axis.tree(&cells, 3, 2, None).0;
        assert_eq!(found, [1.0, 1.0, 4.0, 4.0, 4.0, -2.0, 9.0]);
        let two = axis.tree(&cells, 2, 2, None).0;
        assert_eq!((two[0], two[4], two[5], two[6]), (2.8, 2.8, -2.0, 9.0));
        // A leaf of at least 25 rows cannot be the last bin alone.
        assert!(axis.tree(&cells, 2, 25, None).0[5] > -2.0);
    }

    #[test]
    fn categories_of_one_value_share_a_leaf_wherever_they_are() {
        let cells: Vec<Cell> = [5.0, -1.0, 5.0, -1.0, 5.0, 0.0].map(|value| [-50.0 * value, 50.0]).to_vec();
        let mut rows = vec![50; 5];
        rows.push(0);
        let axis = Axis { rows, is_categorical: true };
        let found = axis.tree(&cells, 2, 1, None).0;
        for (found, expected) in found.iter().zip([5.0, -1.0, 5.0, -1.0, 5.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn random_cuts_keep_the_smallest_leaf() {
        let cells: Vec<Cell> = (0..21).map(|bin| [-f64::from(bin), 1.0]).collect();
        let axis = Axis { rows: vec![3; 21], is_categorical: false };
        for seed in 0..200 {
            let found = axis.tree(&cells, 3, 6, Some(&mut SplitMix64::new(seed))).0;
            let mut run = 1;
            for at in 1..20 {
                if found[at] == found[at - 1] {
                    run += 1;
                } else {
                    assert!(run >= 2, "{seed}: {found:?}");
                    run = 1;
                }
            }
        }
    }
}
