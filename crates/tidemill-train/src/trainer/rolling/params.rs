//! What the pipeline file says of a rolling origin.

use schemars::JsonSchema;
use serde::Deserialize;
use tidemill_core::{ParamIssue, seconds_of_span};

/// Folds at most: each is a training.
const FOLDS_MAX: u32 = 100;

/// Forecasts as they would have been made: for each of several origins in time, the learner learns from the rows before it
/// and forecasts those after it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::trainer) struct RollingOrigin {
    /// The column with the time of a row: seconds since 1970, or ISO text.
    pub(super) time: String,
    /// How long the forecasts of a fold reach: `7d`. By default the label's horizon.
    #[serde(default)]
    pub(super) horizon: Option<String>,
    /// How many origins there are, one horizon apart; the last fold ends with the newest row.
    #[serde(default = "five")]
    pub(super) folds: u32,
    /// The columns that say which rows are of one series, such as a shop and an article. Without them all are of one.
    #[serde(default)]
    pub(super) key: Option<Columns>,
    /// After how long the same value is expected again: `7d` for weekdays. Adds the last value of the same season as a
    /// baseline, and errors are scaled by it.
    #[serde(default)]
    pub(super) season: Option<String>,
}

/// A column or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Columns {
    /// One column.
    One(String),
    /// Several columns.
    Several(Vec<String>),
}

const fn five() -> u32 {
    5
}

impl RollingOrigin {
    /// What is wrong with the values.
    pub(in crate::trainer) fn check(&self) -> Vec<ParamIssue> {
        let place = |key: &str| ["rolling_origin".to_owned(), key.to_owned()];
        let mut issues = Vec::new();
        for (key, text) in [("horizon", &self.horizon), ("season", &self.season)] {
            match text.as_deref().map(seconds_of_span) {
                Some(Err(reason)) => issues.push(ParamIssue::new(place(key), reason)),
                Some(Ok(0)) => issues.push(ParamIssue::new(place(key), format!("`{key}` must be longer than nothing"))),
                _ => {}
            }
        }
        if !(1..=FOLDS_MAX).contains(&self.folds) {
            issues.push(ParamIssue::new(place("folds"), format!("`folds` must be between 1 and {FOLDS_MAX}")));
        }
        issues
    }

    /// The columns of the key.
    pub(super) fn keys(&self) -> &[String] {
        match &self.key {
            None => &[],
            Some(Columns::One(column)) => std::slice::from_ref(column),
            Some(Columns::Several(columns)) => columns,
        }
    }

    /// Seconds of the horizon, where `of_label` is the label's; `None` if nothing says it.
    pub(super) fn horizon_seconds(&self, of_label: u64) -> Option<u64> {
        self.horizon.as_deref().map_or((of_label > 0).then_some(of_label), |text| seconds_of_span(text).ok())
    }

    /// Seconds of the season.
    pub(super) fn season_seconds(&self) -> Option<u64> {
        self.season.as_deref().and_then(|text| seconds_of_span(text).ok())
    }
}
