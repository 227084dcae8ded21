//! The parameters of the component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tidemill_core::{AnomalyType, Severity};

use crate::rules::Rule;
use crate::validation::DEFAULT_ENVIRONMENT;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// What an ERROR anomaly does to the run, or what an anomaly of each severity does.
    #[serde(default)]
    pub on_anomaly: Choice,
    /// How bad anomalies of a type are in this step, instead of what the schema says.
    #[serde(default)]
    pub severity: BTreeMap<AnomalyType, Severity>,
    /// The environment of the data; features that do not belong to it are not looked at.
    #[serde(default = "default_environment")]
    pub environment: String,
    /// The splits to validate. Default: all.
    #[serde(default)]
    pub splits: Option<Vec<String>>,
    /// By what the distance to the data before is judged.
    #[serde(default)]
    pub drift: Thresholds,
    /// By what the distance to the data served is judged.
    #[serde(default = "defaults")]
    pub skew: Thresholds,
    /// Rules that every split must keep, as queries over `data` and `statistics`.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// Where thresholds come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Thresholds {
    /// The comparators of the schema.
    #[default]
    Schema,
    /// Those of the schema, and what chance suggests for a feature that has none.
    Defaults,
    /// Nothing is compared.
    Off,
}

/// One answer for ERROR, or one for each severity.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `stop`, `warn` or a map such as `{ error: stop, warning: warn }`")]
pub(super) enum Choice {
    /// For ERROR; warnings stop nothing.
    Error(OnAnomaly),
    /// For each.
    Each(Policy),
}

impl Default for Choice {
    fn default() -> Self {
        Self::Error(OnAnomaly::Stop)
    }
}

impl Choice {
    pub(super) fn policy(self) -> Policy {
        match self {
            Self::Error(error) => Policy { error, ..Policy::default() },
            Self::Each(policy) => policy,
        }
    }
}

/// What an anomaly of each severity does to the run.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policy {
    /// An ERROR.
    pub error: OnAnomaly,
    /// A WARNING.
    pub warning: OnAnomaly,
}

impl Default for Policy {
    fn default() -> Self {
        Self { error: OnAnomaly::Stop, warning: OnAnomaly::Warn }
    }
}

impl Policy {
    pub(super) const fn of(self, severity: Severity) -> OnAnomaly {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnAnomaly {
    /// Steps below do not run.
    Stop,
    /// The run goes on and shows it.
    Warn,
}

fn default_environment() -> String {
    DEFAULT_ENVIRONMENT.to_owned()
}

const fn defaults() -> Thresholds {
    Thresholds::Defaults
}
