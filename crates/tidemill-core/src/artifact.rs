//! Artifacts: what a step reads and writes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Named facts about an artifact (row counts, metrics, verdicts), shown by `tidemill artifacts` and queryable.
pub type Properties = BTreeMap<String, serde_json::Value>;

/// The kind of thing an artifact is. Inputs of a step are wired by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ArtifactType {
    /// Rows in named splits, as sharded Parquet.
    Examples,
    /// Statistics of each split.
    Statistics,
    /// What the data should look like.
    Schema,
    /// Where data and schema disagree.
    Anomalies,
    /// A fitted transform graph.
    TransformGraph,
    /// A model package.
    Model,
    /// Metrics of a model by slice.
    Evaluation,
    /// The evaluator's verdict on a model.
    Blessing,
    /// The infrastructure validator's verdict on a model.
    InfraBlessing,
    /// The record of a model that went to the registry.
    PushedModel,
}

impl ArtifactType {
    /// Every type, in the order of the data flow.
    pub const ALL: [Self; 10] = [
        Self::Examples,
        Self::Statistics,
        Self::Schema,
        Self::Anomalies,
        Self::TransformGraph,
        Self::Model,
        Self::Evaluation,
        Self::Blessing,
        Self::InfraBlessing,
        Self::PushedModel,
    ];

    /// The name used in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Examples => "Examples",
            Self::Statistics => "Statistics",
            Self::Schema => "Schema",
            Self::Anomalies => "Anomalies",
            Self::TransformGraph => "TransformGraph",
            Self::Model => "Model",
            Self::Evaluation => "Evaluation",
            Self::Blessing => "Blessing",
            Self::InfraBlessing => "InfraBlessing",
            Self::PushedModel => "PushedModel",
        }
    }
}

impl fmt::Display for ArtifactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no artifact type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an artifact type")]
pub struct UnknownArtifactType(String);

impl FromStr for ArtifactType {
    type Err = UnknownArtifactType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownArtifactType(text.to_owned()))
    }
}
