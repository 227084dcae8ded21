//! The model registry: registered models, their versions and aliases.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidemill_core::Properties;

use crate::error::StoreError;
use crate::{ArtifactId, RunId};

/// A registered model: a name for versions of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When the first version was registered.
    #[serde(with = "crate::millis")]
    pub created_at: Timestamp,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
}

/// A model artifact under a name and a number. Only its tags ever change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// Name of the registered model.
    pub model: String,
    /// 1, 2, 3, … in the order of registration.
    pub version: u64,
    /// The model package.
    pub artifact_id: ArtifactId,
    /// The run that registered it.
    pub run_id: RunId,
    /// When it was registered.
    #[serde(with = "crate::millis")]
    pub created_at: Timestamp,
    /// Facts about it, such as metrics.
    pub properties: Properties,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
}

/// A version to be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// The model package.
    pub artifact_id: ArtifactId,
    /// The run that registers it.
    pub run_id: RunId,
    /// Facts about it, such as metrics.
    pub properties: Properties,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// The description of the model; used if the name is new.
    pub description: String,
}

/// The result of a registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisteredVersion {
    /// The version.
    pub version: ModelVersion,
    /// False: the artifact was already a version of that model.
    pub created: bool,
}

/// A movable name for one version of a model: `champion`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Name of the registered model.
    pub model: String,
    /// The alias, without `@`.
    pub alias: String,
    /// The version it points to now.
    pub version: u64,
    /// When it was moved there.
    #[serde(with = "crate::millis")]
    pub moved_at: Timestamp,
}

/// Who moves an alias.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Actor {
    /// A person's name, or `step push`.
    pub actor: String,
    /// The run, if a step did it.
    pub run_id: Option<RunId>,
    /// Why, in the words of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One move of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMove {
    /// Name of the registered model.
    pub model: String,
    /// The alias.
    pub alias: String,
    /// The version it pointed to before; none when it was new.
    pub from_version: Option<u64>,
    /// The version it points to after.
    pub version: u64,
    /// When.
    #[serde(with = "crate::millis")]
    pub moved_at: Timestamp,
    /// Who.
    pub by: Actor,
}

/// A registered model with everything recorded about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The model.
    pub model: RegisteredModel,
    /// Versions, oldest first.
    pub versions: Vec<ModelVersion>,
    /// Aliases, by name.
    pub aliases: Vec<Alias>,
}

impl ModelRecord {
    /// Finds a version, or returns an error that names the model.
    pub fn version(&self, spec: &VersionSpec) -> Result<&ModelVersion, StoreError> {
        let number = match spec {
            VersionSpec::Latest => self.versions.last().map(|version| version.version),
            VersionSpec::Number(number) => Some(*number),
            VersionSpec::Alias(name) => {
                self.aliases.iter().find(|alias| alias.alias == *name).map(|alias| alias.version)
            }
        };
        number
            .and_then(|number| self.versions.iter().find(|version| version.version == number))
            .ok_or_else(|| no_version(self, spec))
    }
}

/// The model has no such version or alias.
pub(crate) fn no_version(record: &ModelRecord, spec: &VersionSpec) -> StoreError {
    let model = &record.model.name;
    match spec {
        VersionSpec::Alias(alias) => {
            let known: Vec<String> = record.aliases.iter().map(|known| format!("{model}@{}", known.alias)).collect();
            StoreError::not_found("alias", &format!("{model}@{alias}"), known.iter().map(String::as_str))
        }
        _ => StoreError::not_found("model version", &format!("{model}:{spec}"), []),
    }
}

/// Selects a version of a model: `latest`, a number, or an alias with or without `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionSpec {
    /// The highest number.
    Latest,
    /// This number.
    Number(u64),
    /// The version that the alias points to.
    Alias(String),
}

impl FromStr for VersionSpec {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match (text, text.parse()) {
            ("latest", _) => Self::Latest,
            (_, Ok(number)) => Self::Number(number),
            _ => Self::Alias(text.strip_prefix('@').unwrap_or(text).to_owned()),
        })
    }
}

impl fmt::Display for VersionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.pad("latest"),
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Alias(alias) => write!(f, "@{alias}"),
        }
    }
}

/// Whether `name` is valid for a registered model: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
pub fn check_model_name(name: &str) -> Result<(), StoreError> {
    check_name("model", name)
}

/// Whether `name` is valid for an alias: as for a model, and not mistakable for a version.
pub fn check_alias_name(name: &str) -> Result<(), StoreError> {
    check_name("alias", name)
}

/// Rejects names of models and aliases that would be ambiguous in `model@alias`, `model:7` or a URL.
pub(crate) fn check_name(kind: &'static str, name: &str) -> Result<(), StoreError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let reason = if name.is_empty() {
        "is empty"
    } else if name.len() > 128 {
        "is longer than 128 characters"
    } else if !name.chars().all(known) {
        "may hold only letters, digits, `-`, `_` and `.`"
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "must begin with a letter or a digit"
    } else if kind == "alias" && (name == "latest" || name.parse::<u64>().is_ok()) {
        "would be taken for a version"
    } else {
        return Ok(());
    };
    Err(StoreError::InvalidName { kind, name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_in_four_ways() {
        let spec = |text: &str| text.parse::<VersionSpec>().expect("cannot fail");
        assert_eq!(spec("7"), VersionSpec::Number(7));
        assert_eq!(spec("latest"), VersionSpec::Latest);
        assert_eq!(spec("champion"), VersionSpec::Alias("champion".into()));
        assert_eq!(spec("@champion"), spec("champion"));
    }

    #[test]
    fn names_that_would_confuse_are_refused() {
        for name in ["", "a b", "a/b", "a@b", "a:7", ".hidden", "..", "é"] {
            assert!(check_name("model", name).is_err(), "{name}");
        }
        assert!(check_name("alias", "7").is_err());
        assert!(check_name("alias", "latest").is_err());
        assert!(check_name("model", "taxi-tips_2.0").is_ok());
    }
}
