//! Artifacts: what a step reads and writes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Named facts about an artifact (row counts, metrics, verdicts), shown by `tidemill artifacts` and queryable.
pub type Properties = BTreeMap<String, serde_json::Value>;

/// The kind of thing an artifact is. Inputs of a step are wired by it.
///
/// The types below are those of the built-in components. A component may define more: every name that starts with a
/// capital letter and has up to 64 letters and digits is a type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArtifactType(&'static str);

#[allow(non_upper_case_globals, reason = "types are written as the variants of an enum, which the built-in ones were")]
impl ArtifactType {
    /// Rows in named splits, as sharded Parquet.
    pub const Examples: Self = Self("Examples");
    /// Statistics of each split.
    pub const Statistics: Self = Self("Statistics");
    /// What the data should look like.
    pub const Schema: Self = Self("Schema");
    /// Where data and schema disagree.
    pub const Anomalies: Self = Self("Anomalies");
    /// A fitted transform graph.
    pub const TransformGraph: Self = Self("TransformGraph");
    /// The best parameters that a search found, with its trials.
    pub const Hyperparameters: Self = Self("Hyperparameters");
    /// A model package.
    pub const Model: Self = Self("Model");
    /// Metrics of a model by slice.
    pub const Evaluation: Self = Self("Evaluation");
    /// The evaluator's verdict on a model.
    pub const Blessing: Self = Self("Blessing");
    /// The infrastructure validator's verdict on a model.
    pub const InfraBlessing: Self = Self("InfraBlessing");
    /// The record of a model that went to the registry.
    pub const PushedModel: Self = Self("PushedModel");
}

/// The names of types that are not built in. They live as long as the process: there are as many as components define.
static DEFINED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
const NAME_LENGTH_MAX: usize = 64;

impl ArtifactType {
    /// The types of the built-in components, in the order of the data flow.
    pub const ALL: [Self; 11] = [
        Self::Examples,
        Self::Statistics,
        Self::Schema,
        Self::Anomalies,
        Self::TransformGraph,
        Self::Hyperparameters,
        Self::Model,
        Self::Evaluation,
        Self::Blessing,
        Self::InfraBlessing,
        Self::PushedModel,
    ];

    /// The name used in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Whether a built-in component reads or writes it.
    pub fn is_built_in(self) -> bool {
        Self::ALL.contains(&self)
    }

    /// Built-in types come first, in the order of the data flow.
    fn rank(self) -> usize {
        Self::ALL.iter().position(|known| *known == self).unwrap_or(Self::ALL.len())
    }
}

impl Ord for ArtifactType {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for ArtifactType {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ArtifactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for ArtifactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The text cannot name an artifact type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an artifact type: a name starts with a capital letter and has up to 64 letters and digits")]
pub struct InvalidArtifactType(String);

impl FromStr for ArtifactType {
    type Err = InvalidArtifactType;

    /// A built-in type in any case, or a name that a component may define.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.0.eq_ignore_ascii_case(text)) {
            return Ok(known);
        }
        let is_name = text.len() <= NAME_LENGTH_MAX
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name {
            return Err(InvalidArtifactType(text.to_owned()));
        }
        let mut defined = DEFINED.lock().unwrap_or_else(PoisonError::into_inner);
        let name = defined.get(text).copied().unwrap_or_else(|| {
            let name: &'static str = text.to_owned().leak();
            defined.insert(name);
            name
        });
        Ok(Self(name))
    }
}

impl Serialize for ArtifactType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for ArtifactType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ArtifactType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ArtifactType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z][A-Za-z0-9]{0,63}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_open_and_equal_by_name() {
        let parse = |text: &str| text.parse::<ArtifactType>();
        assert_eq!(parse("model"), Ok(ArtifactType::Model));
        let embedding = parse("Embedding").unwrap();
        assert_eq!(parse("Embedding"), Ok(embedding));
        assert!(!embedding.is_built_in() && ArtifactType::Blessing.is_built_in());
        assert!(ArtifactType::PushedModel < embedding && embedding < parse("Ranking").unwrap());
        assert!(ArtifactType::Examples < ArtifactType::Anomalies, "the order of the data flow");
        for wrong in ["", "embedding", "Em bedding", "Größe", "A/../b", &"A".repeat(65)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let json = serde_json::to_string(&[ArtifactType::Schema, embedding]).unwrap();
        assert_eq!(json, r#"["Schema","Embedding"]"#);
        assert_eq!(serde_json::from_str::<Vec<ArtifactType>>(&json).unwrap(), [ArtifactType::Schema, embedding]);
        assert!(serde_json::from_str::<ArtifactType>("\"../x\"").is_err());
    }
}
