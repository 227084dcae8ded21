//! Features of what came before: lags and windows, and the horizon they keep to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, seconds_of_span, span_of_seconds};
use tidemill_model::{History, Source};

use super::FeatureConfig;
use crate::steps::Step;

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
    #[schemars(with = "super::feature::StepsParams")]
    pub(super) steps: Option<Value>,
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
        let Step::Window(window) = step else { continue };
        let window = window.known_at(horizon);
        if window.from_seconds < horizon {
            let (from, horizon) = (span_of_seconds(window.from_seconds), span_of_seconds(horizon));
            let mut path: Vec<String> = steps_at.iter().map(|&key| key.to_owned()).collect();
            if is_list {
                path.push(at.to_string());
            }
            let message = format!(
                "a value {from} old is not known yet when predicting: the label's horizon is {horizon}, and the window begins within it"
            );
            issues.push(ParamIssue::new(path, message).with_hint(format!("begin at `{horizon}` or before")));
        }
        *step = Step::Fixed(window.into());
    }
    if issues.is_empty() { Ok(feature) } else { Err(issues) }
}
