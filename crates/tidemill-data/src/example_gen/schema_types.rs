//! The types that a schema file gives columns, so that a column is read as what the schema says it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde::Deserialize;
use tidemill_core::{Digest, FeatureType};

use crate::DataError;
use crate::column_type::data_type_of;

/// The file that is read if it is there, beside the pipeline file.
pub(super) const DEFAULT_FILE: &str = "schema.yaml";

/// What begins the line that says for which types a schema was inferred.
const MARK: &str = "# types as inferred: ";

/// The types of a schema file.
#[derive(Debug)]
pub(super) struct SchemaTypes {
    types: BTreeMap<String, FeatureType>,
    /// Whether they are as they were inferred from what the source itself suggested.
    pub(super) is_inferred: bool,
}

/// What matters of a schema here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    features: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    feature_type: Option<FeatureType>,
}

impl SchemaTypes {
    /// Reads a file; none if there is none. A file that is not `named` in the pipeline may be anything: if it is not a
    /// schema, there is none.
    pub(super) fn read(path: &Path, named: bool) -> Result<Option<Self>, DataError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound || !named => return Ok(None),
            Err(error) => return Err(DataError::unreadable(path, error)),
        };
        let file: File =
            match serde_saphyr::from_str_with_options(&text, serde_saphyr::options! { strict_booleans: true }) {
                Ok(file) => file,
                Err(_) if !named => return Ok(None),
                Err(error) => {
                    let message = format!("not a schema in YAML: {error}");
                    return Err(DataError::malformed(path, None, message));
                }
            };
        let types: BTreeMap<String, FeatureType> =
            file.features.into_iter().filter_map(|(name, entry)| Some((name, entry.feature_type?))).collect();
        let mark = inferred_types_mark(types.iter().map(|(name, of)| (name.as_str(), *of)));
        let is_inferred = text.lines().rev().any(|line| line == mark);
        Ok(Some(Self { types, is_inferred }))
    }

    /// The types as columns.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields = self.types.iter().map(|(name, of)| Field::new(name, data_type_of(*of), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Stands for the types and nothing else of the file.
    pub(super) fn digest(&self) -> Digest {
        digest_of(self.types.iter().map(|(name, of)| (name.as_str(), *of)))
    }
}

/// The comment that a schema carries that was inferred and written for curation. While the types are those that were
/// inferred, the schema tells a source nothing that it does not say itself, and reading it again is no news.
pub fn inferred_types_mark<'a>(types: impl Iterator<Item = (&'a str, FeatureType)>) -> String {
    let digest = digest_of(types).to_string();
    let short: String = digest.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    format!("{MARK}{short}")
}

/// `types` in the byte order of their names.
fn digest_of<'a>(types: impl Iterator<Item = (&'a str, FeatureType)>) -> Digest {
    let mut sorted: Vec<_> = types.collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut hasher = blake3::Hasher::new();
    for (name, of) in sorted {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(of.name().as_bytes());
    }
    Digest::from_bytes(hasher.finalize().as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_in_any_schema_and_edits_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.yaml");
        assert!(SchemaTypes::read(&path, true).unwrap().is_none());
        let mark = inferred_types_mark([("zip", FeatureType::Int), ("a", FeatureType::Float)].into_iter());
        let text = format!(
            "version: 1\nfeatures:\n  zip: {{ type: int, presence: required }}\n  a: {{ type: float }}\n{mark}\n"
        );
        std::fs::write(&path, &text).unwrap();
        let found = SchemaTypes::read(&path, false).unwrap().unwrap();
        assert!(found.is_inferred && found.schema().fields().len() == 2);
        std::fs::write(&path, text.replace("type: int", "type: string")).unwrap();
        let edited = SchemaTypes::read(&path, false).unwrap().unwrap();
        assert!(!edited.is_inferred && edited.digest() != found.digest());
        std::fs::write(&path, "- not a schema\n").unwrap();
        assert!(SchemaTypes::read(&path, false).unwrap().is_none());
        assert!(SchemaTypes::read(&path, true).unwrap_err().to_string().contains("not a schema in YAML"));
    }
}
