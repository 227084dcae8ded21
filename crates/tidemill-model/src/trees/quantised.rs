//! Shallow numeric trees, each complete, over ranks instead of numbers.
//!
//! A row's numbers are looked up once among the thresholds of their feature: the rank of `x` is how many thresholds lie
//! below it, so `x` is above threshold `k` exactly if its rank is above `k`. A node is then two numbers of 16 bits, a
//! quarter of a packed node, and the children of node `i` of a complete tree are `2i + 1` and `2i + 2`, so no pointers
//! are read. A missing value is the lowest rank or the highest one, by two slots per feature, so no node tests for it.
//!
//! A few rows walk, eight trees at a time; many rows are compared with every node (see [`masks`](super::masks)), in
//! ranks of 8 bits if no feature has more thresholds than that can distinguish, as with 255 bins per feature.

use super::masks::{self, ROWS, Rank, Slot};
use super::tree::{Node, Rule, Tree};
use crate::FeatureBlock;

/// Walks in lockstep.
const LANES: usize = 8;
/// Fewer rows walk: a tile is always processed whole and takes as long as about this many walks.
const ROWS_MIN: usize = 48;
/// Deeper trees have too few nodes for a complete one.
const DEPTH_MAX: u32 = 7;
/// A complete tree may have this many times the leaves of the original.
const WASTE_MAX: usize = 3;
/// Bytes of a block of trees: half of a 48 KiB first-level cache.
const BLOCK_BYTES: usize = 24 << 10;
/// Rows that go through all trees before the next ones.
const ROWS_AT_ONCE: usize = 1024;
/// The rank of every missing value that goes right; no node has a higher one.
pub(super) const HIGHEST: u16 = u16::MAX;
/// Rows with up to this many slots together are on the stack.
const STACK_SLOTS: usize = 128;

/// A node: right if the slot's rank is above `rank`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) slot: u16,
    pub(super) rank: u16,
}

/// Complete trees of one depth.
#[derive(Debug, Clone)]
pub(super) struct Quantised {
    /// By feature: its thresholds, ascending.
    thresholds: Vec<Vec<f64>>,
    depth: u32,
    /// 2^depth − 1 a tree.
    cells: Vec<Cell>,
    /// 2^depth a tree.
    values: Vec<f64>,
}

impl Quantised {
    /// The trees, if all of them are shallow, dense enough and purely numeric.
    pub(super) fn new(trees: &[Tree], features: usize) -> Option<Self> {
        if features > usize::from(u16::MAX) / 2 {
            return None;
        }
        let mut depth = 0;
        let mut leaves = 0;
        let mut thresholds: Vec<Vec<f64>> = vec![Vec::new(); features];
        for tree in trees {
            leaves += tree.leaves();
            let mut depths = vec![0_u32; tree.nodes().len()];
            for (at, node) in tree.nodes().iter().enumerate() {
                let Node::Split(split) = node else { continue };
                let Rule::AtMost(threshold) = split.rule else { return None };
                thresholds[split.feature as usize].push(threshold);
                for child in [split.left, split.right] {
                    depths[child as usize] = depths[at] + 1;
                }
            }
            depth = depth.max(depths.into_iter().max().unwrap_or(0));
            if depth > DEPTH_MAX {
                return None;
            }
        }
        let width = 1_usize << depth;
        if depth == 0 || trees.len().checked_mul(width)? > leaves.checked_mul(WASTE_MAX)? {
            return None;
        }
        for list in &mut thresholds {
            list.sort_unstable_by(f64::total_cmp);
            list.dedup();
        }
        let fits = |list: &Vec<f64>| list.len() < usize::from(HIGHEST);
        if !thresholds.iter().all(fits) {
            return None;
        }
        let mut quantised = Self { thresholds, depth, cells: Vec::new(), values: Vec::new() };
        for tree in trees {
            quantised.push(tree);
        }
        Some(quantised)
    }

    fn push(&mut self, tree: &Tree) {
        let inner = (1_usize << self.depth) - 1;
        let (cells, values) = (self.cells.len(), self.values.len());
        // An absent node sends everything left.
        self.cells.resize(cells + inner, Cell { slot: 0, rank: HIGHEST });
        self.values.resize(values + inner + 1, 0.0);
        let mut open = vec![(0_u32, 0_usize)];
        while let Some((node, mut place)) = open.pop() {
            match &tree.nodes()[node as usize] {
                Node::Leaf { value } => {
                    while place < inner {
                        place = 2 * place + 1;
                    }
                    self.values[values + place - inner] = *value;
                }
                Node::Split(split) => {
                    let threshold = if let Rule::AtMost(threshold) = split.rule { threshold } else { f64::NAN };
                    let list = &self.thresholds[split.feature as usize];
                    let rank = list.partition_point(|other| *other < threshold) as u16;
                    let slot = split.feature as u16 * 2 + u16::from(!split.missing_left);
                    self.cells[cells + place] = Cell { slot, rank };
                    open.push((split.left, 2 * place + 1));
                    open.push((split.right, 2 * place + 2));
                }
            }
        }
    }

    /// Adds the trees' values to the scores of the rows of `block`, in the order of the trees.
    pub(super) fn add_to(&self, block: &FeatureBlock, scores: &mut [f64]) {
        if scores.len() < ROWS_MIN {
            self.add_rows(block, scores);
        } else if self.thresholds.iter().all(|list| list.len() < usize::from(i8::END)) {
            self.add_many::<i8>(block, scores);
        } else {
            self.add_many::<i16>(block, scores);
        }
    }

    fn add_many<R: Rank>(&self, block: &FeatureBlock, scores: &mut [f64]) {
        let slots = self.slots();
        let mut tiles = vec![[R::default(); ROWS]; slots * scores.len().min(ROWS_AT_ONCE).div_ceil(ROWS)];
        for (at, scores) in scores.chunks_mut(ROWS_AT_ONCE).enumerate() {
            let first = at * ROWS_AT_ONCE;
            for (feature, thresholds) in self.thresholds.iter().enumerate() {
                let column = block.columns.get(feature).and_then(|column| column.get(first..)).unwrap_or_default();
                let mut values = column.iter().copied();
                for tile in tiles.chunks_exact_mut(slots).take(scores.len().div_ceil(ROWS)) {
                    let [left, right] = &mut tile[2 * feature..2 * feature + 2] else { continue };
                    for (left, right) in left.iter_mut().zip(right) {
                        let ranks = ranks(thresholds, values.next().unwrap_or(f64::NAN));
                        (*left, *right) = (R::of(ranks[0]), R::of(ranks[1]));
                    }
                }
            }
            self.add_tiles(&tiles, scores);
        }
    }

    fn slots(&self) -> usize {
        (self.thresholds.len() * 2).max(1)
    }

    /// A few rows, each through a block of trees that stays in the first-level cache, then all through the next.
    fn add_rows(&self, block: &FeatureBlock, scores: &mut [f64]) {
        let slots = self.slots();
        let mut stack = [0_u16; STACK_SLOTS];
        let mut heap = Vec::new();
        let rows = if slots * scores.len() <= STACK_SLOTS {
            &mut stack[..slots * scores.len()]
        } else {
            heap.resize(slots * scores.len(), 0);
            &mut heap[..]
        };
        for (at, row) in rows.chunks_exact_mut(slots).enumerate() {
            for ((pair, thresholds), feature) in row.chunks_exact_mut(2).zip(&self.thresholds).zip(0..) {
                let column: Option<&Vec<f64>> = block.columns.get::<usize>(feature);
                let value = column.and_then(|column| column.get(at)).copied().unwrap_or(f64::NAN);
                pair.copy_from_slice(&ranks(thresholds, value));
            }
        }
        let inner = (1_usize << self.depth) - 1;
        let trees = (self.trees_of_block() / LANES).max(1) * LANES;
        for (cells, values) in self.cells.chunks(inner * trees).zip(self.values.chunks((inner + 1) * trees)) {
            for (row, score) in rows.chunks_exact(slots).zip(&mut *scores) {
                self.walk(cells, values, row, score);
            }
        }
    }

    /// A row through the trees of `cells` and `values`, eight at a time: while one waits for its node the others go on.
    fn walk(&self, cells: &[Cell], values: &[f64], row: &[u16], score: &mut f64) {
        let inner = (1_usize << self.depth) - 1;
        for (cells, values) in cells.chunks(inner * LANES).zip(values.chunks((inner + 1) * LANES)) {
            let mut places = [0_usize; LANES];
            let count = values.len() / (inner + 1);
            if count == LANES {
                for _ in 0..self.depth {
                    for (lane, place) in places.iter_mut().enumerate() {
                        let cell = cells[lane * inner + *place];
                        let right = row[usize::from(cell.slot)] > cell.rank;
                        *place = 2 * *place + 1 + usize::from(right);
                    }
                }
            } else {
                for (lane, place) in places.iter_mut().enumerate().take(count) {
                    for _ in 0..self.depth {
                        let cell = cells[lane * inner + *place];
                        let right = row[usize::from(cell.slot)] > cell.rank;
                        *place = 2 * *place + 1 + usize::from(right);
                    }
                }
            }
            for (lane, place) in places.iter().enumerate().take(count) {
                *score += values[lane * (inner + 1) + place - inner];
            }
        }
    }

    /// How many trees the first-level cache holds beside the rows.
    fn trees_of_block(&self) -> usize {
        let inner = (1_usize << self.depth) - 1;
        (BLOCK_BYTES / (inner * size_of::<Cell>() + (inner + 1) * size_of::<f64>())).max(1)
    }

    /// A tile of rows at a time, with the trees in blocks that stay in the first-level cache.
    fn add_tiles<R: Rank>(&self, tiles: &[Slot<R>], scores: &mut [f64]) {
        let inner = (1_usize << self.depth) - 1;
        let trees = self.trees_of_block();
        let blocks = self.cells.chunks(inner * trees).zip(self.values.chunks((inner + 1) * trees));
        let mut room = vec![[R::default(); ROWS]; inner.div_ceil(2)];
        for (cells, values) in blocks {
            for (tile, scores) in tiles.chunks_exact(self.slots()).zip(scores.chunks_mut(ROWS)) {
                let mut sums = [0.0; ROWS];
                sums[..scores.len()].copy_from_slice(scores);
                for (cells, values) in cells.chunks_exact(inner).zip(values.chunks_exact(inner + 1)) {
                    masks::leaves(cells, self.depth, tile, &mut room);
                    for (sum, leaf) in sums.iter_mut().zip(&room[0]) {
                        *sum += values[leaf.number()];
                    }
                }
                scores.copy_from_slice(&sums[..scores.len()]);
            }
        }
    }
}

/// The ranks of a value where missing goes left and where it goes right.
#[inline]
fn ranks(thresholds: &[f64], value: f64) -> [u16; 2] {
    if value.is_nan() {
        return [0, HIGHEST];
    }
    // Without branches: each step halves what is left, and which half is as good as random.
    let (mut first, mut size) = (0, thresholds.len());
    while size > 1 {
        let half = size / 2;
        first += if thresholds[first + half - 1] < value { half } else { 0 };
        size -= half;
    }
    let rank = (first + usize::from(size == 1 && thresholds[first] < value)) as u16;
    [rank, rank]
}
