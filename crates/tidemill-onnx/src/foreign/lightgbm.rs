//! LightGBM's text format, versions 3 and 4.
//!
//! A header of `key=value` lines, a section `Tree=N` for each tree, then `end of trees`; the rest (importances,
//! parameters) does not matter for predictions. Values pass through nodes as in LightGBM 4 (`include/LightGBM/tree.h`):
//! by `decision_type`, whose bits are 1 categorical, 2 missing goes left, and 4 and 8 what is missing (nothing, zero,
//! NaN).
//!
//! One known difference: a category with a fraction is unknown here, and LightGBM cuts the fraction off.

use std::collections::HashMap;
use std::str::FromStr;

use super::link::Link;
use super::trees::{Description, FEATURES_MAX, Preprocessing};
use tidemill_model::ImportedParts;
use tidemill_model::trees::{CategorySet, Node, Rule, Split, Tree};

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// What a node treats as missing, in bits 2 and 3.
const MISSING_ZERO: u8 = 1;
const MISSING_NAN: u8 = 2;
/// More classes are a mistake.
const SUMS_MAX: usize = 1 << 16;

/// The keys of one section, with their line numbers.
struct Section<'a> {
    line: usize,
    keys: HashMap<&'a str, (usize, &'a str)>,
}

/// Reads a model; an error names the line.
pub(crate) fn parse(bytes: &[u8]) -> Result<ImportedParts, String> {
    describe(bytes)?.build()
}

/// Reads the trees of a model.
pub(crate) fn describe(bytes: &[u8]) -> Result<Description, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
    let (head, mut next) = section(&mut lines, 1)?;
    let version = head.text("version")?;
    if !matches!(version, "v2" | "v3" | "v4") {
        return Err(format!("its format is {version}, and v2 to v4 are read"));
    }
    let num_class: usize = head.number("num_class")?;
    let sums = head.optional("num_tree_per_iteration")?.unwrap_or(num_class);
    if sums == 0 || sums > SUMS_MAX {
        return Err(format!("line {}: {sums} trees an iteration", head.line_of("num_tree_per_iteration")));
    }
    let (link, scale, objective) = objective(&head)?;
    let names: Vec<&str> = head.text("feature_names")?.split(' ').filter(|name| !name.is_empty()).collect();
    let last: usize = head.number("max_feature_idx")?;
    if names.len() != last.saturating_add(1) || names.len() > FEATURES_MAX {
        let line = head.line_of("feature_names");
        return Err(format!("line {line}: {} names where `max_feature_idx` is {last}", names.len()));
    }

    let mut zero_is_missing: Vec<Option<bool>> = vec![None; names.len()];
    let mut grown: Vec<(f64, Vec<Tree>)> = (0..sums).map(|_| (0.0, Vec::new())).collect();
    let mut count = 0;
    while let Some((line, name)) = next {
        let Some(number) = name.strip_prefix("Tree=") else {
            return Err(format!("line {line}: `Tree={count}` or `end of trees` is expected"));
        };
        if number.parse() != Ok(count) {
            return Err(format!("line {line}: tree {number} where tree {count} is expected"));
        }
        let (keys, after) = section(&mut lines, line)?;
        next = after;
        let tree = tree(&keys, &mut zero_is_missing).map_err(|reason| format!("tree {count}: {reason}"))?;
        grown[count % sums].1.push(tree);
        count += 1;
    }
    if count % sums != 0 {
        return Err(format!("{count} trees are no whole number of iterations of {sums}"));
    }
    let averaged = head.keys.contains_key("average_output");
    let scale = if averaged { scale / (count / sums).max(1) as f64 } else { scale };
    let reading =
        |zero: &Option<bool>| if *zero == Some(true) { Preprocessing::ZeroIsMissing } else { Preprocessing::Plain };
    let features = names.iter().zip(&zero_is_missing).map(|(name, zero)| ((*name).to_owned(), reading(zero))).collect();
    let facts = vec![("format version", version.to_owned()), ("objective", objective)];
    Ok(Description { format: "LightGBM text", features, sums: grown, linear: Vec::new(), scale, link, facts })
}

/// A line of the file with its number.
type Line<'a> = (usize, &'a str);

/// The lines up to the next section, and that section's line; `None` at the end of the trees.
fn section<'a>(
    lines: &mut impl Iterator<Item = Line<'a>>,
    start: usize,
) -> Result<(Section<'a>, Option<Line<'a>>), String> {
    let mut keys = HashMap::new();
    for (line, text) in lines {
        if text == "end of trees" {
            return Ok((Section { line: start, keys }, None));
        }
        if text.starts_with("Tree=") {
            return Ok((Section { line: start, keys }, Some((line, text))));
        }
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        keys.insert(key, (line, value));
    }
    Err("the file ends before `end of trees`: it was cut short".to_owned())
}

impl<'a> Section<'a> {
    fn text(&self, key: &str) -> Result<&'a str, String> {
        let found = self.keys.get(key).map(|(_, value)| *value);
        found.ok_or_else(|| format!("line {}: the section lacks `{key}`", self.line))
    }

    fn line_of(&self, key: &str) -> usize {
        self.keys.get(key).map_or(self.line, |(line, _)| *line)
    }

    fn optional<T: FromStr>(&self, key: &str) -> Result<Option<T>, String> {
        let Some((line, value)) = self.keys.get(key) else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|_| format!("line {line}: `{key}` is `{}`", excerpt(value)))
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T, String> {
        self.text(key)?;
        self.optional(key)?.ok_or_else(|| format!("line {}: the section lacks `{key}`", self.line))
    }

    /// Exactly `count` numbers.
    fn list<T: FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>, String> {
        let line = self.line_of(key);
        let mut values = Vec::new();
        for text in self.text(key)?.split_ascii_whitespace() {
            let value = text.parse().map_err(|_| format!("line {line}: `{key}` holds `{}`", excerpt(text)))?;
            values.push(value);
        }
        if values.len() != count {
            return Err(format!("line {line}: `{key}` holds {} values where {count} are expected", values.len()));
        }
        Ok(values)
    }
}

/// The link from sums to predictions, their factor, and the objective as the file has it.
fn objective(head: &Section<'_>) -> Result<(Link, f64, String), String> {
    let text = head.keys.get("objective").map_or("none", |(_, value)| value.trim());
    let mut words = text.split_ascii_whitespace();
    let name = words.next().unwrap_or("none");
    let (mut sigmoid, mut squares) = (1.0, false);
    for word in words {
        if let Some(value) = word.strip_prefix("sigmoid:") {
            sigmoid = value.parse().map_err(|_| format!("line {}: `{word}`", head.line_of("objective")))?;
        }
        squares |= word == "sqrt";
    }
    let (link, scale) = match name {
        "binary" | "multiclassova" => (Link::Logistic, sigmoid),
        "cross_entropy" => (Link::Logistic, 1.0),
        "cross_entropy_lambda" => (Link::LogOnePlusExp, 1.0),
        // It learned the square root of the label.
        "regression" | "regression_l2" if squares => (Link::SignedSquare, 1.0),
        _ if squares => return Err(format!("the objective `{text}` is not run by this version")),
        "multiclass" => (Link::Softmax, 1.0),
        "poisson" | "gamma" | "tweedie" => (Link::Exp, 1.0),
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg"
        | "custom" | "none" => (Link::Identity, 1.0),
        _ => return Err(format!("the objective `{text}` is not run by this version")),
    };
    Ok((link, scale, text.to_owned()))
}

/// Parses one tree; `zero_is_missing` collects what each feature treats as missing.
fn tree(keys: &Section<'_>, zero_is_missing: &mut [Option<bool>]) -> Result<Tree, String> {
    if keys.optional::<u8>("is_linear")?.is_some_and(|linear| linear != 0) {
        return Err("trees with linear leaves are not run by this version".to_owned());
    }
    let leaves: usize = keys.number("num_leaves")?;
    let values: Vec<f64> = keys.list("leaf_value", leaves)?;
    let splits = leaves.saturating_sub(1);
    let mut nodes = Vec::with_capacity(values.len() * 2);
    if splits > 0 {
        let features: Vec<u32> = keys.list("split_feature", splits)?;
        let thresholds: Vec<f64> = keys.list("threshold", splits)?;
        let decisions: Vec<u8> = keys.list("decision_type", splits)?;
        let left: Vec<i64> = keys.list("left_child", splits)?;
        let right: Vec<i64> = keys.list("right_child", splits)?;
        let categories = Categories::new(keys)?;
        // Splits keep their numbers, leaves come after them: LightGBM numbers splits in the order they were made.
        let child = |number: i64| {
            let node = if number >= 0 { number } else { splits as i64 + !number };
            u32::try_from(node).map_err(|_| format!("a split has the child {number}"))
        };
        for at in 0..splits {
            let (feature, decision) = (features[at], decisions[at]);
            let missing = decision >> 2 & 3;
            let is_zero = missing == MISSING_ZERO;
            match zero_is_missing.get_mut(feature as usize) {
                None => return Err(format!("a split asks feature {feature}, which is not there")),
                Some(Some(before)) if *before != is_zero => {
                    return Err(format!("feature {feature} takes zero as missing in some splits only"));
                }
                Some(learned) => *learned = Some(is_zero),
            }
            let default_left = decision & DEFAULT_LEFT != 0;
            let (rule, missing_left) = if decision & CATEGORICAL != 0 {
                (Rule::OneOf(categories.set(thresholds[at])?), false)
            } else if is_zero || missing == MISSING_NAN {
                (Rule::AtMost(thresholds[at]), default_left)
            } else {
                // A missing value is taken as 0.
                (Rule::AtMost(thresholds[at]), 0.0 <= thresholds[at])
            };
            let (left, right) = (child(left[at])?, child(right[at])?);
            nodes.push(Node::Split(Split { feature, rule, missing_left, left, right }));
        }
    }
    nodes.extend(values.into_iter().map(|value| Node::Leaf { value }));
    Tree::new(nodes).map_err(|error| error.to_string())
}

/// The category sets of one tree.
struct Categories {
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

impl Categories {
    fn new(keys: &Section<'_>) -> Result<Self, String> {
        let count = keys.optional::<usize>("num_cat")?.unwrap_or(0);
        if count == 0 {
            return Ok(Self { boundaries: Vec::new(), words: Vec::new() });
        }
        let boundaries: Vec<usize> = keys.list("cat_boundaries", count.saturating_add(1))?;
        if !boundaries.is_sorted() {
            return Err(format!("line {}: `cat_boundaries` go down", keys.line_of("cat_boundaries")));
        }
        let words = keys.list("cat_threshold", boundaries.last().copied().unwrap_or(0))?;
        Ok(Self { boundaries, words })
    }

    /// The category set with the number that replaces a threshold.
    fn set(&self, number: f64) -> Result<CategorySet, String> {
        let at = number as usize;
        let bounds = self.boundaries.get(at).zip(self.boundaries.get(at.saturating_add(1)));
        let words = bounds.and_then(|(from, to)| self.words.get(*from..*to));
        let words = words.ok_or_else(|| format!("a split asks the category set {number}, which is not there"))?;
        let wide = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair.get(1).copied().unwrap_or(0)) << 32;
        Ok(CategorySet::from_words(words.chunks(2).map(wide).collect()))
    }
}

/// The start of a text, for messages.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
