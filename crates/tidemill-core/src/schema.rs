//! What the data should look like.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AnomalyType, Comparators, DatasetConstraints, Severity};

/// The expected shape of a dataset, as curated in `schema.yaml`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Format of the file.
    pub version: u32,
    /// Features by name.
    pub features: BTreeMap<String, Feature>,
    /// String domains that several features may share, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, Vec<String>>,
    /// Environments a feature may belong to (TRAINING, SERVING). A feature belongs to all unless it says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// How large a dataset may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetConstraints>,
    /// How bad anomalies of a type are, instead of what validation says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<AnomalyType, Severity>,
}

/// The type of a feature's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeatureType {
    /// 64-bit signed integers.
    Int,
    /// 64-bit floating-point numbers.
    Float,
    /// UTF-8 text.
    String,
    /// True or false.
    Bool,
    /// Anything else, as bytes.
    Bytes,
}

impl FeatureType {
    /// The name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Bytes => "bytes",
        }
    }
}

impl fmt::Display for FeatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is expected of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Type of the values.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// In how many examples the feature must have a value.
    #[serde(default, skip_serializing_if = "Presence::is_default")]
    pub presence: Presence,
    /// How many values an example may hold, for list features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_count: Option<ValueCount>,
    /// Which values are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Share of values that must lie in a string domain; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_domain_mass: Option<f64>,
    /// How many different values there may be, for text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<UniqueCount>,
    /// How far the values may lie from those of the data before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Comparators>,
    /// How far the values in training may lie from those in serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<Comparators>,
    /// How far the feature is in its life; absent means production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// The only environments the feature is expected in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_environment: Vec<String>,
    /// Environments the feature is not expected in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_in_environment: Vec<String>,
}

impl Feature {
    /// A feature of which nothing but the type is expected.
    pub const fn new(feature_type: FeatureType) -> Self {
        Self {
            feature_type,
            presence: Presence { min_fraction: None, min_count: None },
            value_count: None,
            domain: None,
            min_domain_mass: None,
            unique: None,
            drift: None,
            skew: None,
            lifecycle: None,
            in_environment: Vec::new(),
            not_in_environment: Vec::new(),
        }
    }
}

/// In how many examples a feature must have a value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Smallest share of examples with a value, from 0 to 1. `1` means never missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_fraction: Option<f64>,
    /// Smallest number of examples with a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_count: Option<u64>,
}

impl Presence {
    /// No demand at all.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How many values an example may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueCount {
    /// At least so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// How many different values there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniqueCount {
    /// At least so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// Which values are allowed. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Domain {
    /// One of these strings.
    Values(Vec<String>),
    /// One of the strings of a shared domain, by its name in `domains`.
    Shared(String),
    /// Whole numbers within bounds.
    Int {
        /// Smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// Largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// Numbers within bounds.
    Float {
        /// Smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// NaN is an anomaly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disallow_nan: bool,
        /// Infinities are an anomaly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disallow_inf: bool,
    },
}

/// How far a feature is in its life. All but beta and production are exempt from presence checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Not there yet.
    Planned,
    /// Being tried.
    Alpha,
    /// In use, not final.
    Beta,
    /// In use.
    Production,
    /// On its way out.
    Deprecated,
    /// For debugging.
    DebugOnly,
    /// Switched off.
    Disabled,
}
