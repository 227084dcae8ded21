//! A tree over bins, as it was grown.

use tidemill_model::ModelError;
use tidemill_model::trees::{Node, Split, Tree};

use super::binned::{Binned, LANES};
use super::binning::Binning;
use super::bins::BinSet;

/// Rows that walk at once.
const WALKS: usize = 8;

/// A tree whose splits are sets of bins.
#[derive(Debug, Clone)]
pub(crate) struct GrownTree {
    /// Children come after their parent.
    pub(crate) nodes: Vec<GrownNode>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum GrownNode {
    Leaf { value: f64 },
    Split { used: u32, gain: f64, left: BinSet, missing_left: bool, children: [u32; 2] },
}

impl GrownTree {
    /// Multiplies the values of all leaves.
    pub(crate) fn scale(&mut self, factor: f64) {
        for node in &mut self.nodes {
            if let GrownNode::Leaf { value } = node {
                *value *= factor;
            }
        }
    }

    /// The tree over values instead of bins.
    pub(crate) fn to_tree(&self, binning: &Binning) -> Result<Tree, ModelError> {
        let node = |node: &GrownNode| match *node {
            GrownNode::Leaf { value } => Node::Leaf { value },
            GrownNode::Split { used, left, missing_left, children, .. } => {
                let feature = &binning.used[used as usize];
                Node::Split(Split {
                    feature: feature.feature,
                    rule: feature.bins.rule(&left),
                    missing_left,
                    left: children[0],
                    right: children[1],
                })
            }
        };
        Tree::new(self.nodes.iter().map(node).collect())
    }

    /// Adds `factor` times the value of the leaf that each row reaches to its score; the first score is that of the
    /// row `first`.
    ///
    /// Eight rows walk in lockstep, so that the processor overlaps their memory accesses.
    pub(crate) fn add_to(&self, data: &Binned, first: usize, scores: &mut [f64], factor: f64) {
        let groups: Vec<&[[u8; LANES]]> = data.groups.iter().map(|group| &group[first..first + scores.len()]).collect();
        for (at, scores) in scores.chunks_mut(WALKS).enumerate() {
            let mut node = [0_u32; WALKS];
            loop {
                let mut walking = false;
                for (lane, node) in node.iter_mut().enumerate().take(scores.len()) {
                    if let GrownNode::Split { used, left, children, .. } = &self.nodes[*node as usize] {
                        let (group, place) = Binned::place(*used as usize);
                        let right = !left.contains(groups[group][at * WALKS + lane][place]);
                        *node = children[usize::from(right)];
                        walking = true;
                    }
                }
                if !walking {
                    break;
                }
            }
            for (score, node) in scores.iter_mut().zip(node) {
                if let GrownNode::Leaf { value } = self.nodes[node as usize] {
                    *score += factor * value;
                }
            }
        }
    }
}
