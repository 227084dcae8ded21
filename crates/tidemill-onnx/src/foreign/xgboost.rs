//! XGBoost's JSON format, versions 1.0 to 3.
//!
//! Features and thresholds are 32-bit there, and a value below the threshold goes left. A threshold is turned into the
//! 64-bit number that sends every 64-bit value to the side it takes when it is rounded to 32 bits first. A row of
//! categories goes right; a category that is not in the set, negative or beyond it goes left. Sums are made in 64 bits
//! here and in 32 there, so predictions agree to about 1e-6.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::link::Link;
use super::threshold::less_than;
use super::trees::{Description, FEATURES_MAX, Preprocessing};
use super::ubjson;
use tidemill_model::ImportedParts;
use tidemill_model::trees::{CategorySetBudget, Node, Rule, Split, Tree};

/// Categories are whole numbers that fit a 32-bit float.
const CATEGORY_MAX: u32 = 1 << 24;
/// More classes are a mistake.
const SUMS_MAX: usize = 1 << 16;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    version: Vec<u32>,
    learner: Learner,
}

#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the file")]
struct Learner {
    #[serde(default)]
    feature_names: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: ModelParam,
    objective: Objective,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    best_iteration: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ModelParam {
    base_score: String,
    #[serde(default)]
    num_class: String,
    num_feature: String,
    #[serde(default)]
    num_target: String,
}

#[derive(Deserialize)]
struct Objective {
    name: String,
}

#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Forest>,
    /// The path of the trees of `dart`.
    gbtree: Option<Box<Inner>>,
    #[serde(default)]
    weight_drop: Vec<f32>,
}

#[derive(Deserialize)]
struct Inner {
    model: Forest,
}

#[derive(Deserialize)]
struct Forest {
    #[serde(default)]
    tree_info: Vec<usize>,
    #[serde(default)]
    trees: Vec<StoredTree>,
    /// The weights of a linear booster: those of the sums for each feature, and then their shifts.
    #[serde(default)]
    weights: Vec<f32>,
}

#[derive(Deserialize)]
struct StoredTree {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    /// The word NaN, which versions up to 2.1 write for splits by category, is null here.
    split_conditions: Vec<Option<f32>>,
    default_left: Vec<Flag>,
    #[serde(default)]
    split_type: Vec<u8>,
    #[serde(default)]
    categories: Vec<u32>,
    #[serde(default)]
    categories_nodes: Vec<usize>,
    #[serde(default)]
    categories_segments: Vec<usize>,
    #[serde(default)]
    categories_sizes: Vec<usize>,
    tree_param: Option<TreeParam>,
}

#[derive(Deserialize)]
struct TreeParam {
    #[serde(default)]
    size_leaf_vector: String,
}

/// Written as true and false by old versions, as 1 and 0 by new ones.
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, 0 or 1")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Flag, E> {
                Ok(Flag(value != 0))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// Reads a model; an error names the place.
pub(crate) fn parse(bytes: &[u8]) -> Result<ImportedParts, String> {
    describe(bytes)?.build()
}

/// Reads the trees of a model.
pub(crate) fn describe(bytes: &[u8]) -> Result<Description, String> {
    let File { version, learner } = if bytes.get(1).is_some_and(|byte| matches!(byte, b'L' | b'l' | b'i' | b'U' | b'I'))
    {
        serde_json::from_value(ubjson::read(bytes)?).map_err(|error| error.to_string())?
    } else {
        serde_json::from_slice(&without_bare_words(bytes)).map_err(|error| error.to_string())?
    };
    let Learner { feature_names, gradient_booster, learner_model_param: param, objective, attributes } = learner;
    let features: usize = number("num_feature", &param.num_feature)?;
    if features > FEATURES_MAX || !(feature_names.is_empty() || feature_names.len() == features) {
        return Err(format!("`num_feature` is {features}, and there are {} names", feature_names.len()));
    }
    let names =
        if feature_names.is_empty() { (0..features).map(|at| format!("f{at}")).collect() } else { feature_names };

    let Booster { name: booster, model, gbtree, weight_drop } = gradient_booster;
    let forest = match (booster.as_str(), model, gbtree) {
        ("dart", _, Some(inner)) => inner.model,
        ("gbtree" | "gblinear", Some(forest), _) | ("dart", Some(forest), None) => forest,
        _ => {
            let known = "`gbtree`, `dart` and `gblinear` are";
            return Err(format!("the booster `{booster}` is not run by this version: {known}"));
        }
    };
    let sums = number("num_class", &param.num_class)?.max(number("num_target", &param.num_target)?).max(1);
    if sums > SUMS_MAX {
        return Err(format!("{sums} classes are more than {SUMS_MAX}"));
    }
    let link = link(&objective.name)?;
    let mut starts = base_scores(&param.base_score, sums)?;
    for start in &mut starts {
        *start = margin(&objective.name, *start)?;
    }
    let linear = if booster == "gblinear" { linear(&forest.weights, features, &mut starts)? } else { Vec::new() };
    let mut grown: Vec<(f64, Vec<Tree>)> = starts.into_iter().map(|start| (start, Vec::new())).collect();
    let mut room = CategorySetBudget::new();
    for (at, stored) in forest.trees.iter().enumerate() {
        let group = forest.tree_info.get(at).copied().unwrap_or(0);
        let weight = if booster == "dart" { weight_drop.get(at).copied().unwrap_or(1.0) } else { 1.0 };
        let tree = stored.tree(weight, &mut room).map_err(|reason| format!("tree {at}: {reason}"))?;
        let (_, trees) = grown.get_mut(group).ok_or_else(|| format!("tree {at}: it is of class {group}, of {sums}"))?;
        trees.push(tree);
    }
    let written: Vec<String> = version.iter().map(u32::to_string).collect();
    let mut facts = vec![("written by", format!("XGBoost {}", written.join("."))), ("objective", objective.name)];
    if let Some(best) = attributes.best_iteration {
        let best = best.as_str().map_or_else(|| best.to_string(), str::to_owned);
        facts.push(("best iteration", format!("{best}; all trees are used, as in `Booster.predict`")));
    }
    let features = names.into_iter().map(|name| (name, Preprocessing::Plain)).collect();
    Ok(Description { format: "XGBoost JSON", features, sums: grown, linear, scale: 1.0, link, facts })
}

/// The weights of each sum by feature; the shifts are added to `starts`.
fn linear(weights: &[f32], features: usize, starts: &mut [f64]) -> Result<Vec<Vec<f64>>, String> {
    let sums = starts.len();
    if Some(weights.len()) != features.checked_add(1).and_then(|lines| lines.checked_mul(sums)) {
        return Err(format!("`weights` has {} values for {features} features and {sums} sums", weights.len()));
    }
    let of = |sum: usize, line: usize| f64::from(weights[line * sums + sum]);
    // A linear booster starts every sum from the first base score.
    let first = starts.first().copied().unwrap_or(0.0);
    for (sum, start) in starts.iter_mut().enumerate() {
        *start = first + of(sum, features);
    }
    Ok((0..sums).map(|sum| (0..features).map(|line| of(sum, line)).collect()).collect())
}

/// The text with the bare words NaN and Infinity, which are not JSON, replaced by null.
fn without_bare_words(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut made: Option<Vec<u8>> = None;
    let (mut at, mut copied, mut in_text) = (0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'N' | b'-' | b'I' if !in_text => {
                if let Some(word) = WORDS.iter().find(|word| bytes[at..].starts_with(word)) {
                    let made = made.get_or_insert_with(Vec::new);
                    made.extend_from_slice(&bytes[copied..at]);
                    made.extend_from_slice(b"null");
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    match made {
        Some(mut made) => {
            made.extend_from_slice(&bytes[copied..]);
            Cow::Owned(made)
        }
        None => Cow::Borrowed(bytes),
    }
}

/// A number written as text; absent means 0.
fn number(name: &str, text: &str) -> Result<usize, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| format!("`{name}` is `{text}`"))
}

/// One base score for each sum: version 3 writes a list.
fn base_scores(text: &str, sums: usize) -> Result<Vec<f64>, String> {
    let list = text.trim().trim_start_matches('[').trim_end_matches(']');
    let mut scores = Vec::new();
    for item in list.split(',') {
        let score: f32 = item.trim().parse().map_err(|_| format!("`base_score` is `{text}`"))?;
        scores.push(f64::from(score));
    }
    match scores.as_slice() {
        [one] => Ok(vec![*one; sums]),
        several if several.len() == sums => Ok(scores),
        several => Err(format!("`base_score` has {} values for {sums} sums", several.len())),
    }
}

fn link(objective: &str) -> Result<Link, String> {
    Ok(match objective {
        "binary:logistic" | "reg:logistic" => Link::Logistic,
        "binary:hinge" => Link::Step,
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => Link::Exp,
        "multi:softprob" => Link::Softmax,
        "multi:softmax" => Link::Largest,
        "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:pseudohubererror"
        | "reg:absoluteerror"
        | "reg:quantileerror"
        | "reg:expectileerror"
        | "binary:logitraw"
        | "rank:pairwise"
        | "rank:ndcg"
        | "rank:map" => Link::Identity,
        _ => return Err(format!("the objective `{objective}` is not run by this version")),
    })
}

/// The base score is stored as a prediction; the sum starts from its inverse link.
fn margin(objective: &str, base: f64) -> Result<f64, String> {
    let start = match objective {
        "binary:logistic" | "reg:logistic" => -(1.0 / base - 1.0).ln(),
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => base.ln(),
        _ => base,
    };
    if start.is_finite() {
        Ok(start)
    } else {
        Err(format!("`base_score` is {base}, which `{objective}` has no start for"))
    }
}

impl StoredTree {
    /// The tree with its leaves multiplied by `weight`. Nodes that pruning left behind are dropped.
    fn tree(&self, weight: f32, room: &mut CategorySetBudget) -> Result<Tree, String> {
        let vector = self.tree_param.as_ref().map_or("", |param| &param.size_leaf_vector);
        if !matches!(vector, "" | "0" | "1") {
            return Err("trees with a vector in each leaf are not run by this version".to_owned());
        }
        let count = self.left_children.len();
        let lengths = [
            ("right_children", self.right_children.len()),
            ("split_indices", self.split_indices.len()),
            ("split_conditions", self.split_conditions.len()),
            ("default_left", self.default_left.len()),
            ("split_type", if self.split_type.is_empty() { count } else { self.split_type.len() }),
        ];
        if let Some((name, length)) = lengths.into_iter().find(|(_, length)| *length != count) {
            return Err(format!("`{name}` has {length} values where {count} are expected"));
        }
        // Breadth first, so that children come after their parent; the root is node 0.
        let mut nodes = Vec::new();
        let mut queue = VecDeque::from([0_usize]);
        let mut next = 1_u32;
        while let Some(at) = queue.pop_front() {
            let condition = self.split_conditions.get(at).ok_or_else(|| format!("there is no node {at}"))?;
            let condition = &condition.unwrap_or(f32::NAN);
            if self.left_children[at] < 0 {
                nodes.push(Node::Leaf { value: f64::from(condition * weight) });
                continue;
            }
            if nodes.len() + queue.len() > count {
                return Err("its nodes go in a circle".to_owned());
            }
            let child = |number: i32| usize::try_from(number).map_err(|_| format!("node {at} has the child {number}"));
            let (left, right) = (child(self.left_children[at])?, child(self.right_children[at])?);
            let default_left = self.default_left[at].0;
            let is_categorical = self.split_type.get(at).is_some_and(|kind| *kind != 0);
            let feature = self.split_indices[at];
            if is_categorical {
                // Members of the set go right, so the sides are swapped.
                queue.extend([right, left]);
                let rule = Rule::OneOf(room.take(self.categories_of(at)?.iter().copied().collect())?);
                nodes.push(Node::Split(Split {
                    feature,
                    rule,
                    missing_left: !default_left,
                    left: next,
                    right: next + 1,
                }));
            } else {
                if condition.is_nan() {
                    return Err(format!("node {at} compares with NaN"));
                }
                queue.extend([left, right]);
                let rule = Rule::AtMost(less_than(*condition));
                nodes.push(Node::Split(Split {
                    feature,
                    rule,
                    missing_left: default_left,
                    left: next,
                    right: next + 1,
                }));
            }
            next += 2;
        }
        Tree::new(nodes).map_err(|error| error.to_string())
    }

    fn categories_of(&self, node: usize) -> Result<&[u32], String> {
        let place = self.categories_nodes.binary_search(&node).ok();
        let bounds = place.and_then(|at| Some((*self.categories_segments.get(at)?, *self.categories_sizes.get(at)?)));
        let set = bounds.and_then(|(first, size)| self.categories.get(first..first.checked_add(size)?));
        let set = set.ok_or_else(|| format!("the categories of node {node} are not there"))?;
        match set.iter().find(|code| **code >= CATEGORY_MAX) {
            Some(code) => Err(format!("node {node} asks for the category {code}")),
            None => Ok(set),
        }
    }
}
