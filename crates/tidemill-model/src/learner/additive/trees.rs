//! An additive model as trees, for formats that have no other name for piecewise constant functions.

use super::{AdditiveModel, AdditiveTerm, TermBins};
use crate::trees::{Node, Rule, Split, Tree};
use crate::{ModelError, Task, TreeEnsemble};

impl AdditiveModel {
    /// The score number `score` as a sum of trees, one for each term, that gives the same numbers.
    pub fn trees(&self, score: usize) -> Result<TreeEnsemble, ModelError> {
        let scores = self.intercepts().len();
        let tree = |term: &AdditiveTerm| {
            let mut nodes = Vec::new();
            let growing = Growing { term, scores, score };
            growing.axis(&mut nodes, 0, 0);
            Tree::new(nodes)
        };
        let mut trees: Vec<Tree> = self.terms().iter().map(tree).collect::<Result<_, _>>()?;
        if trees.is_empty() {
            // Formats want one tree at least.
            trees.push(Tree::new(vec![Node::Leaf { value: 0.0 }])?);
        }
        TreeEnsemble::new(Task::Regression, self.features(), self.intercepts()[score], trees)
    }
}

/// The tree of a term.
struct Growing<'a> {
    term: &'a AdditiveTerm,
    scores: usize,
    score: usize,
}

impl Growing<'_> {
    /// Asks the feature number `axis` of the term, where those before it lead to the cell `before`; the leaf after the last one.
    fn axis(&self, nodes: &mut Vec<Node>, axis: usize, before: usize) {
        let Some((feature, bins)) = self.term.features.get(axis) else {
            nodes.push(Node::Leaf { value: self.term.values[before * self.scores + self.score] });
            return;
        };
        let cell = |bin: usize| before * bins.cells() + bin;
        // Only missing values are not at most infinite.
        split(
            nodes,
            *feature,
            Rule::AtMost(f64::INFINITY),
            &mut |nodes| match bins {
                TermBins::Numeric { bounds } => self.bounds(nodes, *feature, bounds, axis, cell(0)),
                TermBins::Categorical { codes, bins } => {
                    let mut by_bin = vec![Vec::new(); *bins as usize];
                    codes.iter().for_each(|(code, bin)| by_bin[*bin as usize].push(*code));
                    self.codes(nodes, *feature, &by_bin, 1, axis, cell(0));
                }
            },
            &mut |nodes| self.axis(nodes, axis + 1, cell(bins.cells() - 1)),
        );
    }

    /// Halves the bins between bounds; the first one is the cell `first`.
    fn bounds(&self, nodes: &mut Vec<Node>, feature: u32, bounds: &[f64], axis: usize, first: usize) {
        if bounds.is_empty() {
            return self.axis(nodes, axis + 1, first);
        }
        let middle = bounds.len() / 2;
        split(
            nodes,
            feature,
            Rule::AtMost(bounds[middle]),
            &mut |nodes| self.bounds(nodes, feature, &bounds[..middle], axis, first),
            &mut |nodes| self.bounds(nodes, feature, &bounds[middle + 1..], axis, first + middle + 1),
        );
    }

    /// Asks for the codes of one bin after the other, from `bin` on; bin 0 is what is left.
    fn codes(&self, nodes: &mut Vec<Node>, feature: u32, by_bin: &[Vec<u32>], bin: usize, axis: usize, first: usize) {
        let Some(codes) = by_bin.get(bin) else { return self.axis(nodes, axis + 1, first) };
        split(
            nodes,
            feature,
            Rule::OneOf(codes.iter().copied().collect()),
            &mut |nodes| self.axis(nodes, axis + 1, first + bin),
            &mut |nodes| self.codes(nodes, feature, by_bin, bin + 1, axis, first),
        );
    }
}

/// A split whose sides are made by `left` and `right`. Missing values go right.
fn split(
    nodes: &mut Vec<Node>,
    feature: u32,
    rule: Rule,
    left: &mut dyn FnMut(&mut Vec<Node>),
    right: &mut dyn FnMut(&mut Vec<Node>),
) {
    let at = nodes.len();
    nodes.push(Node::Leaf { value: 0.0 });
    let of_left = nodes.len() as u32;
    left(nodes);
    let of_right = nodes.len() as u32;
    right(nodes);
    nodes[at] = Node::Split(Split { feature, rule, missing_left: false, left: of_left, right: of_right });
}
