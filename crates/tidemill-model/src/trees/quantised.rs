//! Shallow numeric trees, each complete, over ranks instead of numbers.
//!
//! A row's numbers are looked up once among the thresholds of their feature: the rank of `x` is how many thresholds lie
//! below it, so `x` is above threshold `k` exactly if its rank is above `k`. A node is then two numbers of 16 bits, a
//! quarter of a packed node, and the children of node `i` of a complete tree are `2i + 1` and `2i + 2`, so no pointers
//! are read. A missing value is the lowest rank or the highest one, by two slots a feature, so no node asks for it.

use super::tree::{Node, Rule, Tree};
use crate::FeatureBlock;

/// Walks in lockstep.
const LANES: usize = 8;
/// Deeper trees have too few nodes for a complete one.
const DEPTH_MAX: u32 = 7;
/// A complete tree may have so many times the leaves of its own.
const WASTE_MAX: usize = 3;
/// Bytes of a block of trees: half of a 48 KiB first-level cache.
const BLOCK_BYTES: usize = 24 << 10;
/// Rows that go through all trees before the next ones.
const ROWS_AT_ONCE: usize = 1024;
/// The rank that every missing value has which goes right; no node asks for more.
const HIGHEST: u16 = u16::MAX;
/// A row of so many slots lies on the stack.
const STACK_SLOTS: usize = 128;

/// A node: right if the slot's rank is above `rank`.
#[derive(Debug, Clone, Copy)]
struct Cell {
    slot: u16,
    rank: u16,
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
    /// The trees, if all of them are shallow, dense enough and ask for numbers only.
    pub(super) fn new(trees: &[Tree], features: usize) -> Option<Self> {
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
        if features > usize::from(u16::MAX) / 2 || !thresholds.iter().all(fits) {
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
        // A node that is not there sends everything left.
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
        if scores.len() < LANES {
            self.add_rows(block, scores);
            return;
        }
        let slots = self.slots();
        let mut tiles = vec![[0_u16; LANES]; slots * scores.len().min(ROWS_AT_ONCE).div_ceil(LANES)];
        for (at, scores) in scores.chunks_mut(ROWS_AT_ONCE).enumerate() {
            let first = at * ROWS_AT_ONCE;
            for (feature, thresholds) in self.thresholds.iter().enumerate() {
                let column = block.columns.get(feature).map_or(&[][..], Vec::as_slice);
                for row in 0..scores.len().next_multiple_of(LANES) {
                    let value = column.get(first + row).copied().unwrap_or(f64::NAN);
                    let [left, right] = ranks(thresholds, value);
                    let tile = &mut tiles[row / LANES * slots + 2 * feature..];
                    (tile[0][row % LANES], tile[1][row % LANES]) = (left, right);
                }
            }
            self.add_tiles(&tiles, scores);
        }
    }

    fn slots(&self) -> usize {
        (self.thresholds.len() * 2).max(1)
    }

    /// A few rows, one after the other, eight trees at a time.
    fn add_rows(&self, block: &FeatureBlock, scores: &mut [f64]) {
        let mut stack = [0_u16; STACK_SLOTS];
        let mut heap = Vec::new();
        let row = if self.slots() <= STACK_SLOTS {
            &mut stack[..self.slots()]
        } else {
            heap.resize(self.slots(), 0);
            &mut heap[..]
        };
        let inner = (1_usize << self.depth) - 1;
        for (at, score) in scores.iter_mut().enumerate() {
            for ((pair, thresholds), feature) in row.chunks_exact_mut(2).zip(&self.thresholds).zip(0..) {
                let column: Option<&Vec<f64>> = block.columns.get::<usize>(feature);
                let value = column.and_then(|column| column.get(at)).copied().unwrap_or(f64::NAN);
                pair.copy_from_slice(&ranks(thresholds, value));
            }
            let groups = self.cells.chunks(inner * LANES).zip(self.values.chunks((inner + 1) * LANES));
            for (cells, values) in groups {
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
    }

    /// Eight rows at a time through each tree, with the trees in blocks that stay in the first-level cache.
    fn add_tiles(&self, tiles: &[[u16; LANES]], scores: &mut [f64]) {
        let inner = (1_usize << self.depth) - 1;
        let trees = (BLOCK_BYTES / (inner * size_of::<Cell>() + (inner + 1) * 8)).max(1);
        let blocks = self.cells.chunks(inner * trees).zip(self.values.chunks((inner + 1) * trees));
        for (cells, values) in blocks {
            for (tile, scores) in tiles.chunks_exact(self.slots()).zip(scores.chunks_mut(LANES)) {
                let mut sums = [0.0; LANES];
                sums[..scores.len()].copy_from_slice(scores);
                for (cells, values) in cells.chunks_exact(inner).zip(values.chunks_exact(inner + 1)) {
                    let mut places = [0_usize; LANES];
                    for _ in 0..self.depth {
                        for (lane, place) in places.iter_mut().enumerate() {
                            let cell = cells[*place];
                            let right = tile[usize::from(cell.slot)][lane] > cell.rank;
                            *place = 2 * *place + 1 + usize::from(right);
                        }
                    }
                    for (sum, place) in sums.iter_mut().zip(places) {
                        *sum += values[place - inner];
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
