//! A feature: where its values come from and the steps they go through.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::DataType;

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
}

/// A feature in `transform.json`: exactly one of `column`, `expression` and `cross`.
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
    nodes: Vec<Node>,
}

impl Feature {
    /// A feature of a raw column.
    pub fn new(name: impl Into<String>, column: impl Into<String>, nodes: Vec<Node>) -> Self {
        Self { name: name.into(), source: Source::Column(column.into()), nodes }
    }

    /// Whether the steps fit values of `datatype`; why not.
    pub fn check(&self, datatype: DataType) -> Result<(), String> {
        outputs(self, Stage::of(datatype)).map(drop)
    }
}

impl Source {
    /// The raw columns it reads, each once. An expression that cannot be parsed reads none.
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Column(column) => vec![column.clone()],
            Self::Expression(text) => Expression::parse(text).map(|parsed| parsed.columns()).unwrap_or_default(),
            Self::Cross(columns) => {
                let mut distinct: Vec<String> = Vec::with_capacity(columns.len());
                for column in columns {
                    if !distinct.contains(column) {
                        distinct.push(column.clone());
                    }
                }
                distinct
            }
        }
    }

    /// The source in a message: column `fare`.
    pub fn describe(&self) -> String {
        match self {
            Self::Column(column) => format!("column `{column}`"),
            Self::Expression(text) => format!("expression `{text}`"),
            Self::Cross(columns) => format!("cross `{}`", columns.join(CROSS)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(text) | Self::Expression(text) => f.write_str(text),
            Self::Cross(columns) => f.write_str(&columns.join(CROSS)),
        }
    }
}

impl TryFrom<Stored> for Feature {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let source = match (stored.column, stored.expression, stored.cross) {
            (Some(column), None, None) => Source::Column(column),
            (None, Some(text), None) => Source::Expression(text),
            (None, None, Some(columns)) => Source::Cross(columns),
            _ => {
                return Err(format!("feature `{}` needs one of `column`, `expression` and `cross`", stored.name));
            }
        };
        Ok(Self { name: stored.name, source, nodes: stored.nodes })
    }
}

impl From<Feature> for Stored {
    fn from(feature: Feature) -> Self {
        let (column, expression, cross) = match feature.source {
            Source::Column(column) => (Some(column), None, None),
            Source::Expression(text) => (None, Some(text), None),
            Source::Cross(columns) => (None, None, Some(columns)),
        };
        Self { name: feature.name, column, expression, cross, nodes: feature.nodes }
    }
}

/// The columns that `feature` gives, whose values start as `stage`; why its steps do not fit.
///
/// One column has the feature's name. Those of `one_hot` are `name=value`, for out-of-vocabulary buckets `name.other`;
/// those of `cyclic` are `name.sin` and `name.cos`; an indicator is `name.missing`.
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
            Node::Impute { .. } => is_filled = true,
            // These make values missing that they have no answer for.
            Node::Log | Node::Log1p | Node::Sqrt | Node::Power { .. } | Node::DatePart { .. } => is_filled = false,
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
        Some(Node::Cyclic { .. }) => vec![numeric(format!("{name}.sin")), numeric(format!("{name}.cos"))],
        _ => vec![FeatureSpec { name: name.clone(), kind }],
    };
    if specs.is_empty() {
        return Err("`one_hot` has no value to give a column to".to_owned());
    }
    if indicators == 1 {
        specs.push(numeric(format!("{name}.missing")));
    }
    Ok(specs)
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
                | Node::DatePart { .. }
                | Node::Bucketize { .. }
        )
    })
}

/// The code that the first column of `one_hot` stands for.
pub(super) fn first_code(nodes: &[Node]) -> u32 {
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
