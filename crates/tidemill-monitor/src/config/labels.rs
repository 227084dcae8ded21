//! The part of the monitor file about ground truth.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Span;

/// Where labels come from, and what they mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSpec {
    /// Files with labels: CSV, JSON lines, Parquet; a glob.
    #[serde(default)]
    pub files: Option<PathBuf>,
    /// Whether feedback that the server and `tidemill feedback add` took in counts.
    #[serde(default = "yes")]
    pub feedback: bool,
    /// The column of the files with the name of the request.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The column of the files with the number of the row in the request. Default: 0.
    #[serde(default)]
    pub row: Option<String>,
    /// Columns that files and log have both, instead of the name of the request.
    #[serde(default)]
    pub keys: Vec<String>,
    /// With `keys`: a label belongs to the last request at most this long before it.
    #[serde(default)]
    pub within: Option<Span>,
    /// The column of the files with the label.
    #[serde(default = "label")]
    pub label: String,
    /// The column of the files with the time of the label.
    #[serde(default)]
    pub time: Option<String>,
    /// The column of the files, or the field of feedback, that says who gave the label.
    #[serde(default = "actor")]
    pub actor: String,
    /// The label that counts as 1; others are 0. Default: 1, `true`, `yes`.
    #[serde(default)]
    pub positive: Option<String>,
    /// How long after the end of a window its labels are waited for.
    #[serde(default = "maturity")]
    pub maturity: Span,
    /// What ratings mean: `{ up: 1, down: 0 }`.
    #[serde(default)]
    pub ratings: BTreeMap<String, f64>,
    /// What events mean: `{ select: 1, see_long: 3, like: 4 }`. The weights of a request are added up.
    #[serde(default)]
    pub events: Option<EventRule>,
    /// Labels of one person in an hour beyond this many are ignored.
    #[serde(default)]
    pub per_actor_per_hour: Option<u64>,
}

/// What implicit feedback means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The weight of each kind of event.
    pub weights: BTreeMap<String, f64>,
    /// The sum from which the label is 1. Without it, the sum is the label.
    #[serde(default)]
    pub positive_from: Option<f64>,
    /// Whether a request without an event has the label 0 once it is mature.
    #[serde(default)]
    pub silence_is_zero: bool,
}

const fn yes() -> bool {
    true
}

fn label() -> String {
    "label".to_owned()
}

fn actor() -> String {
    "actor".to_owned()
}

const fn maturity() -> Span {
    Span(86_400)
}
