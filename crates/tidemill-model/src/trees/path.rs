//! The way of a row through the trees.

use super::TreeEnsemble;
use super::tree::{Node, Rule};

/// The way of a row through one tree.
#[derive(Debug, Clone, PartialEq)]
pub struct TreePath {
    /// The questions that it met, the root's first.
    pub steps: Vec<PathStep>,
    /// What the tree adds to the score.
    pub leaf: f64,
}

/// A question, and what the row answered.
#[derive(Debug, Clone, PartialEq)]
pub struct PathStep {
    /// The feature asked, by its place.
    pub feature: usize,
    /// The row's value; `NaN` is missing.
    pub value: f64,
    /// The question.
    pub rule: Rule,
    /// Whether the row went left: the value is in the rule, or it is missing and missing values go left.
    pub left: bool,
}

impl TreeEnsemble {
    /// The way of `row` through each tree, in their order. Leaves, the base score and the offset sum to the score. A feature that the row
    /// lacks is missing.
    pub fn paths<'a>(&'a self, row: &'a [f64]) -> impl Iterator<Item = TreePath> + 'a {
        self.trees().iter().map(move |tree| {
            let (mut at, mut steps) = (0, Vec::new());
            loop {
                match &tree.nodes()[at] {
                    Node::Leaf { value } => return TreePath { steps, leaf: *value },
                    Node::Split(split) => {
                        let value = row.get(split.feature as usize).copied().unwrap_or(f64::NAN);
                        let left = split.goes_left(value);
                        steps.push(PathStep { feature: split.feature as usize, value, rule: split.rule.clone(), left });
                        at = if left { split.left } else { split.right } as usize;
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;
    use crate::trees::{Split, Tree};

    #[test]
    fn the_way_of_a_row_leads_to_its_value() {
        let split = |feature, threshold, left| {
            let rule = Rule::AtMost(threshold);
            Node::Split(Split { feature, rule, missing_left: false, left, right: left + 1 })
        };
        let leaf = |value| Node::Leaf { value };
        let nodes = vec![split(0, 1.0, 1), split(1, 5.0, 3), leaf(3.0), leaf(1.0), leaf(2.0)];
        let trees = vec![Tree::new(nodes).unwrap(), Tree::new(vec![leaf(0.5)]).unwrap()];
        let ensemble = TreeEnsemble::new(Task::Regression, 2, 0.25, trees).unwrap();
        let paths: Vec<TreePath> = ensemble.paths(&[0.5]).collect();
        let asked: Vec<(usize, bool)> = paths[0].steps.iter().map(|step| (step.feature, step.left)).collect();
        assert_eq!((asked, paths[0].leaf, paths[1].steps.len()), (vec![(0, true), (1, false)], 2.0, 0));
        assert!(paths[0].steps[1].value.is_nan());
        assert_eq!(0.25 + paths.iter().map(|path| path.leaf).sum::<f64>(), 2.75);
    }
}
