//! Trees laid out for walking.
//!
//! All trees lie in one array of 16-byte nodes, breadth first, the two children of a node side by side, so a step is
//! "left child plus one if right" with no branch. A leaf is its own left child and nothing is greater than its
//! threshold, so a finished walk stays where it is and eight walks run in lockstep: the processor overlaps their
//! memory accesses. A single row walks eight trees at once; a batch walks eight rows at once through a tree, with the
//! rows in tiles (one cache line a feature) and the trees in blocks that stay in the first-level cache.
//!
//! A feature used in categorical splits has a second slot in a row, after all features, with its category code as the
//! bits of the number: a row is decoded once, not at every node.

use std::collections::VecDeque;

use super::tree::{Node, Rule, Tree, code_of, invalid};
use crate::{FeatureBlock, ModelError};

/// Walks in lockstep.
const LANES: usize = 8;
/// Rows that pass through all trees before the next ones: their tiles stay in the second-level cache.
const ROWS_AT_ONCE: usize = 1024;
/// Nodes of a block of trees: 16 bytes each plus the leaf values fill half of a 48 KiB first-level cache.
const NODES_AT_ONCE: usize = 1024;
/// A row with up to this many slots is on the stack.
const STACK_SLOTS: usize = 64;

const MISSING_RIGHT: u32 = 1 << 31;
const CATEGORICAL: u32 = 1 << 30;
const SLOT: u32 = CATEGORICAL - 1;

/// The code of a missing value, outside every set.
const MISSING_CODE: u64 = 1 << 32;
/// The code of a number that is not a category, outside every set.
const NO_CODE: u64 = 2 << 32;

/// One compiled node.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// The numeric threshold; for a categorical split, the bits of (first word, number of words) of its set.
    threshold: f64,
    /// The slot of a row, with flags in the two top bits.
    slot: u32,
    /// Index of the left child; the right one follows. A leaf points at itself.
    left: u32,
}

/// The location of one tree.
#[derive(Debug, Clone, Copy)]
struct Root {
    node: u32,
    /// Steps to the deepest leaf.
    depth: u32,
    categorical: bool,
}

/// An ensemble's trees, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    features: usize,
    /// The features used in categorical splits, ascending; their codes follow the features of a row, in this order.
    coded: Vec<u32>,
    nodes: Vec<Packed>,
    /// The value of each leaf, by node; zero for splits.
    values: Vec<f64>,
    words: Vec<u64>,
    roots: Vec<Root>,
}

impl Compiled {
    /// Trees over rows of `features` features.
    pub(super) fn new(trees: &[Tree], features: usize) -> Result<Self, ModelError> {
        let total: usize = trees.iter().map(|tree| tree.nodes().len()).sum();
        if u32::try_from(total).is_err() {
            return Err(invalid(format!("{total} nodes are too many")));
        }
        let categorical = |node: &Node| match node {
            Node::Split(split) if matches!(split.rule, Rule::OneOf(_)) => Some(split.feature),
            _ => None,
        };
        let mut coded: Vec<u32> = trees.iter().flat_map(Tree::nodes).filter_map(categorical).collect();
        coded.sort_unstable();
        coded.dedup();
        let mut compiled = Self {
            features,
            coded,
            nodes: Vec::with_capacity(total),
            values: Vec::with_capacity(total),
            words: Vec::new(),
            roots: Vec::with_capacity(trees.len()),
        };
        for tree in trees {
            compiled.push(tree)?;
        }
        Ok(compiled)
    }

    fn push(&mut self, tree: &Tree) -> Result<(), ModelError> {
        let start = self.nodes.len() as u32;
        let mut root = Root { node: start, depth: 0, categorical: false };
        let mut queue = VecDeque::from([(0_u32, 0_u32)]);
        let mut next_free = start + 1;
        while let Some((at, depth)) = queue.pop_front() {
            root.depth = root.depth.max(depth);
            match &tree.nodes()[at as usize] {
                Node::Leaf { value } => {
                    let itself = self.nodes.len() as u32;
                    self.nodes.push(Packed { threshold: f64::INFINITY, slot: 0, left: itself });
                    self.values.push(*value);
                }
                Node::Split(split) => {
                    let mut slot = split.feature;
                    let threshold = match &split.rule {
                        Rule::AtMost(threshold) => *threshold,
                        Rule::OneOf(codes) => {
                            let place = self.coded.binary_search(&split.feature).unwrap_or_default();
                            slot = (self.features + place) as u32 | CATEGORICAL;
                            root.categorical = true;
                            let first = u32::try_from(self.words.len()).map_err(|_| invalid("too many categories"))?;
                            self.words.extend_from_slice(codes.words());
                            f64::from_bits(u64::from(first) << 32 | codes.words().len() as u64)
                        }
                    };
                    if !split.missing_left {
                        slot |= MISSING_RIGHT;
                    }
                    self.nodes.push(Packed { threshold, slot, left: next_free });
                    self.values.push(0.0);
                    next_free += 2;
                    queue.push_back((split.left, depth + 1));
                    queue.push_back((split.right, depth + 1));
                }
            }
        }
        self.roots.push(root);
        Ok(())
    }

    /// Adds the trees' values to the scores of the rows of `block`, in the order of the trees.
    pub(super) fn add_to(&self, block: &FeatureBlock, scores: &mut [f64]) {
        if scores.len() < LANES {
            self.add_rows(block, scores);
            return;
        }
        let tiles = scores.len().min(ROWS_AT_ONCE).div_ceil(LANES);
        let mut tiles = vec![[f64::NAN; LANES]; self.slots() * tiles];
        for (at, scores) in scores.chunks_mut(ROWS_AT_ONCE).enumerate() {
            self.add_tiles(block, at * ROWS_AT_ONCE, &mut tiles, scores);
        }
    }

    /// Slots of a row; a leaf reads the first one.
    fn slots(&self) -> usize {
        (self.features + self.coded.len()).max(1)
    }

    /// Predicts a few rows, one after the other, eight trees at a time.
    fn add_rows(&self, block: &FeatureBlock, scores: &mut [f64]) {
        let mut stack = [f64::NAN; STACK_SLOTS];
        let mut heap = Vec::new();
        let row = if self.slots() <= STACK_SLOTS {
            &mut stack[..self.slots()]
        } else {
            heap.resize(self.slots(), f64::NAN);
            &mut heap[..]
        };
        for (at, score) in scores.iter_mut().enumerate() {
            for (slot, column) in row.iter_mut().zip(&block.columns).take(self.features) {
                *slot = column.get(at).copied().unwrap_or(f64::NAN);
            }
            for (place, feature) in self.coded.iter().enumerate() {
                row[self.features + place] = coded(row[*feature as usize]);
            }
            *score = self.add_row(row, *score);
        }
    }

    fn add_row(&self, row: &[f64], mut score: f64) -> f64 {
        let (groups, rest) = self.roots.as_chunks::<LANES>();
        for group in groups {
            let mut at = group.map(|root| root.node);
            let depth = group.iter().map(|root| root.depth).max().unwrap_or(0);
            if group.iter().any(|root| root.categorical) {
                self.walk::<true>(&mut at, depth, |slot, _| row.get(slot).copied());
            } else {
                self.walk::<false>(&mut at, depth, |slot, _| row.get(slot).copied());
            }
            for node in at {
                score += self.values[node as usize];
            }
        }
        for root in rest {
            let mut at = [root.node];
            self.walk::<true>(&mut at, root.depth, |slot, _| row.get(slot).copied());
            score += self.values[at[0] as usize];
        }
        score
    }

    /// Predicts many rows, eight at a time through each tree.
    fn add_tiles(&self, block: &FeatureBlock, first: usize, tiles: &mut [[f64; LANES]], scores: &mut [f64]) {
        for (tile, at) in tiles.chunks_exact_mut(self.slots()).zip((0..scores.len()).step_by(LANES)) {
            for (slot, column) in tile.iter_mut().zip(&block.columns).take(self.features) {
                let values = column.get(first + at..).unwrap_or_default();
                match values.first_chunk() {
                    Some(values) => *slot = *values,
                    None => *slot = std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(f64::NAN)),
                }
            }
            for (place, feature) in self.coded.iter().enumerate() {
                tile[self.features + place] = tile[*feature as usize].map(coded);
            }
        }
        for roots in TreeBlocks(&self.roots) {
            for (tile, scores) in tiles.chunks_exact(self.slots()).zip(scores.chunks_mut(LANES)) {
                let mut sums = [0.0; LANES];
                sums[..scores.len()].copy_from_slice(scores);
                for root in roots {
                    let mut at = [root.node; LANES];
                    if root.categorical {
                        self.walk::<true>(&mut at, root.depth, |slot, lane| tile.get(slot).map(|x| x[lane]));
                    } else {
                        self.walk::<false>(&mut at, root.depth, |slot, lane| tile.get(slot).map(|x| x[lane]));
                    }
                    for (sum, node) in sums.iter_mut().zip(at) {
                        *sum += self.values[node as usize];
                    }
                }
                scores.copy_from_slice(&sums[..scores.len()]);
            }
        }
    }

    /// Takes `depth` steps with every walk of `at`; `value` returns a slot of a lane's row.
    #[expect(clippy::inline_always, reason = "each caller needs its own copy, with its own number of lanes")]
    #[inline(always)]
    fn walk<const CATEGORIES: bool>(&self, at: &mut [u32], depth: u32, value: impl Fn(usize, usize) -> Option<f64>) {
        let nodes = &self.nodes[..];
        for _ in 0..depth {
            let mut moved = 0;
            for (lane, at) in at.iter_mut().enumerate() {
                let node = nodes[*at as usize];
                let x = value((node.slot & SLOT) as usize, lane).unwrap_or(f64::NAN);
                let right = if CATEGORIES && node.slot & CATEGORICAL != 0 {
                    self.goes_right(node, x)
                } else {
                    // No branches: the direction of a row is as good as random.
                    #[expect(clippy::needless_bitwise_bool, reason = "a short circuit is a branch")]
                    let right = (x > node.threshold) | (x.is_nan() & (node.slot & MISSING_RIGHT != 0));
                    right
                };
                let next = node.left + u32::from(right);
                moved |= next ^ *at;
                *at = next;
            }
            // Leaf-wise trees are uneven: most walks end well above the deepest leaf.
            if moved == 0 {
                break;
            }
        }
    }

    /// The categorical rule, for the code in `x`.
    #[inline]
    fn goes_right(&self, node: Packed, x: f64) -> bool {
        let (set, code) = (node.threshold.to_bits(), x.to_bits());
        let word = if code >> 6 < u64::from(set as u32) {
            self.words.get(((set >> 32) + (code >> 6)) as usize).copied().unwrap_or(0)
        } else {
            0
        };
        let outside = word >> (code & 63) & 1 == 0;
        outside && (code != MISSING_CODE || node.slot & MISSING_RIGHT != 0)
    }
}

/// The category code of a value, as the bits of a number.
fn coded(value: f64) -> f64 {
    let missing = if value.is_nan() { MISSING_CODE } else { NO_CODE };
    f64::from_bits(code_of(value).map_or(missing, u64::from))
}

/// Runs of trees of about [`NODES_AT_ONCE`] nodes, at least one tree each.
struct TreeBlocks<'a>(&'a [Root]);

impl<'a> Iterator for TreeBlocks<'a> {
    type Item = &'a [Root];

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.first()?;
        let end = self.0.iter().position(|root| (root.node - first.node) as usize > NODES_AT_ONCE);
        let (block, rest) = self.0.split_at(end.map_or(self.0.len(), |end| (end - 1).max(1)));
        self.0 = rest;
        Some(block)
    }
}
