//! Growing one tree, the most profitable leaf first.

use rayon::prelude::*;

use super::binned::Binned;
use super::grown::{GrownNode, GrownTree};
use super::histogram::{Cell, HistogramBuilder, Rows, subtract};
use super::objective::Gradient;
use super::params::GradientBoosting;
use super::partition::Partition;
use super::split::{LeafFacts, SplitPlan, best_split, leaf_value};

/// Rows of one task that sums or copies gradients. Sums depend on it, so it is fixed.
const RUN_ROWS: usize = 1 << 14;

/// Grows trees; keeps its working memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Grower {
    builder: HistogramBuilder,
    pub(crate) partition: Partition,
    /// Gradients in the order of a leaf's rows.
    ordered: Vec<Gradient>,
    /// Histograms not in use.
    free: Vec<Vec<Cell>>,
}

/// A leaf of a tree that is growing.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Its rows in the partition.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// What it adds to the score of its rows.
    pub(crate) value: f64,
    node: usize,
    depth: u32,
    sum: Cell,
    /// Its histogram, while it may be split.
    cells: Option<Vec<Cell>>,
    plan: Option<SplitPlan>,
}

/// What a tree is grown on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) data: &'a Binned,
    /// By row.
    pub(crate) gradients: &'a [Gradient],
    /// Which used features may be split on.
    pub(crate) wanted: &'a [bool],
    /// The partition holds all rows, in order.
    pub(crate) all_rows: bool,
}

impl Grower {
    /// Grows a tree on the rows of `self.partition`; values are multiplied by the learning rate.
    pub(crate) fn grow(
        &mut self,
        ground: Ground<'_>,
        rows: usize,
        params: &GradientBoosting,
    ) -> (GrownTree, Vec<Leaf>) {
        let mut nodes = vec![GrownNode::Leaf { value: 0.0 }];
        let mut root =
            Leaf { from: 0, to: rows, value: 0.0, node: 0, depth: 0, sum: [0.0; 2], cells: None, plan: None };
        let mut cells = self.take_cells(ground.data);
        root.sum = self.histogram(ground, &root, ground.all_rows, &mut cells);
        root.cells = Some(cells);
        root.plan = plan(ground, &root, None, params);
        let mut leaves = vec![root];

        while leaves.len() < params.leaves as usize {
            let Some((at, split)) = most_profitable(&leaves) else { break };
            let leaf = &mut leaves[at];
            let (group, lane) = Binned::place(split.used);
            let bins = &ground.data.groups[group];
            let left_rows = self.partition.split(leaf.from, leaf.to, bins, lane, &split.left.table());
            let right_rows = leaf.to - leaf.from - left_rows;
            if left_rows.min(right_rows) < params.min_data_in_leaf as usize {
                // The estimate of rows was off: plan again with true counts.
                let counts = count(ground.data, self.partition.rows(leaf.from, leaf.to));
                leaf.plan = plan(ground, leaf, Some(&counts), params);
                continue;
            }
            let (left, right) = divide(leaf, split, left_rows, &mut nodes, params);
            leaves[at] = left;
            leaves.push(right);
            if leaves.len() < params.leaves as usize {
                let right = leaves.len() - 1;
                self.plan_children(ground, &mut leaves, at, right, params);
            }
        }
        for leaf in &mut leaves {
            self.free.extend(leaf.cells.take());
        }
        (GrownTree { nodes }, leaves)
    }

    /// Gives the children of a split their histograms and plans.
    fn plan_children(
        &mut self,
        ground: Ground<'_>,
        leaves: &mut [Leaf],
        left: usize,
        right: usize,
        params: &GradientBoosting,
    ) {
        let (smaller, larger) = if leaves[left].cells.is_none() { (left, right) } else { (right, left) };
        let may_split = |leaf: &Leaf| may_split(leaf, params);
        if !may_split(&leaves[smaller]) && !may_split(&leaves[larger]) {
            self.free.extend(leaves[larger].cells.take());
            return;
        }
        let mut cells = self.take_cells(ground.data);
        self.histogram(ground, &leaves[smaller], false, &mut cells);
        if let Some(parent) = &mut leaves[larger].cells {
            subtract(parent, &cells);
        }
        leaves[smaller].cells = Some(cells);
        let (smaller_plan, larger_plan) = rayon::join(
            || plan(ground, &leaves[smaller], None, params),
            || plan(ground, &leaves[larger], None, params),
        );
        leaves[smaller].plan = smaller_plan;
        leaves[larger].plan = larger_plan;
        for at in [smaller, larger] {
            if leaves[at].plan.is_none() {
                self.free.extend(leaves[at].cells.take());
            }
        }
    }

    /// The histogram of a leaf into `cells`, and its sums.
    fn histogram(&mut self, ground: Ground<'_>, leaf: &Leaf, all_rows: bool, cells: &mut [Cell]) -> Cell {
        let rows = self.partition.rows(leaf.from, leaf.to);
        let (rows, gradients) = if all_rows {
            (Rows::All, ground.gradients)
        } else {
            self.ordered.resize(ground.gradients.len().max(rows.len()), [0.0; 2]);
            let ordered = &mut self.ordered[..rows.len()];
            ordered.par_chunks_mut(RUN_ROWS).zip(rows.par_chunks(RUN_ROWS)).for_each(|(ordered, rows)| {
                for (gradient, row) in ordered.iter_mut().zip(rows) {
                    *gradient = ground.gradients.get(*row as usize).copied().unwrap_or_default();
                }
            });
            (Rows::Some(rows), &*ordered)
        };
        self.builder.build(ground.data, rows, gradients, ground.wanted, cells);
        if leaf.depth == 0 { sum(gradients) } else { leaf.sum }
    }

    fn take_cells(&mut self, data: &Binned) -> Vec<Cell> {
        self.free.pop().unwrap_or_else(|| vec![[0.0; 2]; data.binning.cells])
    }
}

/// Makes two leaves of one. The parent's histogram goes to the larger child, which still has to take away the
/// smaller one's.
fn divide(
    leaf: &mut Leaf,
    split: SplitPlan,
    left_rows: usize,
    nodes: &mut Vec<GrownNode>,
    params: &GradientBoosting,
) -> (Leaf, Leaf) {
    let middle = leaf.from + left_rows;
    let right_sum = [leaf.sum[0] - split.left_sum[0], leaf.sum[1] - split.left_sum[1]];
    let mut child = |from: usize, to: usize, sum: Cell| {
        let value = params.learning_rate * leaf_value(sum, params.lambda_l1, params.lambda_l2 + split.extra_l2);
        let node = nodes.len();
        nodes.push(GrownNode::Leaf { value });
        Leaf { from, to, value, node, depth: leaf.depth + 1, sum, cells: None, plan: None }
    };
    let mut left = child(leaf.from, middle, split.left_sum);
    let mut right = child(middle, leaf.to, right_sum);
    nodes[leaf.node] = GrownNode::Split {
        used: split.used as u32,
        gain: split.gain,
        left: split.left,
        missing_left: split.missing_left,
        children: [left.node as u32, right.node as u32],
    };
    if left_rows <= right.to - right.from {
        right.cells = leaf.cells.take();
    } else {
        left.cells = leaf.cells.take();
    }
    (left, right)
}

/// The leaf whose split gains most; the first one of equals.
fn most_profitable(leaves: &[Leaf]) -> Option<(usize, SplitPlan)> {
    let plans = leaves.iter().enumerate().filter_map(|(at, leaf)| Some((at, leaf.plan?)));
    plans.reduce(|best, next| if next.1.gain > best.1.gain { next } else { best })
}

fn may_split(leaf: &Leaf, params: &GradientBoosting) -> bool {
    leaf.to - leaf.from >= 2 * params.min_data_in_leaf as usize
        && leaf.sum[1] >= 2.0 * params.min_sum_hessian
        && params.max_depth.is_none_or(|depth| leaf.depth < depth)
}

fn plan(ground: Ground<'_>, leaf: &Leaf, counts: Option<&[u32]>, params: &GradientBoosting) -> Option<SplitPlan> {
    if !may_split(leaf, params) {
        return None;
    }
    let facts = LeafFacts { cells: leaf.cells.as_deref()?, counts, sum: leaf.sum, rows: leaf.to - leaf.from };
    best_split(ground.data, facts, params, ground.wanted)
}

/// Sums in a fixed order.
fn sum(gradients: &[Gradient]) -> Cell {
    let add = |sum: Cell, part: Cell| [sum[0] + part[0], sum[1] + part[1]];
    let parts: Vec<Cell> = gradients
        .par_chunks(RUN_ROWS)
        .map(|run| run.iter().map(|gradient| gradient.map(f64::from)).fold([0.0; 2], add))
        .collect();
    parts.into_iter().fold([0.0; 2], add)
}

/// Rows by histogram cell.
fn count(data: &Binned, rows: &[u32]) -> Vec<u32> {
    let mut counts = vec![0; data.binning.cells];
    for (at, used) in data.binning.used.iter().enumerate() {
        let (group, lane) = Binned::place(at);
        let counts = &mut counts[used.first_cell..used.first_cell + used.cells()];
        for row in rows {
            counts[usize::from(data.groups[group][*row as usize][lane])] += 1;
        }
    }
    counts
}
