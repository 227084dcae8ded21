//! A feature: the source of its values and its steps.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mapper::{Codes, Missing};
use super::{Mapper, Stage};
use crate::expr::Expression;
use crate::{FeatureKind, FeatureSpec};

/// The separator between the values of a cross.
pub(super) const CROSS: &str = " × ";

/// One feature: the source of its values and its steps.
///
/// Steps that produce several columns turn one feature into several inputs of the learner: see [`Mapper`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Feature {
    /// The feature's name.
    pub name: String,
    /// The source of its values.
    pub source: Source,
    /// The steps, first to last; none for the values as they are.
    pub mappers: Vec<Mapper>,
}

/// The source of a feature's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A raw column.
    Column(String),
    /// A row expression over raw columns: `trip_miles / greatest(trip_seconds, 1)`.
    Expression(String),
    /// The values of several raw columns combined into one text: `Cash × 23`. Missing if one of them is.
    Cross(Vec<String>),
    /// Several raw columns of numbers, side by side.
    Columns(Vec<String>),
    /// Earlier values of the same entity, with their times: two raw columns of lists.
    History(History),
}

/// The columns of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The time of the row: seconds since 1970, or ISO text.
    pub time: String,
    /// Times of the earlier values, a list per row.
    pub times: String,
    /// The earlier values, a list of numbers per row, as many as times.
    pub values: String,
    /// Only this many of the newest values are used: as many as fitting saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_max: Option<u32>,
    /// Older values are ignored, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_seconds: Option<u64>,
    /// Younger values are ignored, in seconds.
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
    nodes: Vec<Mapper>,
}

impl Feature {
    /// A feature of a raw column.
    pub fn new(name: impl Into<String>, column: impl Into<String>, mappers: Vec<Mapper>) -> Self {
        Self { name: name.into(), source: Source::Column(column.into()), mappers }
    }

    /// Checks that the steps fit values that start as `stage`; the error says why not.
    pub fn check(&self, stage: Stage) -> Result<(), String> {
        outputs(self, stage).map(drop)
    }

    /// The raw columns it reads, each once: those of its source, then those in which its steps look up a key.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.source.columns();
        for column in self.mappers.iter().filter_map(|mapper| mapper.step().key_column()) {
            if columns.iter().all(|known| known != column) {
                columns.push(column.to_owned());
            }
        }
        columns
    }
}

impl Source {
    /// The raw columns of the source, each once. None for an expression that cannot be parsed.
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
        Ok(Self { name: stored.name, source, mappers: stored.nodes })
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
        Self { name: feature.name, column, expression, cross, columns, history, nodes: feature.mappers }
    }
}

/// The columns of `feature`, whose values start as `stage`. An error says why its steps do not fit.
///
/// A single column has the feature's name. A step with several columns names them; an indicator is `name.missing`.
pub(super) fn outputs(feature: &Feature, mut stage: Stage) -> Result<Vec<FeatureSpec>, String> {
    let name = &feature.name;
    let mut indicators = 0;
    let mut is_filled = false;
    let mut before = stage;
    for mapper in &feature.mappers {
        before = stage;
        stage = mapper.output(stage)?;
        match mapper.step().missing() {
            Missing::Indicated if is_filled => {
                return Err("nothing is missing after `impute`, so `missing_indicator` must come before it".to_owned());
            }
            Missing::Indicated => indicators += 1,
            Missing::Filled => is_filled = true,
            Missing::Made => is_filled = false,
            Missing::Kept => {}
        }
    }
    if indicators > 1 {
        return Err("`missing_indicator` can stand once".to_owned());
    }
    let kind = stage.kind()?;
    let numeric = |name: String| FeatureSpec { name, kind: FeatureKind::Numeric };
    let last = feature.mappers.split_last();
    let several = last.and_then(|(last, earlier)| last.step().columns(name, earlier, before));
    let mut specs: Vec<FeatureSpec> = match several {
        Some(names) => names.into_iter().map(numeric).collect(),
        None => vec![FeatureSpec { name: name.clone(), kind }],
    };
    if specs.is_empty() {
        let step = last.map_or("one_hot", |(last, _)| last.name());
        return Err(format!("`{step}` has no value to give a column to"));
    }
    if indicators == 1 {
        specs.push(numeric(format!("{name}.missing")));
    }
    Ok(specs)
}

/// What a code of `feature` after `mappers` stands for: `feature=value`, and `feature.other` or `feature.other_0` and so on
/// for buckets of other values.
pub fn category_name(feature: &str, mappers: &[Mapper], code: u32) -> String {
    match mappers.iter().rev().find_map(|mapper| mapper.step().codes()) {
        None => format!("{feature}={}", code == 1),
        Some(Codes::Numbered(_)) => format!("{feature}={code}"),
        Some(Codes::Listed(values, oov_buckets)) => match values.text(code as usize) {
            Some(value) => format!("{feature}={value}"),
            None if oov_buckets == 1 => format!("{feature}.other"),
            None => format!("{feature}.other_{}", code - values.len() as u32),
        },
    }
}

/// The code of the first column of `one_hot` after `mappers`.
pub fn first_code(mappers: &[Mapper]) -> u32 {
    match mappers.iter().rev().find_map(|mapper| mapper.step().codes()) {
        Some(Codes::Numbered(first)) => first,
        _ => 0,
    }
}
