//! Rollouts: the share of a candidate grows step by step, as long as guards hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Raises the share of a candidate in the split of the last rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutSpec {
    /// The model whose share grows: an arm of the split of the last rule. The other arms share the rest as the file has
    /// them.
    pub candidate: String,
    /// Its shares in percent, ascending: `[1, 5, 25, 50, 100]`.
    pub steps: Vec<f64>,
    /// The least time for a step: `10m`.
    pub every: String,
    /// The least number of rows that the candidate must answer in a step. Without them the rollout waits: silence is not
    /// success.
    #[serde(default = "min_requests")]
    pub min_requests: u64,
    /// What must hold. They are tested after every request, with intervals that allow for that.
    #[serde(default)]
    pub guards: GuardsSpec,
    /// What happens if a guard fails.
    #[serde(default)]
    pub on_fail: OnFail,
    /// Steps that begin only when a person has approved them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<f64>,
    /// Those that were approved: see `tidemill endpoint approve`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<f64>,
}

impl RolloutSpec {
    /// Whether another rollout is this one, perhaps with other approvals.
    pub(crate) fn is_same_but_for_approvals(&self, other: &Self) -> bool {
        let plain = |spec: &Self| Self { approved: Vec::new(), ..spec.clone() };
        plain(self) == plain(other)
    }
}

fn min_requests() -> u64 {
    500
}

/// What must hold of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardsSpec {
    /// The share of rows that the candidate fails to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<RateGuard>,
    /// The time within which 99 of 100 rows are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p99_ms: Option<LimitGuard>,
    /// The mean of the first output, compared with that of the other arms in the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_mean: Option<WithinGuard>,
}

/// A bound on a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateGuard {
    /// The highest rate, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// How much higher than that of the other arms it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_worse_by: Option<f64>,
}

/// A bound on a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitGuard {
    /// The highest value.
    pub at_most: f64,
}

/// A bound on a difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithinGuard {
    /// The largest difference from the other arms.
    pub within: f64,
}

/// What happens if a guard fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// The candidate gets nothing any more.
    #[default]
    Rollback,
    /// The candidate keeps its share, and the rollout stops.
    Hold,
}
