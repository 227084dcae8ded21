//! Forecasts: which values are known when a prediction is made.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use tidemill_core::{ParamIssue, seconds_of_span};
use tidemill_model::Source;

use super::FeatureConfig;
use super::constants::Constants;
use super::history::HistoryParams;

/// A forecast: predictions are made `horizon` before the time of a row, and features are what is known then.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForecastParams {
    /// The column with the time that a row is about: seconds since 1970, or ISO text.
    time: String,
    /// How long before that time the prediction is made: `7d`.
    horizon: String,
    /// The columns that say what a row is about, such as a shop and an article. They are known at any time.
    #[serde(default)]
    key: Option<Columns>,
    /// Other columns whose values are known when the prediction is made: planned prices, holidays.
    #[serde(default)]
    known_ahead: Vec<String>,
}

/// A column or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Columns {
    /// One column.
    One(String),
    /// Several columns.
    Several(Vec<String>),
}

/// A forecast that is read.
#[derive(Debug, Clone)]
pub(super) struct Forecast {
    pub(super) time: String,
    pub(super) horizon: u64,
    /// The horizon as the file has it.
    written: String,
    known: BTreeSet<String>,
}

impl ForecastParams {
    /// Reads the horizon, and compares with what the label and `history` say.
    pub(super) fn read(
        self,
        label_horizon: Option<&str>,
        history: Option<&HistoryParams>,
    ) -> Result<Forecast, Vec<ParamIssue>> {
        let mut issues = Vec::new();
        let horizon = seconds_of_span(&self.horizon).unwrap_or_else(|reason| {
            issues.push(ParamIssue::new(["forecast", "horizon"], reason));
            0
        });
        if issues.is_empty() && horizon == 0 {
            issues.push(ParamIssue::new(["forecast", "horizon"], "a forecast is made some time ahead, as `7d`"));
        }
        if let Some(other) = label_horizon.filter(|other| seconds_of_span(other) != Ok(horizon)) {
            let message = format!("the label's horizon is `{other}`, and that of the forecast `{}`", self.horizon);
            issues.push(ParamIssue::new(["label", "horizon"], message).with_hint("leave this one out"));
        }
        if let Some(other) = history.map(|history| &history.time).filter(|time| **time != self.time) {
            let message = format!("the time of a row is `{other}` here, and `{}` in `forecast`", self.time);
            issues.push(ParamIssue::new(["history", "time"], message).with_hint("leave `history` out"));
        }
        let keys = match self.key {
            None => Vec::new(),
            Some(Columns::One(column)) => vec![column],
            Some(Columns::Several(columns)) => columns,
        };
        let known = keys.into_iter().chain(self.known_ahead).chain([self.time.clone()]).collect();
        if issues.is_empty() {
            Ok(Forecast { time: self.time, horizon, written: self.horizon, known })
        } else {
            Err(issues)
        }
    }
}

impl Forecast {
    /// The history of columns, where the file says nothing else of it.
    pub(super) fn history(&self) -> HistoryParams {
        HistoryParams { time: self.time.clone(), ..HistoryParams::any() }
    }

    /// Refuses a feature of a value that is not known when the prediction is made. Lags and windows keep to the horizon by
    /// themselves.
    pub(super) fn check(&self, feature: &FeatureConfig) -> Result<(), Vec<ParamIssue>> {
        let constants = feature.constants.iter().flat_map(Constants::columns).cloned();
        let read = if matches!(feature.source, Source::History(_)) { Vec::new() } else { feature.columns() };
        let Some(column) = read.into_iter().chain(constants).find(|column| !self.known.contains(column)) else {
            return Ok(());
        };
        let horizon = &self.written;
        let message = format!("`{column}` is not known {horizon} ahead, when the prediction is made");
        let hint = format!(
            "use its past, `{{ history: {column}, steps: {{ lag: {horizon} }} }}`, or if it is known, list it under \
             `known_ahead` of `forecast`"
        );
        Err(vec![ParamIssue::new(Vec::<String>::new(), message).with_hint(hint)])
    }

    /// Refuses features that stand for columns that are not known yet.
    pub(super) fn check_open(&self, name: &str) -> ParamIssue {
        let message = format!("`{name}` stands for columns that may not be known {} ahead", self.written);
        ParamIssue::new(["features", name], message).with_hint("a forecast names each feature")
    }
}
