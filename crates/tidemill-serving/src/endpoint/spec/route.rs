//! Rules of the route, and shadows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule: conditions, all of which must hold, and where rows go then.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// A row expression over the inputs: `trip_start_hour >= 22`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Headers of the request (over gRPC: metadata) and the values that they may have; `mountain*` is any value that
    /// begins so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, HeaderMatch>,
    /// The time of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeWindow>,
    /// The model that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Models and their shares in percent, which sum to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<BTreeMap<String, f64>>,
    /// The unit of the split: an input, or `header:NAME`. Equal units go to the same model, also after a restart and on
    /// other machines. Rows without it go to the heaviest model. Without `by` each request is drawn by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Draws the split anew: splits with the same salt draw units alike. By default the name of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

impl RuleSpec {
    /// Whether it holds for every row.
    pub fn is_unconditional(&self) -> bool {
        self.when.is_none() && self.header.is_empty() && self.time.is_none()
    }

    /// Whether headers of requests decide.
    pub(crate) fn looks_at_headers(&self) -> bool {
        !self.header.is_empty() || self.by.as_ref().is_some_and(|by| by.starts_with("header:"))
    }
}

/// Values of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a header has a text, or a list of texts")]
pub enum HeaderMatch {
    /// This value.
    One(String),
    /// One of these.
    Any(Vec<String>),
}

impl HeaderMatch {
    /// The patterns.
    pub fn patterns(&self) -> &[String] {
        match self {
            Self::One(pattern) => std::slice::from_ref(pattern),
            Self::Any(patterns) => patterns,
        }
    }
}

/// A window of time. All parts that are given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// The time of day at which it begins: `22:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The time of day before which it ends: `06:00`. A window may go over midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The days of the week, by the start of the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// The time zone: `Europe/Berlin`. By default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "days say themselves what they are")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A model that receives copies of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowSpec {
    /// The model.
    pub to: String,
    /// The share of requests that it receives, in percent.
    #[serde(default = "hundred")]
    pub share: f64,
    /// Copies that may be in work or wait at the same time; more are dropped and counted.
    #[serde(default = "pending")]
    pub pending_max: usize,
    /// The time for an answer in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

fn hundred() -> f64 {
    100.0
}

fn pending() -> usize {
    64
}

fn timeout_ms() -> u64 {
    1000
}
