//! Explains the score of a sum of trees: Shapley values.
//!
//! The value of a set of features is the mean score over background rows where those features are the row's and all
//! others the background's (the interventional Shapley value: S. Lundberg et al., "From local explanations to global
//! understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020, algorithm "independent"). For one
//! tree and one background row only features in which the two rows part ways count; each leaf that some mixture of the
//! two reaches is met once, with the features that must be the row's and those that must be the background's to get
//! there, and shares its value out among them in closed form. So the values are exact, and cost no more than the leaves.

use super::TreeEnsemble;
use super::tree::{Node, Tree};

/// The contribution of each feature to the score of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The mean score of the background.
    pub base: f64,
    /// The contribution of each feature, in their order. With `base` they sum to the score.
    pub features: Vec<f64>,
}

impl Contributions {
    /// The score that is explained.
    pub fn score(&self) -> f64 {
        self.base + self.features.iter().sum::<f64>()
    }
}

/// Which row's value a feature must have on the path to a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Row,
    Background,
}

/// A pending visit: a node, the length of the path to it, and its new condition.
struct Visit {
    node: u32,
    path: usize,
    parted: Option<(u32, Owner)>,
}

impl TreeEnsemble {
    /// The contribution of each feature to the score (log-odds for [`Task::Binary`](crate::Task::Binary)) of `row`,
    /// relative to the rows of `background`, which must not be empty. A feature that a row lacks is missing.
    pub fn contributions(&self, row: &[f64], background: &[Vec<f64>]) -> Contributions {
        let mut features = vec![0.0; self.features()];
        let mut base = 0.0;
        let mut walk = Walk::default();
        for other in background {
            for tree in self.trees() {
                base += tree.value(other);
                walk.share_out(tree, row, other, &mut features);
            }
        }
        let rows = background.len().max(1) as f64;
        for value in &mut features {
            *value /= rows;
        }
        if let Some(offset) = self.offset() {
            let mean = background.iter().map(|other| self.offset_of(other)).sum::<f64>() / rows;
            features[offset] = self.offset_of(row) - mean;
            base += mean * rows;
        }
        Contributions { base: self.base_score() + base / rows, features }
    }
}

/// Memory of a walk, reused from tree to tree.
#[derive(Default)]
struct Walk {
    visits: Vec<Visit>,
    path: Vec<(u32, Owner)>,
}

impl Walk {
    /// Adds each feature's contribution to the value of `tree` when a row changes from `other` to `row`.
    fn share_out(&mut self, tree: &Tree, row: &[f64], other: &[f64], shares: &mut [f64]) {
        self.visits.push(Visit { node: 0, path: 0, parted: None });
        while let Some(Visit { node, path, parted }) = self.visits.pop() {
            self.path.truncate(path);
            self.path.extend(parted);
            self.descend(tree, node, row, other, shares);
        }
    }

    /// Descends to a leaf, or to where the two rows diverge on a feature that is new on the path.
    fn descend(&mut self, tree: &Tree, mut node: u32, row: &[f64], other: &[f64], shares: &mut [f64]) {
        loop {
            let split = match &tree.nodes()[node as usize] {
                Node::Leaf { value } => return self.leaf(*value, shares),
                Node::Split(split) => split,
            };
            let child = |values: &[f64]| {
                let value = values.get(split.feature as usize).copied().unwrap_or(f64::NAN);
                if split.goes_left(value) { split.left } else { split.right }
            };
            let (mine, theirs) = (child(row), child(other));
            if mine == theirs {
                node = mine;
                continue;
            }
            node = match self.path.iter().find(|(feature, _)| *feature == split.feature) {
                Some((_, Owner::Row)) => mine,
                Some((_, Owner::Background)) => theirs,
                None => {
                    let path = self.path.len();
                    let visit = |node, whose| Visit { node, path, parted: Some((split.feature, whose)) };
                    self.visits.push(visit(theirs, Owner::Background));
                    self.visits.push(visit(mine, Owner::Row));
                    return;
                }
            };
        }
    }

    /// With `a` features that must be the row's and `b` that must be the background's, each of the first gets
    /// `(a-1)! b! / (a+b)!` of the value, and each of the second takes `a! (b-1)! / (a+b)!` of it.
    fn leaf(&self, value: f64, shares: &mut [f64]) {
        let mine = self.path.iter().filter(|(_, whose)| *whose == Owner::Row).count();
        let theirs = self.path.len() - mine;
        // The number of orders in which they could come, as a product that stays near its result.
        let orders =
            (1..=mine.min(theirs)).fold(1.0, |orders, step| orders * (self.path.len() - step + 1) as f64 / step as f64);
        for (feature, whose) in &self.path {
            let share = match whose {
                Owner::Row => value / (mine as f64 * orders),
                Owner::Background => -value / (theirs as f64 * orders),
            };
            shares[*feature as usize] += share;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Task;
    use crate::trees::{Rule, Split};

    const FEATURES: usize = 4;

    /// A tree of depth 3 whose splits are these.
    fn tree(splits: &[(u32, f64)], leaves: &[f64]) -> Tree {
        let split = |at: usize| {
            let (feature, threshold) = splits[at];
            let (left, right) = (2 * at as u32 + 1, 2 * at as u32 + 2);
            Node::Split(Split {
                feature,
                rule: Rule::AtMost(threshold),
                missing_left: at.is_multiple_of(2),
                left,
                right,
            })
        };
        let nodes = (0..7).map(split).chain(leaves.iter().map(|&value| Node::Leaf { value }));
        Tree::new(nodes.collect()).unwrap()
    }

    /// The definition: each feature's mean difference over all sets of the others, weighted by how many orders put
    /// just those before it.
    fn by_definition(ensemble: &TreeEnsemble, row: &[f64], background: &[Vec<f64>]) -> Vec<f64> {
        let score = |row: &[f64]| ensemble.trees().iter().map(|tree| tree.value(row)).sum::<f64>();
        let worth = |set: usize| {
            let mixed = |other: &Vec<f64>| {
                let mix = |at: usize| if set >> at & 1 == 1 { row[at] } else { other[at] };
                score(&(0..FEATURES).map(mix).collect::<Vec<_>>())
            };
            background.iter().map(mixed).sum::<f64>() / background.len() as f64
        };
        let factorial = |number: usize| (1..=number).product::<usize>() as f64;
        let of = |feature: usize| {
            (0..1usize << FEATURES)
                .filter(|set| set >> feature & 1 == 0)
                .map(|set| {
                    let size = set.count_ones() as usize;
                    let weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES);
                    weight * (worth(set | 1 << feature) - worth(set))
                })
                .sum()
        };
        (0..FEATURES).map(of).collect()
    }

    fn any_row() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(prop_oneof![8 => -3.0..3.0, 1 => Just(f64::NAN)], FEATURES)
    }

    proptest! {
        #[test]
        fn they_are_what_the_definition_says_and_sum_to_the_score(
            trees in prop::collection::vec(
                (
                    prop::collection::vec((0..FEATURES as u32, -3.0..3.0), 7),
                    prop::collection::vec(-1.0..1.0, 8),
                ),
                1..4,
            ),
            row in any_row(),
            background in prop::collection::vec(any_row(), 1..4),
        ) {
            let trees: Vec<Tree> = trees.iter().map(|(splits, leaves)| tree(splits, leaves)).collect();
            let ensemble = TreeEnsemble::new(Task::Regression, FEATURES, 0.5, trees).unwrap();
            let found = ensemble.contributions(&row, &background);
            for (found, expected) in found.features.iter().zip(by_definition(&ensemble, &row, &background)) {
                prop_assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
            }
            let score = 0.5 + ensemble.trees().iter().map(|tree| tree.value(&row)).sum::<f64>();
            let sum = found.base + found.features.iter().sum::<f64>();
            prop_assert!((sum - score).abs() < 1e-12, "{sum} is not {score}");
        }
    }
}
