//! What the pipeline file says of a `HistoryGen` step.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, seconds_of_span};

use super::join::HistoryOptions;
use crate::config::{ROWS_DEFAULT, prefix};

/// Longer lists are a mistake.
const ROWS_MAX: u32 = 100_000;

/// Parameters of a `HistoryGen` step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryGenParams {
    /// The columns that say which rows belong together: a store, a rider. None: all of them do.
    #[serde(default)]
    entity: EntityParams,
    /// The column with the time of a row: seconds since 1970, or ISO text.
    time: String,
    /// The columns of numbers whose earlier values are wanted.
    columns: Vec<String>,
    /// How far back a list reaches: `60w`; as far as there are rows unless given.
    length: Option<String>,
    /// Values of a list at most, the newest; 100 unless given.
    #[serde(default = "rows")]
    rows_max: u32,
    /// What is younger is left out: `14d`. Features keep to the label's horizon whatever this is.
    horizon: Option<String>,
    /// What stands before the name of a column in the name of its history.
    #[serde(default = "prefix")]
    prefix: String,
}

/// A column or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum EntityParams {
    /// One column.
    One(String),
    /// Several columns.
    Several(Vec<String>),
}

impl Default for EntityParams {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

fn rows() -> u32 {
    ROWS_DEFAULT
}

impl HistoryOptions {
    /// Reads the parameters of a step, with every mistake at its place.
    pub fn from_params(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        let HistoryGenParams { entity, time, columns, length, rows_max, horizon, prefix } = parse_params(params)?;
        let mut issues = Vec::new();
        let mut span = |key: &str, text: Option<String>| {
            let seconds = text.map(|text| seconds_of_span(&text)).transpose();
            seconds.map_err(|reason| issues.push(ParamIssue::new([key], reason))).ok().flatten()
        };
        let (length, horizon) = (span("length", length), span("horizon", horizon));
        let mut refuse = |key: &str, message: String| issues.push(ParamIssue::new([key], message));
        if columns.is_empty() {
            refuse("columns", "name at least one column whose past is wanted".to_owned());
        }
        if let Some(twice) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
            refuse("columns", format!("column `{}` stands here twice", twice.1));
        }
        if columns.contains(&time) {
            refuse("columns", format!("`{time}` is the column of times, which has a history anyway"));
        }
        if prefix.is_empty() {
            refuse("prefix", "without a prefix a history would be called as its column".to_owned());
        }
        if !(1..=ROWS_MAX).contains(&rows_max) {
            refuse("rows_max", format!("`rows_max` is from 1 to {ROWS_MAX}, not {rows_max}"));
        }
        if length == Some(0) {
            refuse("length", "`length` is above 0".to_owned());
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        let entity = match entity {
            EntityParams::One(column) => vec![column],
            EntityParams::Several(columns) => columns,
        };
        Ok(Self { entity, time, columns, length_seconds: length, rows_max, horizon_seconds: horizon, prefix })
    }
}
