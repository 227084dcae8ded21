//! The part of the monitor file about who is told, and what is done.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Span;
use crate::watch::Kind;

/// Who is told of which alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSpec {
    /// Only alerts of these kinds. Default: all.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// How.
    pub to: Receiver,
}

/// How alerts are told. A text such as `${env.NAME}` stands for a variable of the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Receiver {
    /// A webhook, with the body that Alertmanager sends (version 4).
    Webhook {
        /// Where to.
        url: String,
        /// The key of a signature in the header `x-tidemill-signature`: `sha256=HEX`, HMAC of the body.
        #[serde(default)]
        secret: Option<String>,
    },
    /// Alertmanager's API v2.
    Alertmanager {
        /// Its address: `http://localhost:9093`.
        url: String,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Its address.
        url: String,
    },
    /// `PagerDuty`, Events API v2.
    Pagerduty {
        /// The integration key.
        routing_key: String,
        /// The address. Default: `https://events.pagerduty.com/v2/enqueue`.
        #[serde(default)]
        url: Option<String>,
    },
    /// A program, which gets the body of the webhook on standard input.
    Command {
        /// The program and its arguments.
        run: Vec<String>,
    },
}

/// What is done when an alert fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// Alerts of these kinds.
    pub on: Vec<Kind>,
    /// What is done.
    #[serde(rename = "do")]
    pub what: Action,
    /// The least time between two.
    #[serde(default = "cool_down")]
    pub cool_down: Span,
    /// How often in 24 hours at most.
    #[serde(default = "once")]
    pub per_day: u32,
}

impl ActionSpec {
    /// How often it is done at most.
    pub const fn brake(&self) -> Brake {
        Brake { cool_down: self.cool_down, per_day: self.per_day }
    }
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A run of a pipeline.
    Run {
        /// The project or pipeline file. Default: the project of the monitor.
        #[serde(default)]
        pipeline: Option<PathBuf>,
        /// Parameters of the pipeline, as for `--param`.
        #[serde(default)]
        params: std::collections::BTreeMap<String, serde_json::Value>,
        /// Before it, the joined rows of the log are written to this file, as `monitor export` does.
        #[serde(default)]
        export: Option<PathBuf>,
        /// Only rows of this long before the newest request. Default: all.
        #[serde(default)]
        export_last: Option<Span>,
    },
    /// An alias back to the version that it pointed to before.
    MoveAliasBack {
        /// The alias.
        #[serde(default = "champion")]
        alias: String,
    },
    /// Rows for the review queue: those of the window that are least certain.
    Review {
        /// How many.
        #[serde(default = "rows")]
        rows: u64,
    },
}

/// Keeps an action from being done too often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brake {
    /// The least time between two.
    pub cool_down: Span,
    /// How often in 24 hours at most.
    pub per_day: u32,
}

fn champion() -> String {
    "champion".to_owned()
}

const fn rows() -> u64 {
    50
}

const fn cool_down() -> Span {
    Span(6 * 3600)
}

const fn once() -> u32 {
    1
}
