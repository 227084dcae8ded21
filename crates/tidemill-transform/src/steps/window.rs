//! `lag` and `window`: numbers of what came before.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params, seconds_of_span};
use tidemill_model::steps::{self, WindowAggregate};
use tidemill_model::{Mapper, Stage};

use super::Step;
use super::parse::schema;
use crate::analyzer::{Analyzer, Summary};
use crate::issues::{issue_at, one_issue};
use crate::step::{Argument, FitStep, StepEntry, Values};

/// Rows further back than this are a mistake.
const ROWS_BACK_MAX: u32 = 100_000;

pub(super) const LAG: StepEntry = StepEntry {
    name: "lag",
    about: "A value of so long ago, or so many values back.",
    argument: Argument::Required(schema::<LagParams>),
    parse: parse_lag,
};
pub(super) const WINDOW: StepEntry = StepEntry {
    name: "window",
    about: "One number of the values in a window of time before the row.",
    argument: Argument::Required(schema::<WindowParams>),
    parse: parse_window,
};

/// One number of what came before, until the label's horizon is known and the window becomes a fixed step.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The least age in seconds; the horizon unless given.
    pub from: Option<u64>,
    /// How far it reaches beyond, in seconds.
    pub length: Option<u64>,
    /// Which number.
    pub take: WindowAggregate,
}

/// How far back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `parse_lag` reads by hand")]
enum LagParams {
    /// So many values back, of those known at the horizon: 1 is the newest.
    Rows(u32),
    /// A span of time such as `2w`: the newest value at least so old.
    Span(String),
    /// By name.
    Named(LagNamed),
}

/// How far back, and how stale it may be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LagNamed {
    /// The newest value at least so old: `2w`.
    age: String,
    /// It is missing where even that is older than `age` by this or more: `1d`.
    within: Option<String>,
}

/// A window over what came before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WindowParams {
    /// The least age of a value; the label's horizon unless given.
    from: Option<String>,
    /// How far the window reaches beyond: `8w`; as far as the history does unless given.
    length: Option<String>,
    /// Which number.
    take: TakeParams,
}

/// Which number of a window.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TakeParams {
    /// How many values there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their standard deviation, divided by n.
    StdDev,
    /// The oldest.
    First,
    /// The newest.
    Last,
}

impl From<TakeParams> for WindowAggregate {
    fn from(take: TakeParams) -> Self {
        match take {
            TakeParams::Count => Self::Count,
            TakeParams::Sum => Self::Sum,
            TakeParams::Mean => Self::Mean,
            TakeParams::Min => Self::Min,
            TakeParams::Max => Self::Max,
            TakeParams::StdDev => Self::StdDev,
            TakeParams::First => Self::First,
            TakeParams::Last => Self::Last,
        }
    }
}

fn span(key: &str, text: &str) -> Result<u64, Vec<ParamIssue>> {
    let path: Vec<&str> = if key.is_empty() { Vec::new() } else { vec![key] };
    seconds_of_span(text).map_err(|reason| vec![ParamIssue::new(path, reason)])
}

fn length(key: &str, text: Option<&String>) -> Result<Option<u64>, Vec<ParamIssue>> {
    match text.map(|text| span(key, text)).transpose()? {
        Some(0) => issue_at(key, format!("`{key}` is above 0")),
        length => Ok(length),
    }
}

fn parse_lag(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let aged = |from, length| Ok(vec![Window { from: Some(from), length, take: WindowAggregate::Last }.into()]);
    match argument {
        Value::Number(_) => match parse_params::<u32>(argument)? {
            rows @ 1..=ROWS_BACK_MAX => {
                Ok(vec![Window { from: None, length: None, take: WindowAggregate::Nth(rows) }.into()])
            }
            rows => one_issue(format!("`lag` counts values from 1 to {ROWS_BACK_MAX}, and this is {rows}")),
        },
        Value::String(text) => aged(span("", text)?, None),
        Value::Object(_) => {
            let LagNamed { age, within } = parse_params(argument)?;
            aged(span("age", &age)?, length("within", within.as_ref())?)
        }
        _ => one_issue("`lag` needs a span of time, `lag: 2w`, or a number of values, `lag: 3`"),
    }
}

fn parse_window(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`window` needs which number to take: `window: { length: 8w, take: mean }`");
    }
    let WindowParams { from, length: reach, take } = parse_params(argument)?;
    let from = from.map(|text| span("from", &text)).transpose()?;
    Ok(vec![Window { from, length: length("length", reach.as_ref())?, take: take.into() }.into()])
}

impl Window {
    /// The fitted step; `horizon` is how old a value must be to be known.
    pub(crate) fn known_at(&self, horizon: u64) -> steps::Window {
        let from_seconds = self.from.unwrap_or(horizon);
        steps::Window { from_seconds, length_seconds: self.length, take: self.take }
    }
}

impl FitStep for Window {
    fn dry_run(&self, _: Stage) -> Result<Vec<Mapper>, String> {
        Ok(vec![self.known_at(0).into()])
    }

    fn constant(&self, _: Stage) -> Option<Vec<Mapper>> {
        Some(vec![self.known_at(0).into()])
    }

    fn analyzer(&self, _: &Values) -> Analyzer {
        Analyzer::Summary(Summary::moments())
    }
}
