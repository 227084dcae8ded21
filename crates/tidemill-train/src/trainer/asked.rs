//! The task as the pipeline file says it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use tidemill_core::{ParamIssue, Task, TaskKind};
use tidemill_model::{Expression, LabelPart, LabelSpec};

/// A task: a word, or a mapping with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AskedTask {
    /// A kind alone.
    Kind(TaskKind),
    /// A ranking of the rows of a query.
    Ranking(RankingOptions),
    /// Several labels, each true or false.
    MultiLabel(Vec<LabelPart>),
}

/// What belongs to a ranking.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RankingOptions {
    /// The column of the query: rows with the same value are ordered among each other. It is no feature, and requests do not
    /// have it.
    #[serde(alias = "query", alias = "query_id", alias = "qid")]
    pub(super) group: String,
}

/// What belongs to several labels.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct MultiLabelOptions {
    /// The labels, each true or false, or 0 and 1, for a row: columns, or names with expressions.
    labels: LabelNames,
}

/// Columns, or expressions by name.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum LabelNames {
    /// Columns: `[late, damaged]`.
    Columns(Vec<String>),
    /// Expressions by name: `{ late: "minutes > 5" }`.
    Expressions(BTreeMap<String, String>),
}

impl LabelNames {
    fn parts(self) -> Vec<LabelPart> {
        let column = |name: String| LabelPart { expression: format!("\"{}\"", name.replace('"', "\"\"")), name };
        match self {
            Self::Columns(columns) => columns.into_iter().map(column).collect(),
            Self::Expressions(named) => {
                named.into_iter().map(|(name, expression)| LabelPart { name, expression }).collect()
            }
        }
    }
}

impl AskedTask {
    /// Its kind.
    pub(super) fn kind(&self) -> TaskKind {
        match self {
            Self::Kind(kind) => *kind,
            Self::Ranking(_) => TaskKind::Ranking,
            Self::MultiLabel(_) => TaskKind::MultiLabel,
        }
    }

    /// The column of the query.
    pub(super) fn group(&self) -> Option<&str> {
        match self {
            Self::Ranking(options) => Some(&options.group),
            Self::Kind(_) | Self::MultiLabel(_) => None,
        }
    }

    /// The label of the transform graph as the task refines it.
    pub(super) fn label(&self, label: LabelSpec) -> LabelSpec {
        match self {
            Self::MultiLabel(parts) => label.with_parts(parts.clone()),
            Self::Kind(_) | Self::Ranking(_) => label,
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Option<ParamIssue> {
        match self {
            Self::MultiLabel(parts) => {
                let task = Task::MultiLabel { labels: parts.iter().map(|part| part.name.clone()).collect() };
                let mut wrong =
                    parts.iter().filter_map(|part| Some((part, Expression::parse(&part.expression).err()?)));
                match (task.check(), wrong.next()) {
                    (Err(reason), _) => Some(ParamIssue::new(["task", "multi_label", "labels"], reason)),
                    (Ok(()), Some((part, error))) => Some(ParamIssue::new(
                        ["task", "multi_label", "labels", &part.name],
                        format!("label `{}`: {error}", part.name),
                    )),
                    (Ok(()), None) => None,
                }
            }
            Self::Kind(TaskKind::Ranking) => Some(
                ParamIssue::new(["task"], "a ranking needs the column of the query")
                    .with_hint("write `task: { ranking: { group: COLUMN } }`"),
            ),
            Self::Kind(TaskKind::MultiLabel) => Some(
                ParamIssue::new(["task"], "several labels need their names")
                    .with_hint("write `task: { multi_label: { labels: [COLUMN, COLUMN] } }`"),
            ),
            Self::Kind(_) | Self::Ranking(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for AskedTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let wrong = || {
            D::Error::custom(
                "`task` is a word such as `regression`, or a mapping such as `{ ranking: { group: COLUMN } }`",
            )
        };
        match &value {
            Value::String(_) => TaskKind::deserialize(value).map(Self::Kind).map_err(D::Error::custom),
            Value::Object(entries) => match entries.iter().collect::<Vec<_>>().as_slice() {
                [(name, options)] if name.as_str() == "ranking" => {
                    RankingOptions::deserialize((*options).clone()).map(Self::Ranking).map_err(D::Error::custom)
                }
                [(name, options)] if name.as_str() == "multi_label" => {
                    let options = MultiLabelOptions::deserialize((*options).clone()).map_err(D::Error::custom)?;
                    Ok(Self::MultiLabel(options.labels.parts()))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl schemars::JsonSchema for AskedTask {
    fn schema_name() -> Cow<'static, str> {
        "AskedTask".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (kind, ranking) = (generator.subschema_for::<TaskKind>(), generator.subschema_for::<RankingOptions>());
        let labels = generator.subschema_for::<MultiLabelOptions>();
        let one = |name: &str, options: Schema| {
            serde_json::json!({
                "type": "object", "properties": { name: options }, "required": [name], "additionalProperties": false,
            })
        };
        json_schema!({ "oneOf": [kind, one("ranking", ranking), one("multi_label", labels)] })
    }
}
