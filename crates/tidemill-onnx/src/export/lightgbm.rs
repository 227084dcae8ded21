//! Trees as LightGBM's text file, over transformed features.

use std::fmt::Write as _;

use tidemill_model::trees::{Link, Node, Rule, Split, Tree};
use tidemill_model::{FeatureKind, FeatureSpec, Learner, ModelError, SumRule, Task, TreeEnsemble};

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// Missing values are NaN.
const MISSING_NAN: u8 = 2 << 2;
/// Nodes that a tree may have after splits are doubled.
const NODES_MAX: usize = 1 << 16;
/// Categories that are listed.
const CATEGORIES_MAX: u64 = 10_000;

/// Returns LightGBM's text of a learner of trees. It takes the rows that `tidemill transform` writes, not raw ones.
///
/// # Errors
/// The learner is none of trees, or its text would be much larger than the model.
pub fn export_lightgbm(features: &[FeatureSpec], learner: &Learner) -> Result<Vec<u8>, ModelError> {
    let refused = |reason: String| ModelError::Learner { reason };
    if learner.tree_sums().iter().any(|sum| sum.offset().is_some()) {
        return Err(refused("the model adds an offset to its scores, which LightGBM keeps in no model".to_owned()));
    }
    let (objective, sums): (String, &[TreeEnsemble]) = match learner {
        Learner::Trees(trees) => {
            let objective = match (trees.task(), trees.link()) {
                (Task::Ranking { .. }, _) => "lambdarank",
                (_, Link::Logistic) => "binary sigmoid:1",
                (_, Link::Identity) => "regression",
                (_, Link::Exp) => "poisson",
            };
            (objective.to_owned(), std::slice::from_ref(trees))
        }
        Learner::ClassTrees(trees) => {
            let count = trees.sums().len();
            let objective = match trees.rule() {
                SumRule::Softmax => format!("multiclass num_class:{count}"),
                // A prediction of each sum alone: what the format calls one class against all.
                SumRule::Each if count == 1 => "binary sigmoid:1".to_owned(),
                SumRule::Each => format!("multiclassova num_class:{count} sigmoid:1"),
                SumRule::OneVsAll => {
                    let reason = "LightGBM's `multiclassova` gives shares that do not sum to 1, and this model's do";
                    return Err(refused(reason.to_owned()));
                }
                SumRule::Ascending => {
                    return Err(refused("a LightGBM model has one quantile, and this one has several".to_owned()));
                }
            };
            (objective, trees.sums())
        }
        other => {
            let reason =
                format!("a learner of the kind `{}` is no LightGBM model: only trees can be written so", other.kind());
            return Err(refused(reason));
        }
    };
    let mut text = String::from("tree\nversion=v4\n");
    let count = sums.len();
    let classes = if count > 1 { count } else { 1 };
    let names: Vec<String> = features.iter().map(|feature| feature.name.replace(char::is_whitespace, "_")).collect();
    let infos: Vec<String> = features.iter().map(info).collect();
    let _ = write!(
        text,
        "num_class={classes}\nnum_tree_per_iteration={classes}\nlabel_index=0\nmax_feature_idx={}\nobjective={objective}\n\
         feature_names={}\nfeature_infos={}\n\n",
        features.len().saturating_sub(1),
        names.join(" "),
        infos.join(" ")
    );
    // Rounds must be as many for each sum; the constant of a sum is part of its first tree.
    let rounds = sums.iter().map(|sum| sum.trees().len()).max().unwrap_or(0).max(1);
    for round in 0..rounds {
        for (at, sum) in sums.iter().enumerate() {
            let base = if round == 0 { sum.base_score() } else { 0.0 };
            let tree = match sum.trees().get(round) {
                Some(tree) => Written::new(tree, base),
                None => Ok(Written { leaves: vec![base], ..Written::default() }),
            };
            tree.map_err(refused)?.write(&mut text, round * count + at);
        }
    }
    text.push_str(
        "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n",
    );
    Ok(text.into_bytes())
}

/// The values of a feature.
fn info(feature: &FeatureSpec) -> String {
    match feature.kind {
        FeatureKind::Categorical { cardinality } if cardinality as u64 <= CATEGORIES_MAX => {
            (0..cardinality).map(|code| code.to_string()).collect::<Vec<_>>().join(":")
        }
        FeatureKind::Categorical { .. } => "none".to_owned(),
        FeatureKind::Numeric => format!("[{:e}:{:e}]", f64::MIN, f64::MAX),
    }
}

/// A tree in LightGBM's lists: splits and leaves are numbered apart, and a child below 0 is a leaf.
#[derive(Default)]
struct Written {
    features: Vec<u32>,
    thresholds: Vec<f64>,
    decisions: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    leaves: Vec<f64>,
    sets: Vec<Vec<u32>>,
}

impl Written {
    fn new(tree: &Tree, base: f64) -> Result<Self, String> {
        let mut written = Self::default();
        written.node(tree.nodes(), 0, base)?;
        Ok(written)
    }

    /// Writes a node and all below it; gives its number as a child.
    fn node(&mut self, nodes: &[Node], at: usize, base: f64) -> Result<i64, String> {
        if self.features.len() + self.leaves.len() > NODES_MAX {
            return Err(format!("a tree would have more than {NODES_MAX} nodes in LightGBM's format"));
        }
        match &nodes[at] {
            Node::Leaf { value } => {
                self.leaves.push(value + base);
                Ok(!(self.leaves.len() as i64 - 1))
            }
            Node::Split(split) => match &split.rule {
                Rule::AtMost(threshold) => {
                    let default = if split.missing_left { DEFAULT_LEFT } else { 0 };
                    // No number of the format is infinite.
                    let number = self.split(split.feature, threshold.clamp(f64::MIN, f64::MAX), MISSING_NAN | default);
                    self.children(nodes, split, number, base)
                }
                Rule::OneOf(codes) => {
                    // A missing category goes right there. Where it goes left here, a split before it sends it there.
                    let outer =
                        split.missing_left.then(|| self.split(split.feature, f64::MIN, MISSING_NAN | DEFAULT_LEFT));
                    if let Some(outer) = outer {
                        self.left[outer] = self.node(nodes, split.left as usize, base)?;
                    }
                    let mut words = vec![0_u32; 1];
                    for code in codes.codes() {
                        let word = code as usize / 32;
                        words.resize(words.len().max(word + 1), 0);
                        words[word] |= 1 << (code % 32);
                    }
                    self.sets.push(words);
                    let set = self.sets.len() as f64 - 1.0;
                    let number = self.split(split.feature, set, MISSING_NAN | CATEGORICAL);
                    let inner = self.children(nodes, split, number, base)?;
                    match outer {
                        Some(outer) => {
                            self.right[outer] = inner;
                            Ok(outer as i64)
                        }
                        None => Ok(inner),
                    }
                }
            },
        }
    }

    fn split(&mut self, feature: u32, threshold: f64, decision: u8) -> usize {
        self.features.push(feature);
        self.thresholds.push(threshold);
        self.decisions.push(decision);
        self.left.push(0);
        self.right.push(0);
        self.features.len() - 1
    }

    fn children(&mut self, nodes: &[Node], split: &Split, number: usize, base: f64) -> Result<i64, String> {
        self.left[number] = self.node(nodes, split.left as usize, base)?;
        self.right[number] = self.node(nodes, split.right as usize, base)?;
        Ok(number as i64)
    }

    fn write(&self, text: &mut String, number: usize) {
        let list = |key: &str, values: Vec<String>| format!("{key}={}\n", values.join(" "));
        let numbers = |values: &[f64]| values.iter().map(|value| format!("{value:e}")).collect();
        let wholes = |values: &[i64]| values.iter().map(ToString::to_string).collect();
        let _ = write!(text, "Tree={number}\nnum_leaves={}\nnum_cat={}\n", self.leaves.len(), self.sets.len());
        let (splits, leaves) = (self.features.len(), self.leaves.len());
        let zeros = |count: usize| vec!["0".to_owned(); count];
        if splits > 0 {
            text.push_str(&list("split_feature", self.features.iter().map(ToString::to_string).collect()));
            text.push_str(&list("split_gain", zeros(splits)));
            text.push_str(&list("threshold", numbers(&self.thresholds)));
            text.push_str(&list("decision_type", self.decisions.iter().map(ToString::to_string).collect()));
            text.push_str(&list("left_child", wholes(&self.left)));
            text.push_str(&list("right_child", wholes(&self.right)));
        }
        text.push_str(&list("leaf_value", numbers(&self.leaves)));
        if splits > 0 {
            text.push_str(&list("leaf_weight", zeros(leaves)));
            text.push_str(&list("leaf_count", zeros(leaves)));
            text.push_str(&list("internal_value", zeros(splits)));
            text.push_str(&list("internal_weight", zeros(splits)));
            text.push_str(&list("internal_count", zeros(splits)));
        }
        if !self.sets.is_empty() {
            let mut bounds = vec![0];
            for set in &self.sets {
                bounds.push(bounds[bounds.len() - 1] + set.len());
            }
            text.push_str(&list("cat_boundaries", bounds.iter().map(ToString::to_string).collect()));
            text.push_str(&list("cat_threshold", self.sets.iter().flatten().map(ToString::to_string).collect()));
        }
        text.push_str("is_linear=0\nshrinkage=1\n\n\n");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
    use arrow::datatypes::Float64Type;
    use tidemill_model::trees::CategorySet;
    use tidemill_model::{ClassTrees, FeatureBlock};

    use super::*;

    fn leaf(value: f64) -> Node {
        Node::Leaf { value }
    }

    fn split(feature: u32, rule: Rule, missing_left: bool, left: u32) -> Node {
        Node::Split(Split { feature, rule, missing_left, left, right: left + 1 })
    }

    /// Trees over a number, a category and another number, with all directions of missing values.
    fn sum(task: Task, shift: f64) -> TreeEnsemble {
        let codes = CategorySet::from_words(vec![0b1001, 1]);
        let trees = [true, false].map(|missing| {
            let nodes = vec![
                split(0, Rule::AtMost(0.5 + shift), missing, 1),
                split(1, Rule::OneOf(codes.clone()), missing, 3),
                split(2, Rule::AtMost(-1e-7), !missing, 5),
                leaf(0.25),
                leaf(-1.5 + shift),
                split(1, Rule::OneOf(CategorySet::from_words(vec![6])), !missing, 7),
                leaf(3.0),
                leaf(0.125),
                leaf(1e-9),
            ];
            Tree::new(nodes).unwrap()
        });
        let trees = trees.into_iter().chain([Tree::new(vec![leaf(0.5)]).unwrap()]).collect();
        TreeEnsemble::new(task, 3, -0.75, trees).unwrap()
    }

    fn specs() -> Vec<FeatureSpec> {
        let kinds = [FeatureKind::Numeric, FeatureKind::Categorical { cardinality: 70 }, FeatureKind::Numeric];
        ["a", "the kind", "c"]
            .iter()
            .zip(kinds)
            .map(|(name, kind)| FeatureSpec { name: (*name).to_owned(), kind })
            .collect()
    }

    fn check(learner: &Learner) {
        let text = export_lightgbm(&specs(), learner).unwrap();
        let read = crate::parse(&text, Path::new("model.txt")).unwrap();
        let missing = f64::NAN;
        let columns: Vec<Vec<f64>> = vec![
            vec![0.0, 0.5, 0.6, missing, 2.0, missing, 0.1, 0.9],
            vec![0.0, 3.0, 64.0, missing, 1.0, 2.0, missing, 69.0],
            vec![0.0, -1.0, missing, 5.0, missing, -1e-7, 1.0, -2e-7],
        ];
        let arrays = columns.iter().map(|column| Arc::new(Float64Array::from(column.clone())) as ArrayRef);
        let names = ["a", "the_kind", "c"];
        let batch = RecordBatch::try_from_iter(names.into_iter().zip(arrays)).unwrap();
        let theirs = read.predict(&batch).unwrap();
        let ours = learner.predict(&FeatureBlock { rows: 8, columns }).unwrap();
        let first = theirs.num_columns() - ours.len();
        for (at, ours) in ours.iter().enumerate() {
            let theirs = theirs.column(first + at).as_primitive::<Float64Type>();
            for (row, ours) in ours.iter().enumerate() {
                assert!(
                    (ours - theirs.value(row)).abs() < 1e-12,
                    "column {at}, row {row}: {ours} {}",
                    theirs.value(row)
                );
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back_with_the_same_predictions() {
        check(&Learner::Trees(sum(Task::Binary, 0.0)));
        check(&Learner::Trees(sum(Task::Regression, 0.0)));
        check(&Learner::Trees(sum(Task::Regression, 0.0).with_link(Link::Exp).unwrap()));
        let classes = ["x", "y", "z"].map(str::to_owned).to_vec();
        let sums = [0.0, 0.1, 0.2].map(|shift| sum(Task::Regression, shift)).to_vec();
        for rule in [SumRule::Softmax, SumRule::Each] {
            check(&Learner::ClassTrees(ClassTrees::with_rule(rule, classes.clone(), sums.clone()).unwrap()));
        }
        check(&Learner::Trees(sum(Task::Ranking { group: "query".into() }, 0.0)));
    }
}
