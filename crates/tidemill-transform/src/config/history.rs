//! Features of what came before: lags and windows, and the horizon they keep to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::{History, Node, Take};

use super::arguments::one_issue;
use super::duration::{seconds_of_span, span_of_seconds};
use super::step::Step;
use super::{FeatureConfig, Source};

/// Rows further back than this are a mistake.
const ROWS_BACK_MAX: u32 = 100_000;

/// What the columns of histories are called.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryParams {
    /// The column with the time of a row: seconds since 1970, or ISO text.
    pub(super) time: String,
    /// What stands before the name of a column in the name of its history.
    #[serde(default = "prefix")]
    pub(super) prefix: String,
    /// Values of a list at most, where the data does not say it (files of `tidemill history`); 100 unless given.
    pub(super) rows_max: Option<u32>,
    /// How far back a list reaches, where the data does not say it: `60w`.
    pub(super) length: Option<String>,
    /// What is younger is left out of lists, where the data does not say it: `14d`.
    pub(super) horizon: Option<String>,
}

impl HistoryParams {
    /// Some, where it does not matter which: to see whether features fit together.
    pub(super) fn any() -> Self {
        Self { time: "time".to_owned(), prefix: prefix(), rows_max: None, length: None, horizon: None }
    }
}

/// Values of a list at most, unless a file says otherwise.
pub(crate) const ROWS_DEFAULT: u32 = 100;

/// What stands before the name of a column in the name of its history, unless a file says otherwise.
pub(crate) fn prefix() -> String {
    "past_".to_owned()
}

/// Steps over what came before in a column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryFeatureParams {
    /// The column, as it is called in the data: `sales` for the history `past_sales`.
    pub(super) history: String,
    /// `lag` or `window`, and any steps over its number.
    #[schemars(with = "super::params::StepsParams")]
    pub(super) steps: Option<Value>,
}

/// How far back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `lag` reads by hand")]
pub(super) enum LagParams {
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
pub(super) struct LagNamed {
    /// The newest value at least so old: `2w`.
    age: String,
    /// It is missing where even that is older than `age` by this or more: `1d`.
    within: Option<String>,
}

/// A window over what came before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowParams {
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

impl From<TakeParams> for Take {
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
        Some(0) => Err(vec![ParamIssue::new([key], format!("`{key}` is above 0"))]),
        length => Ok(length),
    }
}

pub(super) fn lag(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    let aged = |from, length| Step::Window { from: Some(from), length, take: Take::Last };
    match argument {
        Value::Number(_) => match parse_params::<u32>(argument)? {
            rows @ 1..=ROWS_BACK_MAX => Ok(Step::Window { from: None, length: None, take: Take::Nth(rows) }),
            rows => one_issue(format!("`lag` counts values from 1 to {ROWS_BACK_MAX}, and this is {rows}")),
        },
        Value::String(text) => Ok(aged(span("", text)?, None)),
        Value::Object(_) => {
            let LagNamed { age, within } = parse_params(argument)?;
            Ok(aged(span("age", &age)?, length("within", within.as_ref())?))
        }
        _ => one_issue("`lag` needs a span of time, `lag: 2w`, or a number of values, `lag: 3`"),
    }
}

pub(super) fn window(argument: &Value) -> Result<Step, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`window` needs which number to take: `window: { length: 8w, take: mean }`");
    }
    let WindowParams { from, length: reach, take } = parse_params(argument)?;
    let from = from.map(|text| span("from", &text)).transpose()?;
    Ok(Step::Window { from, length: length("length", reach.as_ref())?, take: take.into() })
}

/// The horizon of a label in seconds.
pub(super) fn horizon(text: Option<&String>) -> Result<u64, Vec<ParamIssue>> {
    let Some(text) = text else { return Ok(0) };
    seconds_of_span(text).map_err(|reason| vec![ParamIssue::new(["label", "horizon"], reason)])
}

/// Spans in `history` that are none.
pub(super) fn check(params: Option<&HistoryParams>) -> Vec<ParamIssue> {
    let Some(HistoryParams { length, horizon, .. }) = params else { return Vec::new() };
    let spans = [("length", length), ("horizon", horizon)].into_iter();
    let wrong = |(key, text): (&str, &Option<String>)| {
        let reason = seconds_of_span(text.as_deref()?).err()?;
        Some(ParamIssue::new(["history", key], reason))
    };
    spans.filter_map(wrong).collect()
}

/// The columns of a feature's history.
pub(super) fn source(column: &str, params: Option<&HistoryParams>) -> Result<Source, Vec<ParamIssue>> {
    let Some(HistoryParams { time, prefix, rows_max, length, horizon }) = params else {
        let issue = ParamIssue::new(["history"], "nothing says which column holds the time of a row");
        return Err(vec![issue.with_hint("write `history: { time: COLUMN }` beside `features`")]);
    };
    let named = |name: &str| format!("{prefix}{name}");
    let seconds = |text: &Option<String>| text.as_deref().and_then(|text| seconds_of_span(text).ok());
    Ok(Source::History(History {
        time: time.clone(),
        times: named(time),
        values: named(column),
        rows_max: Some(rows_max.unwrap_or(ROWS_DEFAULT)),
        length_seconds: seconds(length),
        horizon_seconds: seconds(horizon),
    }))
}

/// The feature with windows that begin at `horizon` unless they say otherwise; one that begins before is refused, for
/// what it sees is not known yet when a prediction is made. `steps_at` is where the steps are in the feature.
pub(super) fn keep_horizon(
    mut feature: FeatureConfig,
    horizon: u64,
    steps_at: &[&str],
    is_list: bool,
) -> Result<FeatureConfig, Vec<ParamIssue>> {
    let mut issues = Vec::new();
    for (at, step) in feature.steps.iter_mut().enumerate() {
        let Step::Window { from, length, take } = step else { continue };
        let from_seconds = from.unwrap_or(horizon);
        if from_seconds < horizon {
            let (from, horizon) = (span_of_seconds(from_seconds), span_of_seconds(horizon));
            let mut path: Vec<String> = steps_at.iter().map(|&key| key.to_owned()).collect();
            if is_list {
                path.push(at.to_string());
            }
            let message = format!(
                "a value {from} old is not known yet when predicting: the label's horizon is {horizon}, and the window begins within it"
            );
            issues.push(ParamIssue::new(path, message).with_hint(format!("begin at `{horizon}` or before")));
        }
        *step = Step::Fixed(Node::Window { from_seconds, length_seconds: *length, take: *take });
    }
    if issues.is_empty() { Ok(feature) } else { Err(issues) }
}
