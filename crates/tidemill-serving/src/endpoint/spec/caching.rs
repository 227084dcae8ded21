//! What is remembered: predictions, and features by key.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheSpec {
    /// Predictions, by the row and the version of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<PredictionCacheSpec>,
}

/// Remembers predictions row by row: an equal row is not predicted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictionCacheSpec {
    /// How long a prediction is used, in seconds.
    #[serde(default = "ttl_secs")]
    pub ttl_secs: u64,
    /// The memory that it may take: `256MiB`, or a number of bytes.
    #[serde(default = "bytes_max")]
    #[schemars(with = "String")]
    pub bytes_max: ByteSize,
}

fn ttl_secs() -> u64 {
    600
}

fn bytes_max() -> ByteSize {
    ByteSize(64 << 20)
}

/// A number of bytes, written as `256MiB` or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Units, the larger ones first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS.iter().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit));
        let (name, unit) = fits.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let bytes = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => UNITS.iter().find_map(|(name, unit)| {
                let number: u64 = text.strip_suffix(name)?.trim().parse().ok()?;
                number.checked_mul(*unit)
            }),
            _ => None,
        };
        let wrong = || serde::de::Error::custom(format!("{value} is not a size; write `256MiB` or a number of bytes"));
        bytes.map(Self).ok_or_else(wrong)
    }
}

/// Inputs that are looked up by a key in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// The input that has the key, and the column of the table with it.
    pub key: String,
    /// The Parquet file. Relative to the endpoint file. It is read again when it changes.
    pub from: PathBuf,
    /// How often the file is looked at, in seconds.
    #[serde(default = "refresh_secs")]
    pub refresh_secs: u64,
    /// What happens with a row whose key is missing or is not in the table.
    #[serde(default)]
    pub on_missing: MissingKey,
    /// For `on_missing: use_default`: the values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub default: BTreeMap<String, Value>,
}

fn refresh_secs() -> u64 {
    60
}

/// What happens with a row whose key is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingKey {
    /// The inputs are missing, as if the request had left them out.
    #[default]
    Missing,
    /// The inputs have the values under `default`.
    UseDefault,
    /// The request is rejected (400).
    Reject,
}
