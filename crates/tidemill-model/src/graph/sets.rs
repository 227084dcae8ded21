//! The feature sets of a graph's features.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidemill_core::Digest;

/// A feature set from which features of a graph came: features stored under a name and a version.
///
/// It is a record, for people and for lineage; nothing is looked up by it. The digest covers the set's features as they
/// were written, before fitting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedSet {
    /// The set's name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// Digest of all of the set's features.
    pub digest: Digest,
    /// The features taken from it, by their names in the graph.
    pub features: Vec<String>,
}

/// As in a pipeline file: `taxi_features@2`.
impl fmt::Display for UsedSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
