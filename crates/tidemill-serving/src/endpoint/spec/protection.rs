//! Limits, circuit breakers and fallbacks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many requests a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// Requests that it works on at the same time.
    #[serde(default = "concurrency")]
    pub concurrency: usize,
    /// Requests that may wait for that; more are rejected (503).
    #[serde(default = "queue")]
    pub queue: usize,
    /// The time for an answer in milliseconds, waiting included (504). The server's limit holds besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

fn concurrency() -> usize {
    1024
}

fn queue() -> usize {
    1024
}

impl Default for LimitsSpec {
    fn default() -> Self {
        Self { concurrency: concurrency(), queue: queue(), timeout_ms: None }
    }
}

/// When a failing model is left alone for a while. Mistakes of clients (4xx) never count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerSpec {
    /// The share of requests that fail, from 0 to 1, at which the circuit opens.
    #[serde(default = "errors")]
    pub errors: f64,
    /// An answer that takes longer counts as a failure, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_ms: Option<u64>,
    /// With fewer requests in the window it stays closed.
    #[serde(default = "min_requests")]
    pub min_requests: u64,
    /// The window that is looked at, in seconds.
    #[serde(default = "window_secs")]
    pub window_secs: u64,
    /// How long it stays open, in seconds; each further time that many times longer, up to `open_secs_max`.
    #[serde(default = "open_secs")]
    pub open_secs: u64,
    /// The longest that it stays open, in seconds.
    #[serde(default = "open_secs_max")]
    pub open_secs_max: u64,
    /// Requests that must succeed before it closes again.
    #[serde(default = "half_open_requests")]
    pub half_open_requests: u64,
}

fn errors() -> f64 {
    0.5
}

fn min_requests() -> u64 {
    20
}

fn window_secs() -> u64 {
    10
}

fn open_secs() -> u64 {
    30
}

fn open_secs_max() -> u64 {
    300
}

fn half_open_requests() -> u64 {
    3
}

/// What answers in place of a model that fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "write `cached`, `unavailable`, the name of a model, or `{ default: { OUTPUT: VALUE } }`"
)]
pub enum FallbackSpec {
    /// `cached`: the last answer to an equal row, however old; `unavailable`: 503; else the name of a model.
    Named(String),
    /// Fixed outputs.
    Default {
        /// The value of each output.
        default: BTreeMap<String, Value>,
    },
}

impl FallbackSpec {
    /// The word for the last answer to an equal row.
    pub const CACHED: &str = "cached";
    /// The word for an error.
    pub const UNAVAILABLE: &str = "unavailable";

    /// The name of the model, if it is one.
    pub(crate) fn model(&self) -> Option<&str> {
        match self {
            Self::Named(name) if ![Self::CACHED, Self::UNAVAILABLE].contains(&name.as_str()) => Some(name),
            _ => None,
        }
    }
}
