//! Growing one tree, the most profitable leaf first.

use rayon::prelude::*;
use tidemill_core::SplitMix64;

use super::binned::Binned;
use super::choices::MonotoneMethod;
use super::constraints::UsedConstraints;
use super::grown::{GrownNode, GrownTree};
use super::histogram::{Cell, HistogramBuilder, Rows, subtract};
use super::objective::Gradient;
use super::params::GradientBoosting;
use super::partition::Partition;
use super::queue::SplitQueue;
use super::region::Region;
use super::rng::Rng;
use super::split::{ChildValues, LeafFacts, SplitPlan, UNBOUNDED, best_split, root_value};

/// Rows of one task that sums or copies gradients. Sums depend on it, so it is fixed.
const RUN_ROWS: usize = 1 << 14;
const NODE_STREAM: u64 = 4;

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
    /// The same before the learning rate.
    output: f64,
    /// Between what the values of its children must lie.
    bounds: [f64; 2],
    /// Used features asked on the way to it, where that matters.
    path: Vec<usize>,
    /// Where its rows lie, where that matters.
    region: Region,
    node: usize,
    depth: u32,
    sum: Cell,
    /// Its histogram, while it may be split.
    cells: Option<Vec<Cell>>,
    plan: Option<SplitPlan>,
}

impl Leaf {
    /// Its place among the nodes.
    pub(crate) fn node(&self) -> usize {
        self.node
    }

    /// Splits on the way to it.
    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    /// How it would be split.
    pub(crate) fn plan(&self) -> Option<SplitPlan> {
        self.plan
    }

    /// Between what its value must lie before the learning rate.
    pub(crate) fn bounds(&self) -> [f64; 2] {
        self.bounds
    }
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
    /// What features may do.
    pub(crate) constraints: &'a UsedConstraints,
    /// Draws what is drawn for this tree.
    pub(crate) draw: u64,
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
        let mut root = Leaf {
            from: 0,
            to: rows,
            value: 0.0,
            output: 0.0,
            bounds: UNBOUNDED,
            path: Vec::new(),
            region: Region::default(),
            node: 0,
            depth: 0,
            sum: [0.0; 2],
            cells: None,
            plan: None,
        };
        let mut cells = self.take_cells(ground.data);
        root.sum = self.histogram(ground, &root, ground.all_rows, &mut cells);
        root.output = root_value(root.sum, params);
        root.cells = Some(cells);
        root.plan = plan(ground, &root, None, params);
        let mut leaves = vec![root];

        let mut queue = SplitQueue::new(params.grow);
        queue.push(&leaves, 0);
        while leaves.len() < params.leaves as usize {
            let Some((at, split)) = queue.pop(&leaves) else { break };
            let leaf = &mut leaves[at];
            let (group, lane) = Binned::place(split.used);
            let bins = &ground.data.groups[group];
            let left_rows = self.partition.split(leaf.from, leaf.to, bins, lane, &split.left.table());
            let right_rows = leaf.to - leaf.from - left_rows;
            if left_rows.min(right_rows) < params.min_data_in_leaf as usize {
                // The estimate of rows was off: plan again with true counts.
                let counts = count(ground.data, self.partition.rows(leaf.from, leaf.to));
                leaf.plan = plan(ground, leaf, Some(&counts), params);
                queue.push(&leaves, at);
                continue;
            }
            let (left, right) = divide(leaf, split, left_rows, &mut nodes, ground.constraints, params);
            leaves[at] = left;
            leaves.push(right);
            if compares(ground, params) {
                for other in renew_bounds(ground, &mut leaves, at, params) {
                    queue.push(&leaves, other);
                }
            }
            if leaves.len() < params.leaves as usize {
                let right = leaves.len() - 1;
                self.plan_children(ground, &mut leaves, at, right, params);
                queue.push(&leaves, at);
                queue.push(&leaves, right);
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
    constraints: &UsedConstraints,
    params: &GradientBoosting,
) -> (Leaf, Leaf) {
    let middle = leaf.from + left_rows;
    let sums = [split.left_sum, [leaf.sum[0] - split.left_sum[0], leaf.sum[1] - split.left_sum[1]]];
    let rows = [left_rows as f64, (leaf.to - middle) as f64];
    let direction = constraints.monotone.get(split.used).copied().unwrap_or(0);
    let values = ChildValues::new(params, leaf.output, leaf.bounds);
    let outputs = values.pair(sums, rows, params.lambda_l2 + split.extra_l2, direction);
    // Whatever comes below, the left child stays on its side of the middle of both values.
    let between = outputs[0].midpoint(outputs[1]);
    let [low, high] = leaf.bounds;
    let bounds = match direction {
        0 => [leaf.bounds; 2],
        1 => [[low, between], [between, high]],
        _ => [[between, high], [low, between]],
    };
    let mut path = std::mem::take(&mut leaf.path);
    if !constraints.interactions.is_empty() {
        path.push(split.used);
    }
    let mut regions = if params.monotone_method == MonotoneMethod::Intermediate {
        leaf.region.children(split.used, &split.left)
    } else {
        Default::default()
    };
    let mut child = |side: usize, from: usize, to: usize| {
        let (node, value) = (nodes.len(), params.rate() * outputs[side]);
        nodes.push(GrownNode::Leaf { value });
        Leaf {
            from,
            to,
            value,
            output: outputs[side],
            bounds: bounds[side],
            path: path.clone(),
            region: std::mem::take(&mut regions[side]),
            node,
            depth: leaf.depth + 1,
            sum: sums[side],
            cells: None,
            plan: None,
        }
    };
    let mut left = child(0, leaf.from, middle);
    let mut right = child(1, middle, leaf.to);
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

/// Whether leaves are compared with each other, and not with the splits above them.
fn compares(ground: Ground<'_>, params: &GradientBoosting) -> bool {
    params.monotone_method == MonotoneMethod::Intermediate && !ground.constraints.monotone.is_empty()
}

/// Finds the bounds of the leaves anew after the leaf at `split` was split into it and the last one. A leaf whose bounds
/// changed is planned anew; these are returned. The children are planned when they have their histograms.
fn renew_bounds(ground: Ground<'_>, leaves: &mut [Leaf], split: usize, params: &GradientBoosting) -> Vec<usize> {
    let mut planned = Vec::new();
    let (directions, binning) = (&ground.constraints.monotone, &ground.data.binning);
    let last = leaves.len() - 1;
    for at in 0..leaves.len() {
        let is_child = at == split || at == last;
        // Of the others, only those that the split leaf was compared with see other values now.
        let sees = |other: usize| leaves[at].region.order(&leaves[other].region, directions, binning) != 0;
        if !is_child && !sees(split) && !sees(last) {
            continue;
        }
        let mut bounds = UNBOUNDED;
        for (other, leaf) in leaves.iter().enumerate().filter(|(other, _)| *other != at) {
            match leaves[at].region.order(&leaves[other].region, directions, binning) {
                1 => bounds[1] = bounds[1].min(leaf.output),
                -1 => bounds[0] = bounds[0].max(leaf.output),
                _ => {}
            }
        }
        if bounds != leaves[at].bounds {
            leaves[at].bounds = bounds;
            if !is_child && leaves[at].plan.is_some() {
                leaves[at].plan = plan(ground, &leaves[at], None, params);
                planned.push(at);
            }
        }
    }
    planned
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
    let draw = SplitMix64::hash(ground.draw ^ leaf.node as u64);
    let facts = LeafFacts {
        cells: leaf.cells.as_deref()?,
        counts,
        sum: leaf.sum,
        rows: leaf.to - leaf.from,
        value: leaf.output,
        bounds: leaf.bounds,
        monotone: &ground.constraints.monotone,
        draw: params.extra_trees.then_some(draw),
    };
    match wanted_here(ground, leaf, draw, params) {
        Some(wanted) => best_split(ground.data, facts, params, &wanted),
        None => best_split(ground.data, facts, params, ground.wanted),
    }
}

/// Which used features this leaf may be split on, where not all that the tree may use.
fn wanted_here(ground: Ground<'_>, leaf: &Leaf, draw: u64, params: &GradientBoosting) -> Option<Vec<bool>> {
    let sets = &ground.constraints.interactions;
    if sets.is_empty() && params.feature_fraction_by_node >= 1.0 {
        return None;
    }
    let mut wanted = ground.wanted.to_vec();
    if !sets.is_empty() {
        let fitting: Vec<&Vec<bool>> = sets.iter().filter(|set| leaf.path.iter().all(|used| set[*used])).collect();
        for (used, wanted) in wanted.iter_mut().enumerate() {
            *wanted = *wanted && fitting.iter().any(|set| set[used]);
        }
    }
    if params.feature_fraction_by_node < 1.0 {
        let places: Vec<usize> = wanted.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(at, _)| at).collect();
        let count = ((places.len() as f64 * params.feature_fraction_by_node).round() as usize).max(1);
        wanted.fill(false);
        for at in Rng::new(draw, NODE_STREAM).choose(count, places.len()) {
            wanted[places[at]] = true;
        }
    }
    Some(wanted)
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
