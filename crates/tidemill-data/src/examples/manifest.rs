//! `examples.json`: what an examples artifact holds.

use serde::{Deserialize, Serialize};
use tidemill_core::{Digest, FeatureType};

/// What an examples artifact holds, as written to `examples.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplesManifest {
    /// Format of the artifact: 1.
    pub version: u32,
    /// Rows in all splits together.
    pub rows: u64,
    /// Columns in the order of the source.
    pub columns: Vec<ColumnInfo>,
    /// Columns whose values decide the split of a row; empty: all columns.
    pub split_by: Vec<String>,
    /// Splits in the order of the pipeline file.
    pub splits: Vec<SplitInfo>,
    /// The files that the rows come from, in the order they were read.
    pub sources: Vec<SourceFile>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// The type of its values: int, float, string or bool.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// Its name.
    pub name: String,
    /// Its share: so many buckets of the sum over all splits.
    pub share: u32,
    /// Its rows.
    pub rows: u64,
    /// Its files, in the order of the rows.
    pub shards: Vec<ShardInfo>,
}

/// One Parquet file of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardInfo {
    /// Path inside the artifact, with `/`.
    pub file: String,
    /// Its rows.
    pub rows: u64,
}

/// One file that rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its path: as written in the pipeline file, with the file's name added for a folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Digest of its bytes.
    pub digest: Digest,
}
