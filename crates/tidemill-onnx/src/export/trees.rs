//! A sum of trees as one `TreeEnsemble`.

use super::builder::{Builder, Name, bytes_tensor, int, ints, tensor};
use tidemill_model::TreeEnsemble;
use tidemill_model::trees::{Node, Rule};

const LEQ: u8 = 0;
const MEMBER: u8 = 6;

/// The operator's attributes.
#[derive(Default)]
struct Lists {
    roots: Vec<i64>,
    features: Vec<i64>,
    splits: Vec<f64>,
    modes: Vec<u8>,
    missing_true: Vec<i64>,
    yes: Vec<i64>,
    no: Vec<i64>,
    yes_leaf: Vec<i64>,
    no_leaf: Vec<i64>,
    weights: Vec<f64>,
    members: Vec<f64>,
}

impl Lists {
    fn push(&mut self, feature: u32, split: f64, mode: u8, missing_true: bool) {
        self.features.push(i64::from(feature));
        self.splits.push(split);
        self.modes.push(mode);
        self.missing_true.push(i64::from(missing_true));
        for list in [&mut self.yes, &mut self.no, &mut self.yes_leaf, &mut self.no_leaf] {
            list.push(0);
        }
    }
}

/// The scores of the rows of `features`, a matrix of one column. Thresholds and weights keep their 64 bits.
pub(super) fn scores(graph: &mut Builder, features: &str, ensemble: &TreeEnsemble) -> Name {
    let mut lists = Lists::default();
    for tree in ensemble.trees() {
        let start = lists.splits.len();
        lists.roots.push(start as i64);
        // Splits and leaves are numbered apart.
        let mut places = Vec::with_capacity(tree.nodes().len());
        let (mut splits, mut leaves) = (start, lists.weights.len());
        for node in tree.nodes() {
            let counter = if matches!(node, Node::Leaf { .. }) { &mut leaves } else { &mut splits };
            places.push(*counter as i64);
            *counter += 1;
        }
        for node in tree.nodes() {
            match node {
                Node::Leaf { value } => lists.weights.push(*value),
                Node::Split(split) => {
                    let at = lists.splits.len();
                    match &split.rule {
                        Rule::AtMost(threshold) => lists.push(split.feature, *threshold, LEQ, split.missing_left),
                        // Nothing is in an empty set; no code lies below all numbers.
                        Rule::OneOf(codes) if codes.words().is_empty() => {
                            lists.push(split.feature, f64::NEG_INFINITY, LEQ, split.missing_left);
                        }
                        Rule::OneOf(codes) => {
                            lists.push(split.feature, 0.0, MEMBER, split.missing_left);
                            lists.members.extend(codes.codes().map(f64::from));
                            lists.members.push(f64::NAN);
                        }
                    }
                    let side = |child: u32| {
                        let is_leaf = matches!(tree.nodes()[child as usize], Node::Leaf { .. });
                        (places[child as usize], i64::from(is_leaf))
                    };
                    (lists.yes[at], lists.yes_leaf[at]) = side(split.left);
                    (lists.no[at], lists.no_leaf[at]) = side(split.right);
                }
            }
        }
        if let [Node::Leaf { .. }] = tree.nodes() {
            // A tree of one leaf is a node both of whose sides are that leaf.
            lists.push(0, 0.0, LEQ, true);
            let leaf = lists.weights.len() as i64 - 1;
            let at = lists.splits.len() - 1;
            (lists.yes[at], lists.no[at], lists.yes_leaf[at], lists.no_leaf[at]) = (leaf, leaf, 1, 1);
        }
    }
    let leaves = lists.weights.len();
    let mut attributes = vec![
        ints("tree_roots", lists.roots),
        ints("nodes_featureids", lists.features),
        tensor("nodes_splits", &lists.splits),
        bytes_tensor("nodes_modes", lists.modes),
        ints("nodes_missing_value_tracks_true", lists.missing_true),
        ints("nodes_truenodeids", lists.yes),
        ints("nodes_falsenodeids", lists.no),
        ints("nodes_trueleafs", lists.yes_leaf),
        ints("nodes_falseleafs", lists.no_leaf),
        ints("leaf_targetids", vec![0; leaves]),
        tensor("leaf_weights", &lists.weights),
        int("n_targets", 1),
    ];
    if !lists.members.is_empty() {
        attributes.push(tensor("membership_values", &lists.members));
    }
    graph.ml("TreeEnsemble", &[features], attributes)
}
