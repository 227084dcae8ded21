//! Which leaf is split next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::choices::Growth;
use super::grow::Leaf;
use super::split::SplitPlan;

/// The planned splits of the leaves of a tree: the next one is found in the logarithm of their number.
///
/// A plan that was replaced, or whose leaf was split, stays in the heap until its turn, and is passed over then.
#[derive(Debug)]
pub(crate) struct SplitQueue {
    growth: Growth,
    heap: BinaryHeap<Planned>,
}

/// A plan as it was when it was made.
#[derive(Debug, Clone, Copy)]
struct Planned {
    rank: Rank,
    gain: f64,
    node: usize,
    at: usize,
}

/// What decides between two plans; the greater one is made first.
#[derive(Debug, Clone, Copy)]
enum Rank {
    /// The one that gains more, and of equals the leaf that was there before.
    Gain(f64, Reverse<usize>),
    /// The one nearer to the root, and of equals the node that was there before.
    Depth(Reverse<(u32, usize)>),
}

impl SplitQueue {
    pub(crate) fn new(growth: Growth) -> Self {
        Self { growth, heap: BinaryHeap::new() }
    }

    /// Takes in the plan of the leaf `at`, if it has one.
    pub(crate) fn push(&mut self, leaves: &[Leaf], at: usize) {
        let leaf = &leaves[at];
        let Some(plan) = leaf.plan() else { return };
        let rank = match self.growth {
            Growth::LeafWise => Rank::Gain(plan.gain, Reverse(at)),
            Growth::DepthWise => Rank::Depth(Reverse((leaf.depth(), leaf.node()))),
        };
        self.heap.push(Planned { rank, gain: plan.gain, node: leaf.node(), at });
    }

    /// The split to make next, and its leaf.
    pub(crate) fn pop(&mut self, leaves: &[Leaf]) -> Option<(usize, SplitPlan)> {
        while let Some(planned) = self.heap.pop() {
            let leaf = &leaves[planned.at];
            if let Some(plan) = leaf.plan().filter(|plan| leaf.node() == planned.node && plan.gain == planned.gain) {
                return Some((planned.at, plan));
            }
        }
        None
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.rank, other.rank) {
            (Rank::Gain(own, at), Rank::Gain(others, other_at)) => own.total_cmp(&others).then(at.cmp(&other_at)),
            (Rank::Depth(own), Rank::Depth(others)) => own.cmp(&others),
            // A queue has one growth.
            (Rank::Gain(..), Rank::Depth(_)) => Ordering::Less,
            (Rank::Depth(_), Rank::Gain(..)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Planned {}
