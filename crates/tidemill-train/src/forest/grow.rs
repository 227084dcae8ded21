//! Growing one tree, depth first.

use tidemill_core::SplitMix64;
use tidemill_model::ModelError;
use tidemill_model::trees::{Node, Split, Tree};

use super::rows::ForestRows;
use super::split::{Cells, Found, NodeRows, means, rows_of, score};
use crate::gbdt::{BinSet, Binning};

/// What a tree may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_depth: u32,
    pub(super) min_leaf: u32,
    pub(super) min_split: u32,
    /// Features that a split tries.
    pub(super) tried: usize,
    pub(super) extra_trees: bool,
}

/// A grown tree.
#[derive(Debug)]
pub(super) struct ForestTree {
    nodes: Vec<ForestNode>,
    /// The numbers of leaves, side by side.
    values: Vec<f64>,
    /// Numbers of a leaf.
    width: usize,
}

#[derive(Debug, Clone, Copy)]
enum ForestNode {
    /// Its numbers begin at this place.
    Leaf(usize),
    Split {
        used: usize,
        left: BinSet,
        missing_left: bool,
        gain: f64,
        children: [u32; 2],
    },
}

/// A node that is still to be split or made a leaf.
struct Pending {
    node: usize,
    from: usize,
    to: usize,
    depth: u32,
}

impl ForestTree {
    /// Grows a tree on the rows that count, drawing features by `seed`.
    pub(super) fn grow(data: &ForestRows, counts: &[f64], limits: Limits, seed: u64) -> Self {
        let mut rows: Vec<u32> = (0..data.rows as u32).filter(|row| counts[*row as usize] > 0.0).collect();
        let mut tree = Self { nodes: vec![ForestNode::Leaf(0)], values: Vec::new(), width: data.labels.sums() };
        let mut draw = SplitMix64::new(seed);
        let mut cells = Cells::default();
        let mut scratch = Vec::new();
        let mut features: Vec<usize> = (0..data.bins.columns.len()).collect();
        let mut pending = vec![Pending { node: 0, from: 0, to: rows.len(), depth: 0 }];
        while let Some(Pending { node, from, to, depth }) = pending.pop() {
            let of_node = NodeRows { rows: &rows[from..to], counts, labels: &data.labels };
            let total = of_node.total();
            let may_split = depth < limits.max_depth && rows_of(&total) >= f64::from(limits.min_split);
            let found = if may_split && !is_pure(of_node) {
                find(data, of_node, limits, &mut draw, &mut features, &mut cells)
            } else {
                None
            };
            let Some((used, found)) = found else {
                tree.nodes[node] = ForestNode::Leaf(tree.values.len());
                tree.values.extend(means(&total));
                continue;
            };
            let column = &data.bins.columns[used];
            let middle =
                from + part(&mut rows[from..to], &mut scratch, |row| found.left.contains(column[row as usize]));
            let first = tree.nodes.len();
            tree.nodes[node] = ForestNode::Split {
                used,
                left: found.left,
                missing_left: found.missing_left,
                gain: (found.score - score(&total)).max(0.0),
                children: [first as u32, first as u32 + 1],
            };
            tree.nodes.extend([ForestNode::Leaf(0); 2]);
            pending.push(Pending { node: first + 1, from: middle, to, depth: depth + 1 });
            pending.push(Pending { node: first, from, to: middle, depth: depth + 1 });
        }
        tree
    }

    /// The numbers of the leaf that a row of `data` reaches.
    pub(super) fn leaf(&self, data: &ForestRows, row: usize) -> &[f64] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                ForestNode::Leaf(from) => return &self.values[*from..from + self.width],
                ForestNode::Split { used, left, children, .. } => {
                    at = children[usize::from(!left.contains(data.bins.columns[*used][row]))] as usize;
                }
            }
        }
    }

    /// The tree over values instead of bins, with the number `at` of every leaf times `factor`.
    pub(super) fn to_tree(&self, binning: &Binning, at: usize, factor: f64) -> Result<Tree, ModelError> {
        let node = |node: &ForestNode| match node {
            ForestNode::Leaf(from) => Node::Leaf { value: self.values[from + at] * factor },
            ForestNode::Split { used, left, missing_left, children, .. } => Node::Split(Split {
                feature: binning.used[*used].feature,
                rule: binning.used[*used].bins.rule(left),
                missing_left: *missing_left,
                left: children[0],
                right: children[1],
            }),
        };
        Tree::new(self.nodes.iter().map(node).collect())
    }

    /// Adds how much each feature helped, and how often it was asked, to `sums`.
    pub(super) fn add_importance(&self, binning: &Binning, sums: &mut [[f64; 2]]) {
        for node in &self.nodes {
            if let ForestNode::Split { used, gain, .. } = node {
                let of_feature = &mut sums[binning.used[*used].feature as usize];
                of_feature[0] += gain;
                of_feature[1] += 1.0;
            }
        }
    }

    /// How many leaves it has.
    pub(super) fn leaves(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }
}

/// Whether all rows of a node have one label.
fn is_pure(node: NodeRows<'_>) -> bool {
    use super::rows::Labels;
    let Some(first) = node.rows.first() else { return true };
    match node.labels {
        Labels::Amount(values) => node.rows.iter().all(|row| values[*row as usize] == values[*first as usize]),
        Labels::Class { of, .. } => node.rows.iter().all(|row| of[*row as usize] == of[*first as usize]),
    }
}

/// The best split over features drawn at random: as many as are to be tried, and more where none of them can split.
fn find(
    data: &ForestRows,
    node: NodeRows<'_>,
    limits: Limits,
    draw: &mut SplitMix64,
    features: &mut [usize],
    cells: &mut Cells,
) -> Option<(usize, Found)> {
    let mut best: Option<(usize, Found)> = None;
    for at in 0..features.len() {
        if at >= limits.tried && best.is_some() {
            break;
        }
        let other = at + draw.below((features.len() - at) as u64) as usize;
        features.swap(at, other);
        let used = features[at];
        let random = limits.extra_trees.then_some(&mut *draw);
        let found = cells.best(
            node,
            &data.bins.columns[used],
            &data.bins.binning.used[used],
            f64::from(limits.min_leaf),
            random,
        );
        if let Some(found) = found.filter(|found| best.is_none_or(|(_, best)| found.score > best.score)) {
            best = Some((used, found));
        }
    }
    best
}

/// Moves the rows that go left before the others, both in their order; returns how many they are.
fn part(rows: &mut [u32], scratch: &mut Vec<u32>, goes_left: impl Fn(u32) -> bool) -> usize {
    scratch.clear();
    let mut left = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        if goes_left(row) {
            rows[left] = row;
            left += 1;
        } else {
            scratch.push(row);
        }
    }
    rows[left..].copy_from_slice(scratch);
    left
}
