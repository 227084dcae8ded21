//! A feature: where its values come from and the steps they go through.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Keys, Node, Stage};
use crate::expr::Expression;
use crate::{FeatureKind, FeatureSpec};

/// Between the values of a cross.
pub(super) const CROSS: &str = " × ";

/// One feature: where its values come from and the steps they go through.
///
/// Steps that give several columns turn one feature into several of the learner's: see [`Node`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Feature {
    /// The feature's name.
    pub name: String,
    /// Where its values come from.
    pub source: Source,
    /// The steps, first to last. None: the values as they are.
    pub nodes: Vec<Node>,
}

/// Where the values of a feature come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A raw column.
    Column(String),
    /// A row expression over raw columns: `trip_miles / greatest(trip_seconds, 1)`.
    Expression(String),
    /// The values of several raw columns together, as one text: `Cash × 23`. Missing where one of them is.
    Cross(Vec<String>),
    /// Several raw columns of numbers, side by side.
    Columns(Vec<String>),
    /// Values of the same entity that came before the row, with their times: two raw columns of lists.
    History(History),
}

/// The columns of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The time of the row: seconds since 1970, or ISO text.
    pub time: String,
    /// Times of what came before, a list a row.
    pub times: String,
    /// Its values, a list of numbers a row, as many as times.
    pub values: String,
    /// Only so many are looked at, the newest: those that fitting saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_max: Option<u32>,
    /// Nothing older than this is looked at, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_seconds: Option<u64>,
    /// Nothing younger than this is looked at, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_seconds: Option<u64>,
}

/// A feature in `transform.json`: exactly one of `column`, `expression`, `cross`, `columns` and `history`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cross: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<History>,
    nodes: Vec<Node>,
}

impl Feature {
    /// A feature of a raw column.
    pub fn new(name: impl Into<String>, column: impl Into<String>, nodes: Vec<Node>) -> Self {
        Self { name: name.into(), source: Source::Column(column.into()), nodes }
    }

    /// Whether the steps fit values that start as `stage`; why not.
    pub fn check(&self, stage: Stage) -> Result<(), String> {
        outputs(self, stage).map(drop)
    }

    /// The raw columns it reads, each once: those of its source, then those that its steps look up a key in.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.source.columns();
        for node in &self.nodes {
            if let Node::ByKey { column, .. } = node
                && !columns.contains(column)
            {
                columns.push(column.clone());
            }
        }
        columns
    }
}

impl Source {
    /// The raw columns it reads, each once. An expression that cannot be parsed reads none.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Column(column) => vec![column.clone()],
            Self::Expression(text) => Expression::parse(text).map(|parsed| parsed.columns()).unwrap_or_default(),
            Self::Cross(columns) | Self::Columns(columns) => {
                let mut distinct: Vec<String> = Vec::with_capacity(columns.len());
                for column in columns {
                    if !distinct.contains(column) {
                        distinct.push(column.clone());
                    }
                }
                distinct
            }
            Self::History(History { time, times, values, .. }) => vec![time.clone(), times.clone(), values.clone()],
        }
    }

    /// The source in a message: column `fare`.
    pub fn describe(&self) -> String {
        match self {
            Self::Column(column) => format!("column `{column}`"),
            Self::Expression(text) => format!("expression `{text}`"),
            Self::Cross(columns) => format!("cross `{}`", columns.join(CROSS)),
            Self::Columns(columns) => format!("columns `{}`", columns.join("`, `")),
            Self::History(history) => format!("history `{}`", history.values),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(text) | Self::Expression(text) => f.write_str(text),
            Self::Cross(columns) => f.write_str(&columns.join(CROSS)),
            Self::Columns(columns) => f.write_str(&columns.join(", ")),
            Self::History(history) => f.write_str(&history.values),
        }
    }
}

impl TryFrom<Stored> for Feature {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let sources = [
            stored.column.map(Source::Column),
            stored.expression.map(Source::Expression),
            stored.cross.map(Source::Cross),
            stored.columns.map(Source::Columns),
            stored.history.map(Source::History),
        ];
        let mut given = sources.into_iter().flatten();
        let (Some(source), None) = (given.next(), given.next()) else {
            let name = stored.name;
            return Err(format!(
                "feature `{name}` needs one of `column`, `expression`, `cross`, `columns` and `history`"
            ));
        };
        Ok(Self { name: stored.name, source, nodes: stored.nodes })
    }
}

impl From<Feature> for Stored {
    fn from(feature: Feature) -> Self {
        let (mut column, mut expression, mut cross, mut columns, mut history) = (None, None, None, None, None);
        match feature.source {
            Source::Column(name) => column = Some(name),
            Source::Expression(text) => expression = Some(text),
            Source::Cross(names) => cross = Some(names),
            Source::Columns(names) => columns = Some(names),
            Source::History(names) => history = Some(names),
        }
        Self { name: feature.name, column, expression, cross, columns, history, nodes: feature.nodes }
    }
}

/// The columns that `feature` gives, whose values start as `stage`; why its steps do not fit.
///
/// One column has the feature's name. Those of `one_hot` are `name=value`, for out-of-vocabulary buckets `name.other`;
/// those of `cyclic` are `name.sin` and `name.cos`, those of `project` `name.1` and on, those of `image` `name.0` and on; an indicator is `name.missing`.
pub(super) fn outputs(feature: &Feature, mut stage: Stage) -> Result<Vec<FeatureSpec>, String> {
    let name = &feature.name;
    let mut indicators = 0;
    let mut is_filled = false;
    let mut before = stage;
    for node in &feature.nodes {
        before = stage;
        stage = node.output(stage)?;
        match node {
            Node::MissingIndicator if is_filled => {
                return Err("nothing is missing after `impute`, so `missing_indicator` stands before it".to_owned());
            }
            Node::MissingIndicator => indicators += 1,
            Node::Impute { .. } | Node::TargetEncode { .. } => is_filled = true,
            // These make values missing that they have no answer for.
            Node::Log
            | Node::Log1p
            | Node::Sqrt
            | Node::Power { .. }
            | Node::DatePart { .. }
            | Node::RegexExtract { .. } => is_filled = false,
            _ => {}
        }
    }
    if indicators > 1 {
        return Err("`missing_indicator` can stand once".to_owned());
    }
    let kind = stage.kind()?;
    let numeric = |name: String| FeatureSpec { name, kind: FeatureKind::Numeric };
    let mut specs: Vec<FeatureSpec> = match feature.nodes.last() {
        Some(Node::OneHot) => categories(&feature.nodes, before)
            .map(|category| {
                numeric(match category {
                    Category::Value(value) => format!("{name}={value}"),
                    Category::Other(None) => format!("{name}.other"),
                    Category::Other(Some(bucket)) => format!("{name}.other_{bucket}"),
                })
            })
            .collect(),
        Some(Node::MultiHot { values, oov_buckets } | Node::BagOfWords { values, oov_buckets }) => {
            listed(values, *oov_buckets, name).map(numeric).collect()
        }
        Some(Node::TfIdf { values, .. }) => listed(values, 0, name).map(numeric).collect(),
        Some(Node::Project { components, .. }) => {
            (1..=components.len()).map(|direction| numeric(format!("{name}.{direction}"))).collect()
        }
        Some(Node::Image(picture)) => (0..picture.columns()?).map(|at| numeric(format!("{name}.{at}"))).collect(),
        Some(Node::Cyclic { .. }) => vec![numeric(format!("{name}.sin")), numeric(format!("{name}.cos"))],
        _ => vec![FeatureSpec { name: name.clone(), kind }],
    };
    if specs.is_empty() {
        let step = feature.nodes.last().map_or("one_hot", Node::name);
        return Err(format!("`{step}` has no value to give a column to"));
    }
    if indicators == 1 {
        specs.push(numeric(format!("{name}.missing")));
    }
    Ok(specs)
}

/// The names of columns of tokens.
fn listed(values: &Keys, oov_buckets: u32, name: &str) -> impl Iterator<Item = String> {
    let size = values.len() as u32;
    (0..size + oov_buckets).map(move |code| match value(values, code) {
        Some(token) => format!("{name}={token}"),
        None if oov_buckets == 1 => format!("{name}.other"),
        None => format!("{name}.other_{}", code - size),
    })
}

/// What a column of `one_hot` stands for.
enum Category {
    Value(String),
    /// An out-of-vocabulary bucket, with its number where there are several.
    Other(Option<u32>),
}

/// The node that decides what codes or buckets mean at the end of `nodes`.
fn maker(nodes: &[Node]) -> Option<&Node> {
    nodes.iter().rev().find(|node| {
        matches!(
            node,
            Node::Vocabulary { .. }
                | Node::Categorical { values: Some(_) }
                | Node::HashBuckets { .. }
                | Node::KeyedHash { .. }
                | Node::ByKey { .. }
                | Node::DatePart { .. }
                | Node::Bucketize { .. }
        )
    })
}

/// The code that the first column of `one_hot` stands for.
pub fn first_code(nodes: &[Node]) -> u32 {
    match maker(nodes) {
        Some(Node::DatePart { part }) => part.first(),
        _ => 0,
    }
}

fn categories(nodes: &[Node], before: Stage) -> impl Iterator<Item = Category> {
    let size = match before {
        Stage::Bool => 2,
        Stage::Code(size) | Stage::Bucket(size) => size,
        _ => 0,
    };
    let maker = maker(nodes);
    (first_code(nodes)..size).map(move |code| match maker {
        None => Category::Value((code == 1).to_string()),
        Some(Node::Vocabulary { values, .. } | Node::Categorical { values: Some(values) }) => {
            match (value(values, code), maker) {
                (Some(value), _) => Category::Value(value),
                (None, Some(Node::Vocabulary { oov_buckets: 1, .. })) => Category::Other(None),
                (None, _) => Category::Other(Some(code - values.len() as u32)),
            }
        }
        Some(_) => Category::Value(code.to_string()),
    })
}

fn value(values: &Keys, code: u32) -> Option<String> {
    match values {
        Keys::Integers(values) => values.get(code as usize).map(ToString::to_string),
        Keys::Strings(values) => values.get(code as usize).cloned(),
    }
}
