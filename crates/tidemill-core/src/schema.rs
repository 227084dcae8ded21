//! What the data should look like.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AnomalyType, Comparators, DatasetConstraints, Domain, Severity};

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
    /// Features made of an index and a value column each, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sparse_features: BTreeMap<String, SparseFeature>,
    /// Features whose values have weights in another column, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weighted_features: BTreeMap<String, WeightedFeature>,
    /// Environments a feature may belong to (TRAINING, SERVING). A feature belongs to all unless it says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// How large a dataset may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetConstraints>,
    /// How bad anomalies of a type are, instead of what validation says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<AnomalyType, Severity>,
    /// Entries of a file of another tool that cannot hold, by feature (empty for the schema as a whole). They were left out, and
    /// validation reports them as anomalies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invalid: BTreeMap<String, Vec<InvalidEntry>>,
}

/// An entry that cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvalidEntry {
    /// The anomaly that it is.
    #[serde(rename = "type")]
    pub anomaly_type: AnomalyType,
    /// What is wrong with it.
    pub message: String,
}

impl Schema {
    /// How bad an anomaly of a type is in a feature: what the feature says, else what the schema says, else `usual`.
    pub fn severity_of(&self, feature: &str, anomaly_type: AnomalyType, usual: Severity) -> Severity {
        let own = self.features.get(feature).and_then(|feature| feature.severity.get(&anomaly_type));
        own.or_else(|| self.severity.get(&anomaly_type)).copied().unwrap_or(usual)
    }
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
    /// How many values each level of lists within lists may hold, from the outermost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_counts: Vec<ValueCount>,
    /// The fixed shape of every example's values: `[]` for one value, `[3]` for three. Every example must have them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<u64>>,
    /// Which values are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// What the values are to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantic: Option<Semantic>,
    /// Share of values that must lie in a string domain; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_domain_mass: Option<f64>,
    /// How many different values there may be: of text, bytes, and numbers where they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<UniqueCount>,
    /// Between what the mean must lie; for true and false, the share of true. Bounds on the balance of a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Bounds>,
    /// Between what the share of a value must lie, for text and booleans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, Bounds>,
    /// How far the values may lie from those of the data before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Comparators>,
    /// How far the values in training may lie from those in serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<Comparators>,
    /// How far the feature is in its life; absent means production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// What validation derived the feature with, for a feature that is in no data of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_by: Option<String>,
    /// The only environments the feature is expected in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_environment: Vec<String>,
    /// Environments the feature is not expected in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_in_environment: Vec<String>,
    /// How bad anomalies of a type are in this feature, before what the schema says for all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<AnomalyType, Severity>,
}

impl Feature {
    /// A feature of which nothing but the type is expected.
    pub const fn new(feature_type: FeatureType) -> Self {
        Self {
            feature_type,
            presence: Presence { min_fraction: None, min_count: None, tolerance: None },
            value_count: None,
            value_counts: Vec::new(),
            shape: None,
            domain: None,
            semantic: None,
            min_domain_mass: None,
            unique: None,
            mean: None,
            shares: BTreeMap::new(),
            drift: None,
            skew: None,
            lifecycle: None,
            derived_by: None,
            in_environment: Vec::new(),
            not_in_environment: Vec::new(),
            severity: BTreeMap::new(),
        }
    }

    /// Whether the feature is expected in `environment`.
    pub fn belongs_to(&self, environment: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == environment);
        (self.in_environment.is_empty() || named(&self.in_environment)) && !named(&self.not_in_environment)
    }

    /// Whether the feature's lifecycle frees it from presence checks.
    pub const fn is_exempt(&self) -> bool {
        matches!(self.lifecycle, Some(stage) if stage.is_exempt())
    }

    /// Whether some examples must have a value.
    pub fn is_required(&self) -> bool {
        let demanded = self.presence.min_count.is_some_and(|count| count > 0)
            || self.presence.min_fraction.is_some_and(|fraction| fraction > 0.0);
        demanded && !self.is_exempt()
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
    /// How far the share may fall short of `min_fraction` before it is an error; within it is a warning. 0.001 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
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

/// Between what a number must lie. Bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// At least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// What values are to a person. It is offered when a schema is inferred, and asks nothing of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Names one thing each: hardly any value repeats.
    Identifier,
    /// Sentences.
    FreeText,
    /// Addresses of pages.
    Url,
    /// Addresses of people.
    Email,
}

impl Semantic {
    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::FreeText => "free_text",
            Self::Url => "url",
            Self::Email => "email",
        }
    }
}

/// A feature that is mostly absent, as index and value columns: in every example as many of one as of the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SparseFeature {
    /// The columns that say where, one for each dimension.
    pub index: Vec<String>,
    /// The column that says what.
    pub value: String,
    /// How far the feature is in its life; absent means production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
}

/// A feature whose values have a weight each: in every example as many of one as of the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedFeature {
    /// The column of the values.
    pub value: String,
    /// The column of the weights.
    pub weight: String,
    /// How far the feature is in its life; absent means production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
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
    /// Made by validation itself.
    ValidationDerived,
}

impl Lifecycle {
    /// Whether presence is not asked for.
    pub const fn is_exempt(self) -> bool {
        !matches!(self, Self::Beta | Self::Production | Self::ValidationDerived)
    }

    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Alpha => "alpha",
            Self::Beta => "beta",
            Self::Production => "production",
            Self::Deprecated => "deprecated",
            Self::DebugOnly => "debug_only",
            Self::Disabled => "disabled",
            Self::ValidationDerived => "validation_derived",
        }
    }
}
