//! The rows that a learner decides on: when to stop, and between settings. The split that a model is judged on has no part
//! in it.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_data::{DataError, Examples, HoldOut, HoldOutBy};

/// Rows from which on a smaller share is enough.
const MANY_ROWS: u64 = 20_000;

/// Where validation rows come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Validation {
    /// A split of its own.
    Split(String),
    /// A share of the training rows.
    Share {
        /// Which; by default it depends on the number of rows.
        share: Option<f64>,
        /// What keeps rows together.
        by: Option<By>,
    },
}

/// What decides which training rows are kept aside, where it is not as the splits were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    Groups(Vec<String>),
    Time(String),
}

/// The long form.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The share of the training rows.
    share: Option<f64>,
    /// The name of a split, instead of a share.
    split: Option<String>,
    /// Rows with the same values in these columns stay together.
    by: Option<Vec<String>>,
    /// The newest rows by this column.
    by_time: Option<String>,
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = match Value::deserialize(deserializer)? {
            Value::Number(share) => return Ok(Self::Share { share: share.as_f64(), by: None }),
            Value::String(split) => return Ok(Self::Split(split)),
            Value::Object(options) => Options::deserialize(Value::Object(options)).map_err(D::Error::custom)?,
            _ => {
                return Err(D::Error::custom("`validation` is a share such as 0.1, the name of a split, or a mapping"));
            }
        };
        match options {
            Options { split: Some(split), share: None, by: None, by_time: None } => Ok(Self::Split(split)),
            Options { split: Some(_), .. } => {
                Err(D::Error::custom("a split is taken whole: `split` stands without `share`, `by` and `by_time`"))
            }
            Options { by: Some(_), by_time: Some(_), .. } => {
                Err(D::Error::custom("rows are kept together by `by` or chosen by `by_time`, not both"))
            }
            Options { share, by, by_time, .. } => {
                Ok(Self::Share { share, by: by.map(By::Groups).or(by_time.map(By::Time)) })
            }
        }
    }
}

impl schemars::JsonSchema for Validation {
    fn schema_name() -> Cow<'static, str> {
        "Validation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let options = generator.subschema_for::<Options>();
        json_schema!({
            "oneOf": [
                { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
                { "type": "string" },
                options,
            ],
        })
    }
}

impl Validation {
    /// What is wrong, where `train` is learned from.
    pub(super) fn check(&self, train: &str) -> Vec<ParamIssue> {
        let issue = |message: String, hint: &str| vec![ParamIssue::new(["validation"], message).with_hint(hint)];
        match self {
            Self::Split(split) if split == train => issue(
                format!("`{split}` is learned from, and cannot decide when to stop as well"),
                "name a share such as `validation: 0.1`, which is kept aside",
            ),
            Self::Share { share: Some(share), .. } if !(*share > 0.0 && *share < 1.0) => issue(
                format!("the share must be above 0 and below 1, and is {share}"),
                "as in `validation: 0.1`; `early_stopping: 0` does without validation rows",
            ),
            Self::Share { by: Some(By::Groups(columns)), .. } if columns.is_empty() => {
                issue("`by` names no column".to_owned(), "as in `by: [customer_id]`")
            }
            _ => Vec::new(),
        }
    }

    /// The split that it names.
    pub(super) fn split(&self) -> Option<&str> {
        match self {
            Self::Split(split) => Some(split),
            Self::Share { .. } => None,
        }
    }
}

/// For each row of `split` whether it is kept aside for validation. `classes`: the class of each row, where there are any.
/// `group`: the column of the query, whose rows stay together unless the user says otherwise.
pub(super) fn kept_aside(
    validation: Option<&Validation>,
    examples: &Examples,
    split: &str,
    classes: Option<&[f64]>,
    group: Option<&str>,
    rows: u64,
    seed: u64,
) -> Result<Vec<bool>, DataError> {
    let share = match validation {
        Some(Validation::Share { share, .. }) => *share,
        _ => None,
    };
    let share = share.unwrap_or(if rows < MANY_ROWS { 0.2 } else { 0.1 });
    let query: Vec<String> = group.map(str::to_owned).into_iter().collect();
    let by = chosen_by(validation, examples, classes, &query);
    examples.hold_out(split, HoldOut { share, seed, by })
}

/// For each row of `split` its fold, as in [`kept_aside`]; `None` where time decides.
pub(super) fn folds(
    validation: Option<&Validation>,
    examples: &Examples,
    split: &str,
    classes: Option<&[f64]>,
    group: Option<&str>,
    count: usize,
    seed: u64,
) -> Result<Option<Vec<usize>>, DataError> {
    let query: Vec<String> = group.map(str::to_owned).into_iter().collect();
    examples.folds(split, count, seed, chosen_by(validation, examples, classes, &query))
}

/// What decides which rows are kept aside: what is written, or what the splits were made by.
fn chosen_by<'a>(
    validation: Option<&'a Validation>,
    examples: &'a Examples,
    classes: Option<&'a [f64]>,
    query: &'a [String],
) -> HoldOutBy<'a> {
    let by = match validation {
        Some(Validation::Share { by, .. }) => by.as_ref(),
        _ => None,
    };
    let manifest = examples.manifest();
    match by {
        Some(By::Groups(columns)) => HoldOutBy::Groups(columns),
        Some(By::Time(column)) => HoldOutBy::Time(column),
        None if !query.is_empty() => HoldOutBy::Groups(query),
        None if !manifest.split_by.is_empty() => HoldOutBy::Groups(&manifest.split_by),
        None => match &manifest.split_by_time {
            Some(column) => HoldOutBy::Time(column),
            None => HoldOutBy::Rows(classes),
        },
    }
}
