//! The parameters of nearest neighbours.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::ParamIssue;
use tidemill_model::{NeighborWeights, Power};

use crate::learner::parse_learner;

/// What scikit-learn calls parameters, and what to write here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("n_neighbors", "write `k`"),
    ("neighbors", "write `k`"),
    ("metric", "write `p`: 1 is the Manhattan distance, 2 the Euclidean one"),
    ("metric_params", "write `p`: 1 is the Manhattan distance, 2 the Euclidean one"),
    ("algorithm", "all rows are compared; leave it out"),
    ("leaf_size", "all rows are compared; leave it out"),
    ("scale", "numbers are standardised; leave it out"),
    ("n_jobs", "`tidemill run --threads N` limits the threads"),
];

const K_MAX: u32 = 10_000;

/// The k nearest training rows: classes by their share among them, an amount by their mean.
///
/// Numbers are standardised, a missing one counts as the mean. A category that differs counts as much as a number that differs by
/// one standard deviation. Of rows at the same distance, the one that is earlier in the data is nearer. The training rows are part
/// of the model: up to 16 million numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Neighbors {
    /// How many neighbours count.
    pub k: u32,
    /// How much each counts: `uniform`, or by 1 over its `distance`.
    pub weights: NeighborWeights,
    /// The power of differences in the distance: 1 (Manhattan), 1.5, or 2 (Euclidean).
    pub p: f64,
}

impl Default for Neighbors {
    fn default() -> Self {
        Self { k: 5, weights: NeighborWeights::Uniform, p: 2.0 }
    }
}

impl Neighbors {
    /// Reads and checks parameters; every issue names its parameter.
    pub(super) fn parse(params: &Value) -> Result<Self, Vec<ParamIssue>> {
        parse_learner(params, ELSEWHERE, Self::check)
    }

    /// Everything wrong with the values, each issue at the name of its parameter.
    pub fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if !(1..=K_MAX).contains(&self.k) {
            issues.push(ParamIssue::new(["k"], format!("`k` must be from 1 to {K_MAX}")));
        }
        if Power::new(self.p).is_none() {
            issues.push(ParamIssue::new(["p"], "`p` must be 1, 1.5 or 2"));
        }
        issues
    }
}
