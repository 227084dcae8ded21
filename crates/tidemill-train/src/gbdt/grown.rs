//! A tree over bins, as it was grown.

use tidemill_model::ModelError;
use tidemill_model::trees::{Node, Split, Tree};

use super::binned::Binned;
use super::binning::Binning;
use super::bins::BinSet;

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

    /// Calls `add` with each row number of `rows` and the value of the leaf the row reaches.
    pub(crate) fn walk(&self, data: &Binned, rows: std::ops::Range<usize>, mut add: impl FnMut(usize, f64)) {
        for row in rows {
            let mut at = 0;
            let value = loop {
                match &self.nodes[at] {
                    GrownNode::Leaf { value } => break *value,
                    GrownNode::Split { used, left, children, .. } => {
                        let (group, lane) = Binned::place(*used as usize);
                        let right = !left.contains(data.groups[group][row][lane]);
                        at = children[usize::from(right)] as usize;
                    }
                }
            };
            add(row, value);
        }
    }
}
