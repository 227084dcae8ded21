//! Where data and schema disagree.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Stops a run.
    Error,
}

/// The kinds of anomaly, named and numbered as in TensorFlow Metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are TensorFlow Metadata's and their conditions stand at the validator")]
pub enum AnomalyType {
    EnumTypeUnexpectedStringValues,
    FeatureTypeHighNumberValues,
    FeatureTypeLowFractionPresent,
    FeatureTypeLowNumberPresent,
    FeatureTypeLowNumberValues,
    FeatureTypeNotPresent,
    FloatTypeBigFloat,
    FloatTypeSmallFloat,
    FloatTypeHasNan,
    FloatTypeHasInf,
    IntTypeBigInt,
    IntTypeSmallInt,
    SchemaMissingColumn,
    SchemaNewColumn,
    UnexpectedDataType,
    InvalidDomainSpecification,
}

impl fmt::Display for AnomalyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => f.pad(&name),
            _ => fmt::Debug::fmt(self, f),
        }
    }
}

/// One disagreement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The feature, or empty for the dataset as a whole.
    pub feature: String,
    /// What kind it is.
    #[serde(rename = "type")]
    pub anomaly_type: AnomalyType,
    /// How bad it is.
    pub severity: Severity,
    /// In a few words: "unexpected values".
    pub short_description: String,
    /// In one sentence with the numbers.
    pub description: String,
    /// Rows that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// A row that shows an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where the row is: a file.
    pub file: String,
    /// Its number in the file, from 1, not counting a header.
    pub row: u64,
    /// The value found there.
    pub value: String,
}

/// Anomalies of every split validated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Anomalies {
    /// Format of the file.
    pub version: u32,
    /// By split name; a split without anomalies has an empty list.
    pub splits: BTreeMap<String, Vec<Anomaly>>,
}
