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
    /// Columns that do not decide it, where all others do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split_except: Vec<String>,
    /// The column whose time decides it, where later rows are in later splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_by_time: Option<String>,
    /// Which rows of the files are kept, where not all are.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionInfo>,
    /// Splits in the order of the pipeline file.
    pub splits: Vec<SplitInfo>,
    /// The spans that the files belong to, ascending; none where the paths have no span.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<SpanInfo>,
    /// What came before each row, where a step has joined it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histories: Vec<HistoryInfo>,
    /// The files that the rows come from, in the order they were read.
    pub sources: Vec<SourceFile>,
}

/// Where examples come from and what decided their splits: what stays the same when a step adds or changes columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// As [`ExamplesManifest::split_by`].
    pub split_by: Vec<String>,
    /// As [`ExamplesManifest::split_except`].
    pub split_except: Vec<String>,
    /// As [`ExamplesManifest::split_by_time`].
    pub split_by_time: Option<String>,
    /// As [`ExamplesManifest::condition`].
    pub condition: Option<ConditionInfo>,
    /// As [`ExamplesManifest::spans`].
    pub spans: Vec<SpanInfo>,
    /// As [`ExamplesManifest::sources`].
    pub sources: Vec<SourceFile>,
}

impl ExamplesManifest {
    /// Where the examples come from.
    pub fn provenance(&self) -> Provenance {
        Provenance {
            split_by: self.split_by.clone(),
            split_except: self.split_except.clone(),
            split_by_time: self.split_by_time.clone(),
            condition: self.condition.clone(),
            spans: self.spans.clone(),
            sources: self.sources.clone(),
        }
    }
}

/// A condition that rows had to meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionInfo {
    /// The condition, in SQL.
    pub sql: String,
    /// Rows that do not meet it.
    pub left_out: u64,
}

/// A portion of data that was read: a day, a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanInfo {
    /// Its number; for a date the days since 1970-01-01.
    pub span: i64,
    /// Its date, where the path has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Its newest version, where the path has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// Columns of lists with what came before each row in the rows of the same entity, and how far they reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryInfo {
    /// The column with the time of the row.
    pub time: String,
    /// The column with the times of what came before.
    pub times: String,
    /// The columns with its values.
    pub values: Vec<String>,
    /// Values of a list at most, the newest.
    pub rows_max: u32,
    /// How old a value may be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_seconds: Option<u64>,
    /// How old a value must be, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_seconds: Option<u64>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// The type of its values: int, float, string, bool or bytes.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// Whether every row has a list of such values.
    #[serde(default, rename = "list", skip_serializing_if = "std::ops::Not::not")]
    pub is_list: bool,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitInfo {
    /// Its name.
    pub name: String,
    /// Its share: so many buckets of the sum over all splits; 0 where the splits were made before.
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
    /// The span that all of them belong to, where the examples have spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<i64>,
    /// Digest of its bytes, where it has a span: what was made of these rows can be used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
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
