//! Trees as XGBoost's JSON file, over transformed features.
//!
//! Features and leaves are 32-bit numbers there. A threshold is written as the 32-bit number below which just those 32-bit
//! values lie that go left here, so a row of such values reaches the same leaves; a leaf is rounded, so predictions agree to
//! about 1e-6.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tidemill_model::trees::{Link, Node, Rule, Tree};
use tidemill_model::{FeatureKind, FeatureSpec, Learner, ModelError, SumRule, Task, TreeEnsemble};

/// The number that a root has as its parent.
const NO_PARENT: i32 = i32::MAX;
/// The version of the format: categories have been in it since 1.6, and every later version reads it.
const VERSION: [u32; 3] = [2, 1, 4];

/// Returns XGBoost's JSON of a learner of trees. It takes the rows that `tidemill transform` writes, not raw ones.
///
/// # Errors
/// The learner is none of trees, or its predictions are made of their sums as no objective of XGBoost makes them.
pub fn export_xgboost(features: &[FeatureSpec], learner: &Learner) -> Result<Vec<u8>, ModelError> {
    let refused = |reason: String| ModelError::Learner { reason };
    if learner.tree_sums().iter().any(|sum| sum.offset().is_some()) {
        return Err(refused("the model adds an offset to its scores, which XGBoost keeps in no model".to_owned()));
    }
    let (objective, base, classes, targets): (Value, f64, usize, usize) = match learner {
        Learner::Trees(trees) => {
            // What stands for a sum of 0: the base score is a prediction.
            let (objective, base) = match (trees.task(), trees.link()) {
                (Task::Ranking { .. }, _) => (json!({ "name": "rank:ndcg", "lambdarank_param": {} }), 0.0),
                (_, Link::Logistic) => (json!({ "name": "binary:logistic", "reg_loss_param": {} }), 0.5),
                (_, Link::Identity) => (json!({ "name": "reg:squarederror", "reg_loss_param": {} }), 0.0),
                (_, Link::Exp) => (json!({ "name": "count:poisson", "poisson_regression_param": {} }), 1.0),
            };
            (objective, base, 0, 1)
        }
        Learner::ClassTrees(trees) => {
            let count = trees.sums().len();
            match trees.rule() {
                SumRule::Softmax => {
                    let param = json!({ "num_class": count.to_string() });
                    (json!({ "name": "multi:softprob", "softmax_multiclass_param": param }), 0.0, count, 1)
                }
                SumRule::Each => (json!({ "name": "binary:logistic", "reg_loss_param": {} }), 0.5, 0, count),
                SumRule::OneVsAll => {
                    return Err(refused("XGBoost has no classes that are each learned against the rest".to_owned()));
                }
                SumRule::Ascending => {
                    let reason = "XGBoost's quantiles may cross, and this model's are put in order: export it as ONNX";
                    return Err(refused(reason.to_owned()));
                }
            }
        }
        other => {
            let reason =
                format!("a learner of the kind `{}` is no XGBoost model: only trees can be written so", other.kind());
            return Err(refused(reason));
        }
    };
    let sums = learner.tree_sums();
    let (trees, groups) = trees(sums, features.len());
    let rounds = (0..=trees.len() / sums.len().max(1)).map(|round| round * sums.len());
    let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
    let kinds: Vec<&str> = features.iter().map(kind).collect();
    let file = json!({
        "learner": {
            "attributes": {},
            "feature_names": names,
            "feature_types": kinds,
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": { "num_parallel_tree": "1", "num_trees": trees.len().to_string() },
                    "iteration_indptr": rounds.collect::<Vec<_>>(),
                    "tree_info": groups,
                    "trees": trees,
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": format!("{base:E}"),
                "boost_from_average": "1",
                "num_class": classes.to_string(),
                "num_feature": features.len().to_string(),
                "num_target": targets.to_string(),
            },
            "objective": objective,
        },
        "version": VERSION,
    });
    Ok(file.to_string().into_bytes())
}

/// The type of a feature: a number or a category.
fn kind(feature: &FeatureSpec) -> &'static str {
    match feature.kind {
        FeatureKind::Categorical { .. } => "c",
        FeatureKind::Numeric => "float",
    }
}

/// The trees, round by round, and the sum that each belongs to. Rounds must be as many for each sum; the constant of a sum is
/// part of its first tree.
fn trees(sums: &[TreeEnsemble], features: usize) -> (Vec<Value>, Vec<usize>) {
    let rounds = sums.iter().map(|sum| sum.trees().len()).max().unwrap_or(0).max(1);
    let (mut trees, mut groups) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for (at, sum) in sums.iter().enumerate() {
            let base = if round == 0 { sum.base_score() } else { 0.0 };
            let written = match sum.trees().get(round) {
                Some(tree) => Written::new(tree, base),
                None => Written::leaf(base),
            };
            trees.push(written.into_json(trees.len(), features));
            groups.push(at);
        }
    }
    (trees, groups)
}

/// A tree in XGBoost's lists.
#[derive(Default)]
struct Written {
    left: Vec<i32>,
    right: Vec<i32>,
    parents: Vec<i32>,
    features: Vec<u32>,
    /// Thresholds of splits, values of leaves.
    conditions: Vec<f32>,
    default_left: Vec<u8>,
    categorical: Vec<u8>,
    /// The nodes that ask for categories, with these.
    sets: Vec<(usize, Vec<u32>)>,
}

impl Written {
    fn leaf(value: f64) -> Self {
        let mut written = Self::default();
        written.push(NO_PARENT);
        written.conditions[0] = value as f32;
        written
    }

    /// Breadth first.
    fn new(tree: &Tree, base: f64) -> Self {
        let mut written = Self::default();
        written.push(NO_PARENT);
        let mut queue = VecDeque::from([(0_usize, 0_usize)]);
        while let Some((from, to)) = queue.pop_front() {
            match &tree.nodes()[from] {
                Node::Leaf { value } => written.conditions[to] = (value + base) as f32,
                Node::Split(split) => {
                    let (mut children, mut missing_left) = ([split.left, split.right], split.missing_left);
                    match &split.rule {
                        Rule::AtMost(threshold) => written.conditions[to] = below(*threshold),
                        Rule::OneOf(codes) => {
                            // Members of the set go right there.
                            children.reverse();
                            missing_left = !missing_left;
                            written.categorical[to] = 1;
                            written.sets.push((to, codes.codes().collect()));
                        }
                    }
                    written.features[to] = split.feature;
                    written.default_left[to] = u8::from(missing_left);
                    let places = children.map(|child| {
                        let place = written.push(to as i32);
                        queue.push_back((child as usize, place));
                        place as i32
                    });
                    (written.left[to], written.right[to]) = (places[0], places[1]);
                }
            }
        }
        written
    }

    /// Adds a leaf of no value; gives its place.
    fn push(&mut self, parent: i32) -> usize {
        self.left.push(-1);
        self.right.push(-1);
        self.parents.push(parent);
        self.features.push(0);
        self.conditions.push(0.0);
        self.default_left.push(0);
        self.categorical.push(0);
        self.left.len() - 1
    }

    fn into_json(self, id: usize, features: usize) -> Value {
        let nodes = self.left.len();
        let (mut categories, mut segments, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for (_, codes) in &self.sets {
            segments.push(categories.len());
            sizes.push(codes.len());
            categories.extend_from_slice(codes);
        }
        json!({
            "base_weights": self.conditions,
            "categories": categories,
            "categories_nodes": self.sets.iter().map(|(node, _)| *node).collect::<Vec<_>>(),
            "categories_segments": segments,
            "categories_sizes": sizes,
            "default_left": self.default_left,
            "id": id,
            "left_children": self.left,
            "loss_changes": vec![0.0_f32; nodes],
            "parents": self.parents,
            "right_children": self.right,
            "split_conditions": self.conditions,
            "split_indices": self.features,
            "split_type": self.categorical,
            "sum_hessian": vec![1.0_f32; nodes],
            "tree_param": {
                "num_deleted": "0",
                "num_feature": features.to_string(),
                "num_nodes": nodes.to_string(),
                "size_leaf_vector": "1",
            },
        })
    }
}

/// The number below which just those 32-bit numbers lie that are at most `threshold`. No number of the format is infinite.
fn below(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    let largest = if f64::from(nearest) > threshold { nearest.next_down() } else { nearest };
    largest.next_up().clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
    use arrow::datatypes::Float64Type;
    use proptest::prelude::*;
    use tidemill_model::trees::{CategorySet, Split};
    use tidemill_model::{ClassTrees, FeatureBlock};

    use super::*;

    fn leaf(value: f64) -> Node {
        Node::Leaf { value }
    }

    fn split(feature: u32, rule: Rule, missing_left: bool, left: u32) -> Node {
        Node::Split(Split { feature, rule, missing_left, left, right: left + 1 })
    }

    /// Trees over a number and a category, with all directions of missing values.
    fn sum(task: Task, shift: f64) -> TreeEnsemble {
        let codes = CategorySet::from_words(vec![0b1001, 1]);
        let trees = [true, false].map(|missing| {
            let nodes = vec![
                split(0, Rule::AtMost(0.5 + shift), missing, 1),
                split(1, Rule::OneOf(codes.clone()), missing, 3),
                leaf(0.25),
                leaf(-1.5 + shift),
                split(1, Rule::OneOf(CategorySet::from_words(vec![6])), !missing, 5),
                leaf(3.0),
                leaf(0.125),
            ];
            Tree::new(nodes).unwrap()
        });
        TreeEnsemble::new(task, 2, -0.75, trees.into()).unwrap()
    }

    fn specs() -> Vec<FeatureSpec> {
        let kinds = [FeatureKind::Numeric, FeatureKind::Categorical { cardinality: 70 }];
        let spec = |(name, kind): (&str, FeatureKind)| FeatureSpec { name: name.to_owned(), kind };
        ["a", "kind"].into_iter().zip(kinds).map(spec).collect()
    }

    fn check(learner: &Learner) {
        let file = export_xgboost(&specs(), learner).unwrap();
        let read = crate::parse(&file, Path::new("model.json")).unwrap();
        let missing = f64::NAN;
        let columns = vec![
            vec![0.0, 0.5, 0.75, missing, 2.0, missing, 0.125, 0.875],
            vec![0.0, 3.0, 64.0, missing, 1.0, 2.0, missing, 69.0],
        ];
        let arrays = columns.iter().map(|column| Arc::new(Float64Array::from(column.clone())) as ArrayRef);
        let batch = RecordBatch::try_from_iter(["a", "kind"].into_iter().zip(arrays)).unwrap();
        let theirs = read.predict(&batch).unwrap();
        let ours = learner.predict(&FeatureBlock { rows: 8, columns }).unwrap();
        let first = theirs.num_columns() - ours.len();
        for (at, ours) in ours.iter().enumerate() {
            let theirs = theirs.column(first + at).as_primitive::<Float64Type>();
            for (row, ours) in ours.iter().enumerate() {
                let theirs = theirs.value(row);
                assert!((ours - theirs).abs() < 1e-6, "column {at}, row {row}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back_with_the_same_predictions() {
        check(&Learner::Trees(sum(Task::Binary, 0.0)));
        check(&Learner::Trees(sum(Task::Regression, 0.0)));
        check(&Learner::Trees(sum(Task::Regression, 0.0).with_link(Link::Exp).unwrap()));
        check(&Learner::Trees(sum(Task::Ranking { group: "query".into() }, 0.0)));
        check(&Learner::Trees(TreeEnsemble::new(Task::Binary, 2, 0.5, Vec::new()).unwrap()));
        let names = ["x", "y", "z"].map(str::to_owned).to_vec();
        let sums = [0.0, 0.25, 0.5].map(|shift| sum(Task::Regression, shift)).to_vec();
        for rule in [SumRule::Softmax, SumRule::Each] {
            check(&Learner::ClassTrees(ClassTrees::with_rule(rule, names.clone(), sums.clone()).unwrap()));
        }
        let one_vs_all = ClassTrees::with_rule(SumRule::OneVsAll, names, sums).unwrap();
        let error = export_xgboost(&specs(), &Learner::ClassTrees(one_vs_all)).unwrap_err();
        assert!(error.to_string().contains("against the rest"), "{error}");
    }

    proptest! {
        #[test]
        fn numbers_of_32_bits_take_the_same_side(threshold in any::<f64>(), step in -3..4_i32, any_value in any::<f32>()) {
            prop_assume!(!threshold.is_nan());
            let mut near = threshold as f32;
            for _ in 0..step.abs() {
                near = if step > 0 { near.next_up() } else { near.next_down() };
            }
            for value in [near, any_value].into_iter().filter(|value| value.is_finite() && value.abs() < f32::MAX) {
                prop_assert_eq!(value < below(threshold), f64::from(value) <= threshold, "{} {}", value, threshold);
            }
        }
    }
}
