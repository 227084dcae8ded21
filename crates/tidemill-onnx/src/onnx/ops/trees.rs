//! Ensembles of trees, on the native executor.

use std::collections::HashMap;

use super::linear::{PostTransform, class_labels, largest, outputs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};
use tidemill_model::trees::{CategorySet, CategorySetBudget, Node, Rule, Split, Tree};
use tidemill_model::{FeatureBlock, Task, TreeEnsemble};

/// Larger features and targets are a mistake.
const COLUMNS_MAX: usize = 1 << 20;
/// A tree is copied for each target it adds to; ensembles with more nodes in total than this, and more than this
/// multiple of those in the file, are rejected; 64 categories of a set count as one node.
const NODES_MAX: usize = 1 << 24;
const COPIES_MAX: usize = 8;
/// Larger category values are not codes.
const CODE_END: f64 = (1 << 24) as f64;

/// A tree in ONNX's form: any node may add to any target.
struct Branches {
    nodes: Vec<Branch>,
    /// The weights of leaves, as (target, weight) by leaf number.
    leaves: Vec<Vec<(usize, f64)>>,
}

enum Branch {
    Leaf(usize),
    Split { feature: u32, rule: Rule, missing_left: bool, left: usize, right: usize },
}

/// How the trees' values are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Least,
    Largest,
}

/// The trees of an ensemble, a sum for each target.
struct Forest {
    sums: Vec<TreeEnsemble>,
    base: Vec<f64>,
    /// Whether any leaf adds to the target.
    used: Vec<bool>,
    aggregate: Aggregate,
    scale: f64,
    features: usize,
    all_positive: bool,
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Kernel, String> {
    let is_new = name == "TreeEnsemble";
    let post = if is_new {
        PostTransform::of(
            ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]
                [attributes.int("post_transform", 0).clamp(0, 4) as usize],
        )?
    } else {
        PostTransform::of(&attributes.text("post_transform", "NONE")?)?
    };
    let aggregate = if is_new {
        match attributes.int("aggregate_function", 1) {
            0 => Aggregate::Average,
            1 => Aggregate::Sum,
            2 => Aggregate::Least,
            3 => Aggregate::Largest,
            other => return Err(format!("the aggregate {other} of trees is not known")),
        }
    } else {
        match attributes.text("aggregate_function", "SUM")?.as_str() {
            "SUM" => Aggregate::Sum,
            "AVERAGE" => Aggregate::Average,
            "MIN" => Aggregate::Least,
            "MAX" => Aggregate::Largest,
            other => return Err(format!("the aggregate `{other}` of trees is not known")),
        }
    };
    let trees = if is_new { new_style(attributes)? } else { old_style(attributes, name)? };
    let labels = if name == "TreeEnsembleClassifier" { Some(class_labels(attributes)?) } else { None };
    let targets = match &labels {
        Some(labels) => labels.len(),
        None => usize::try_from(attributes.int("n_targets", 1)).unwrap_or(0),
    };
    let base = attributes.numbers("base_values")?;
    let forest = Forest::new(trees, targets, base, aggregate)?;
    let Some(labels) = labels else {
        return Ok(Box::new(move |inputs| forest.regress(input(inputs, 0)?, post)));
    };
    Ok(Box::new(move |inputs| forest.classify(input(inputs, 0)?, &labels, post)))
}

impl Forest {
    fn new(trees: Vec<Branches>, targets: usize, base: Vec<f64>, aggregate: Aggregate) -> Result<Self, String> {
        if targets == 0 || targets > COLUMNS_MAX {
            return Err(format!("{targets} targets"));
        }
        let mut used = vec![false; targets];
        let mut all_positive = true;
        let mut features = 0;
        let count = trees.len();
        let in_file: usize = trees.iter().map(Branches::size).sum();
        let mut open = NODES_MAX.max(COPIES_MAX * in_file);
        let mut sums: Vec<Vec<Tree>> = (0..targets).map(|_| Vec::new()).collect();
        for (at, tree) in trees.iter().enumerate() {
            let mut own = Vec::new();
            for (target, weight) in tree.leaves.iter().flatten() {
                if *target >= targets {
                    return Err(format!("tree {at} adds to target {target} of {targets}"));
                }
                all_positive &= *weight >= 0.0;
                own.push(*target);
            }
            own.sort_unstable();
            own.dedup();
            for branch in &tree.nodes {
                if let Branch::Split { feature, .. } = branch {
                    features = features.max(*feature as usize + 1);
                }
            }
            for target in own {
                if matches!(aggregate, Aggregate::Least | Aggregate::Largest) && !tree.all_add_to(target) {
                    return Err(format!(
                        "the least or the largest of trees is asked, and leaves of tree {at} have no value"
                    ));
                }
                let spent = open.checked_sub(tree.weight());
                open = spent.ok_or("its trees add to so many targets that they would not fit")?;
                used[target] = true;
                sums[target].push(tree.of_target(target).map_err(|reason| format!("tree {at}: {reason}"))?);
            }
        }
        if features > COLUMNS_MAX {
            return Err(format!("a tree asks feature {features}"));
        }
        let ensemble =
            |trees| TreeEnsemble::new(Task::Regression, features, 0.0, trees).map_err(|error| error.to_string());
        let sums = sums.into_iter().map(ensemble).collect::<Result<_, _>>()?;
        let scale = if aggregate == Aggregate::Average { 1.0 / count.max(1) as f64 } else { 1.0 };
        Ok(Self { sums, base, used, aggregate, scale, features, all_positive })
    }

    /// The sums of every row, a column for each target, without base values.
    fn sums(&self, tensor: &Tensor) -> Result<(usize, Vec<Vec<f64>>), String> {
        let (rows, columns) = tensor.matrix()?;
        if columns < self.features {
            return Err(format!("the trees ask {} features, and there are {columns}", self.features));
        }
        let values = tensor.floats()?;
        let column = |at: usize| values.iter().skip(at).step_by(columns.max(1)).copied().collect();
        let block = FeatureBlock { rows, columns: (0..self.features).map(column).collect() };
        let sum = |ensemble: &TreeEnsemble| {
            let mut out = Vec::new();
            let extreme: Option<fn(f64, f64) -> f64> = match self.aggregate {
                Aggregate::Least => Some(f64::min),
                Aggregate::Largest => Some(f64::max),
                Aggregate::Sum | Aggregate::Average => None,
            };
            // Rarely used: each row walks each tree.
            if let Some(extreme) = extreme {
                for row in values.chunks(columns.max(1)).take(rows) {
                    out.push(ensemble.trees().iter().map(|tree| tree.value(row)).reduce(extreme).unwrap_or(0.0));
                }
                return out;
            }
            ensemble.scores(&block, &mut out);
            for x in &mut out {
                *x *= self.scale;
            }
            out
        };
        Ok((rows, self.sums.iter().map(sum).collect()))
    }

    fn regress(&self, tensor: &Tensor, post: PostTransform) -> Result<Vec<Tensor>, String> {
        let (rows, sums) = self.sums(tensor)?;
        let mut scores = Vec::with_capacity(rows * sums.len());
        for row in 0..rows {
            let start = scores.len();
            let base = |target: usize| self.base.get(target).copied().unwrap_or(0.0);
            scores.extend(sums.iter().enumerate().map(|(target, sum)| sum[row] + base(target)));
            post.apply(&mut scores[start..]);
        }
        let data = match &tensor.data {
            Data::F64(_) => Data::F64(scores),
            _ => Data::F32(scores.into_iter().map(|x| x as f32).collect()),
        };
        Ok(vec![Tensor::new(vec![rows, sums.len()], data)?])
    }

    /// Labels and scores; two classes follow the rules of ONNX Runtime, which depend on the weights.
    fn classify(&self, tensor: &Tensor, labels: &Data, post: PostTransform) -> Result<Vec<Tensor>, String> {
        let (rows, sums) = self.sums(tensor)?;
        let base = |target: usize| self.base.get(target).copied().unwrap_or(0.0);
        let mut picks = Vec::with_capacity(rows);
        let mut all = Vec::with_capacity(rows * sums.len());
        let one_sum = sums.len() == 2 && self.used.iter().filter(|used| **used).count() < 2;
        for row in 0..rows {
            if one_sum {
                let target = usize::from(self.used[1]);
                let shift = if self.base.len() == 2 { base(1) } else { base(0) };
                let score = sums[target][row] + shift;
                if self.all_positive {
                    picks.push(usize::from(score > 0.5));
                    all.extend([1.0 - score, score]);
                } else {
                    picks.push(usize::from(score > 0.0));
                    let mut both = [-score, score];
                    if post == PostTransform::Logistic {
                        post.apply(&mut both);
                    }
                    all.extend(both);
                }
                continue;
            }
            let mut scores: Vec<f64> = sums.iter().enumerate().map(|(at, sum)| sum[row] + base(at)).collect();
            picks.push(if sums.len() == 2 { usize::from(scores[1] > 0.0) } else { largest(&scores) });
            post.apply(&mut scores);
            all.extend(scores);
        }
        outputs(labels, &picks, all)
    }
}

impl Branches {
    /// Nodes and weights as the file has them.
    fn size(&self) -> usize {
        self.nodes.len() + self.leaves.iter().map(Vec::len).sum::<usize>()
    }

    /// Whether every leaf has a value for the target.
    fn all_add_to(&self, target: usize) -> bool {
        self.leaves.iter().all(|weights| weights.iter().any(|(of, _)| *of == target))
    }

    /// The size of a copy of the tree, in nodes.
    fn weight(&self) -> usize {
        let of = |branch: &Branch| match branch {
            Branch::Split { rule: Rule::OneOf(set), .. } => 1 + set.words().len(),
            _ => 1,
        };
        self.nodes.iter().map(of).sum()
    }

    /// The tree with what its leaves add to one target.
    fn of_target(&self, target: usize) -> Result<Tree, String> {
        // Breadth first, so that children come after their parent.
        let mut order = vec![0_usize];
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut at = 0;
        while let Some(&place) = order.get(at) {
            at += 1;
            if order.len() > self.nodes.len() {
                return Err("its nodes go in a circle".to_owned());
            }
            nodes.push(match self.nodes.get(place).ok_or_else(|| format!("there is no node {place}"))? {
                Branch::Leaf(leaf) => {
                    let weights = self.leaves.get(*leaf).ok_or_else(|| format!("there is no leaf {leaf}"))?;
                    let value = weights.iter().filter(|(of, _)| *of == target).map(|(_, weight)| weight).sum();
                    Node::Leaf { value }
                }
                Branch::Split { feature, rule, missing_left, left, right } => {
                    let first = order.len() as u32;
                    order.extend([*left, *right]);
                    Node::Split(Split {
                        feature: *feature,
                        rule: rule.clone(),
                        missing_left: *missing_left,
                        left: first,
                        right: first + 1,
                    })
                }
            });
        }
        Tree::new(nodes).map_err(|error| error.to_string())
    }
}

/// A node's comparison, as ONNX names it, mapped to a native rule and its sides.
fn split(
    mode: &str,
    feature: u32,
    threshold: f64,
    missing_true: bool,
    (yes, no): (usize, usize),
    room: &mut CategorySetBudget,
    members: impl FnOnce() -> Result<CategorySet, String>,
) -> Result<Branch, String> {
    let mut code = || {
        let code = threshold as u32;
        if f64::from(code) == threshold && threshold < CODE_END {
            Ok(Rule::OneOf(room.take([code].into_iter().collect())?))
        } else {
            Err(format!("a node asks whether a feature is {threshold}, which is not a category"))
        }
    };
    // The native rule sends its matches left; the other comparisons are the same with the sides swapped.
    let (rule, swapped) = match mode {
        "BRANCH_LEQ" => (Rule::AtMost(threshold), false),
        "BRANCH_LT" => (Rule::AtMost(below(threshold)), false),
        "BRANCH_GT" => (Rule::AtMost(threshold), true),
        "BRANCH_GTE" => (Rule::AtMost(below(threshold)), true),
        "BRANCH_EQ" => (code()?, false),
        "BRANCH_NEQ" => (code()?, true),
        "BRANCH_MEMBER" => (Rule::OneOf(members()?), false),
        other => return Err(format!("nodes of the mode `{other}` are not run by this version")),
    };
    // A NaN is neither below nor above: without a rule of its own it takes the false side; it is also unequal.
    let missing_yes = missing_true || mode == "BRANCH_NEQ";
    let (left, right) = if swapped { (no, yes) } else { (yes, no) };
    Ok(Branch::Split { feature, rule, missing_left: missing_yes != swapped, left, right })
}

fn below(threshold: f64) -> f64 {
    if threshold.is_nan() { threshold } else { threshold.next_down() }
}

fn index(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("{value} is not an index"))
}

/// `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: nodes by (tree, number).
fn old_style(attributes: Attributes<'_>, name: &str) -> Result<Vec<Branches>, String> {
    let prefix = if name == "TreeEnsembleClassifier" { "class" } else { "target" };
    let (trees, numbers) = (attributes.ints("nodes_treeids"), attributes.ints("nodes_nodeids"));
    let count = trees.len();
    let features = attributes.ints("nodes_featureids");
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let modes = attributes.texts("nodes_modes")?;
    let values = attributes.numbers("nodes_values")?;
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    let lengths = [numbers.len(), features.len(), yes.len(), no.len(), modes.len(), values.len()];
    if lengths.iter().any(|length| *length != count) || !(missing.is_empty() || missing.len() == count) {
        return Err(format!("the lists of nodes differ in length: {count}, {lengths:?}"));
    }
    // Trees in the order they first appear, and where a node of theirs is.
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut all: Vec<(Branches, HashMap<i64, usize>)> = Vec::new();
    for at in 0..count {
        let tree = *places.entry(trees[at]).or_insert_with(|| {
            all.push((Branches { nodes: Vec::new(), leaves: Vec::new() }, HashMap::new()));
            all.len() - 1
        });
        let known = &mut all[tree].1;
        if known.insert(numbers[at], known.len()).is_some() {
            return Err(format!("tree {} has the node {} twice", trees[at], numbers[at]));
        }
    }
    let mut room = CategorySetBudget::new();
    for at in 0..count {
        let (tree, known) = &mut all[places[&trees[at]]];
        let find = |number: i64| known.get(&number).copied().ok_or_else(|| format!("there is no node {number}"));
        let branch =
            if modes[at] == "LEAF" {
                tree.leaves.push(Vec::new());
                Branch::Leaf(tree.leaves.len() - 1)
            } else {
                let sides = (find(yes[at])?, find(no[at])?);
                let feature =
                    u32::try_from(features[at]).map_err(|_| format!("a node asks feature {}", features[at]))?;
                let tracks = missing.get(at).is_some_and(|tracks| *tracks != 0);
                split(&modes[at], feature, values[at], tracks, sides, &mut room, || {
                    Err("members are not given".to_owned())
                })?
            };
        tree.nodes.push(branch);
    }
    let list = |name: &str| attributes.ints(&format!("{prefix}_{name}"));
    let (of_tree, of_node, targets) = (list("treeids"), list("nodeids"), list("ids"));
    let weights = attributes.numbers(&format!("{prefix}_weights"))?;
    if of_node.len() != of_tree.len() || targets.len() != of_tree.len() || weights.len() != of_tree.len() {
        return Err("the lists of weights differ in length".to_owned());
    }
    for at in 0..of_tree.len() {
        let place = places.get(&of_tree[at]).ok_or_else(|| format!("there is no tree {}", of_tree[at]))?;
        let (tree, known) = &mut all[*place];
        let node = known.get(&of_node[at]).and_then(|node| tree.nodes.get(*node));
        match node {
            Some(Branch::Leaf(leaf)) => tree.leaves[*leaf].push((index(targets[at])?, weights[at])),
            Some(Branch::Split { .. }) => return Err("a node that is not a leaf has a weight".to_owned()),
            None => return Err(format!("there is no node {}", of_node[at])),
        }
    }
    Ok(all.into_iter().map(|(tree, _)| tree).collect())
}

const MODES: [&str; 7] =
    ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"];

/// `TreeEnsemble`, version 5: nodes by position, leaves in lists of their own.
fn new_style(attributes: Attributes<'_>) -> Result<Vec<Branches>, String> {
    let tensor = |name: &str| attributes.tensor(name)?.ok_or_else(|| format!("`{name}` is missing"));
    let modes = tensor("nodes_modes")?.integers()?.to_vec();
    let splits = tensor("nodes_splits")?.floats()?.into_owned();
    let weights = tensor("leaf_weights")?.floats()?.into_owned();
    let targets = attributes.ints("leaf_targetids");
    let features = attributes.ints("nodes_featureids");
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let (yes_leaf, no_leaf) = (attributes.ints("nodes_trueleafs"), attributes.ints("nodes_falseleafs"));
    let missing = attributes.ints("nodes_missing_value_tracks_true");
    let count = modes.len();
    let lengths = [splits.len(), features.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len()];
    if lengths.iter().any(|length| *length != count) || !(missing.is_empty() || missing.len() == count) {
        return Err(format!("the lists of nodes differ in length: {count}, {lengths:?}"));
    }
    if targets.len() != weights.len() {
        return Err(format!("{} weights and {} targets of leaves", weights.len(), targets.len()));
    }
    let mut sets = match attributes.tensor("membership_values")? {
        Some(tensor) => member_sets(&tensor.floats()?)?.into_iter(),
        None => Vec::new().into_iter(),
    };
    // Nodes as they are numbered in the file: a set belongs to the next node that asks for one.
    let mut asked = Vec::with_capacity(count);
    for mode in &modes {
        asked.push(match usize::try_from(*mode).ok().and_then(|mode| MODES.get(mode)) {
            Some(&"BRANCH_MEMBER") => Some(sets.next().ok_or("a node asks for members that are not given")?),
            Some(_) => None,
            None => return Err(format!("nodes of the mode {mode} are not known")),
        });
    }
    let leaf = |at: usize| -> Result<(usize, f64), String> {
        let weight = weights.get(at).ok_or_else(|| format!("there is no leaf {at}"))?;
        Ok((index(targets[at])?, *weight))
    };
    let mut trees = Vec::new();
    let mut room = CategorySetBudget::new();
    let mut nodes_used = 0_usize;
    for root in attributes.ints("tree_roots") {
        let root = index(*root)?;
        let mut tree = Branches { nodes: Vec::new(), leaves: Vec::new() };
        // A tree of one leaf is a node both of whose sides are that leaf.
        if root < count && yes_leaf[root] != 0 && no_leaf[root] != 0 && yes[root] == no[root] {
            tree.leaves.push(vec![leaf(index(yes[root])?)?]);
            tree.nodes.push(Branch::Leaf(0));
            trees.push(tree);
            continue;
        }
        // New positions of the file's nodes; `None` is a leaf with its number.
        let mut order = vec![(root, false)];
        let mut at = 0;
        while let Some(&(place, is_leaf)) = order.get(at) {
            at += 1;
            nodes_used += 1;
            if nodes_used > 4 * (count + weights.len()) + 4 {
                return Err("its nodes go in a circle".to_owned());
            }
            if is_leaf {
                tree.leaves.push(vec![leaf(place)?]);
                tree.nodes.push(Branch::Leaf(tree.leaves.len() - 1));
                continue;
            }
            if place >= count {
                return Err(format!("there is no node {place}"));
            }
            let sides = (order.len(), order.len() + 1);
            order.push((index(yes[place])?, yes_leaf[place] != 0));
            order.push((index(no[place])?, no_leaf[place] != 0));
            let feature = u32::try_from(features[place]).map_err(|_| "a feature below 0".to_owned())?;
            let tracks = missing.get(place).is_some_and(|tracks| *tracks != 0);
            let set = || asked[place].clone().ok_or_else(|| "members are not given".to_owned());
            tree.nodes.push(split(
                MODES[modes[place] as usize],
                feature,
                splits[place],
                tracks,
                sides,
                &mut room,
                set,
            )?);
        }
        trees.push(tree);
    }
    Ok(trees)
}

/// Lists of members, each ended by NaN.
fn member_sets(values: &[f64]) -> Result<Vec<CategorySet>, String> {
    let mut sets = Vec::new();
    let mut room = CategorySetBudget::new();
    let mut codes = Vec::new();
    for value in values {
        if value.is_nan() {
            sets.push(room.take(codes.drain(..).collect())?);
        } else if *value >= 0.0 && *value < CODE_END && value.fract() == 0.0 {
            codes.push(*value as u32);
        } else {
            return Err(format!("{value} is not a category"));
        }
    }
    if !codes.is_empty() {
        sets.push(room.take(codes.into_iter().collect())?);
    }
    Ok(sets)
}
