//! `schema.json`: the schema of the training data, so that a server can detect unexpected inputs.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_core::Schema;

use super::files::{digest, read_bounded, read_versioned, to_pretty_json, write_file};
use super::manifest::{FORMAT, MANIFEST_FILE};
use crate::{FileEntry, Manifest, ModelError};

const SCHEMA_FILE: &str = "schema.json";
const SCHEMA_FORMAT: u32 = 1;
/// A larger file is rejected unread.
const BYTES_MAX: u64 = 64 << 20;

/// The content of `schema.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    schema: Schema,
}

/// Adds the schema of the training data to a newly written package, reduced to the inputs of the model. The same schema
/// gives the same bytes.
pub fn add_schema(dir: &Path, schema: &Schema) -> Result<Manifest, ModelError> {
    let path = dir.join(MANIFEST_FILE);
    let mut manifest: Manifest = read_versioned(&read_bounded(&path, BYTES_MAX)?, &path, FORMAT)?;
    let inputs: BTreeSet<&str> = manifest.signature.inputs.iter().map(|input| input.name.as_str()).collect();
    let mut schema = schema.clone();
    schema.features.retain(|name, _| inputs.contains(name.as_str()));
    schema.sparse_features.clear();
    schema.weighted_features.clear();
    schema.dataset = None;
    let bytes = to_pretty_json(&Stored { format: SCHEMA_FORMAT, schema });
    write_file(&dir.join(SCHEMA_FILE), &bytes)?;
    let entry = FileEntry { digest: digest(&bytes), bytes: bytes.len() as u64 };
    manifest.files.insert(SCHEMA_FILE.to_owned(), entry);
    write_file(&path, &to_pretty_json(&manifest))?;
    Ok(manifest)
}

/// The schema in the package in `dir`, if it has one.
pub fn package_schema(dir: &Path, manifest: &Manifest) -> Result<Option<Schema>, ModelError> {
    let Some(entry) = manifest.files.get(SCHEMA_FILE) else { return Ok(None) };
    let path = dir.join(SCHEMA_FILE);
    let bytes = read_bounded(&path, BYTES_MAX)?;
    if digest(&bytes) != entry.digest {
        let reason = "it was altered: its digest is not the one in the manifest".to_owned();
        return Err(ModelError::Package { file: path, reason });
    }
    let stored: Stored = read_versioned(&bytes, &path, SCHEMA_FORMAT)?;
    Ok(Some(stored.schema))
}
