//! The examples artifact: rows in named splits.

mod manifest;
mod writer;

use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::{Digest, FeatureType, suggest};

pub use manifest::{
    ColumnInfo, ConditionInfo, ExamplesManifest, HistoryInfo, Provenance, ShardInfo, SourceFile, SpanInfo, SplitInfo,
};
pub use writer::ExamplesWriter;

use crate::column_type::list_of;
use crate::source::read_parquet;
use crate::{BatchReader, DataError};

/// The version of the artifact's layout that this code reads and writes.
const FORMAT_VERSION: u32 = 1;

/// The name of the manifest in the artifact's folder.
const MANIFEST_FILE: &str = "examples.json";

/// An examples artifact, opened for reading.
///
/// ```text
/// examples.json                          what is here: an ExamplesManifest
/// Split-train/part-00000-of-00002.parquet
/// Split-train/part-00001-of-00002.parquet
/// Split-eval/part-00000-of-00001.parquet
/// ```
///
/// A shard holds at most 1,048,576 rows in row groups of at most 65,536, compressed with Zstandard. Columns are
/// `Int64`, `Float64`, `Utf8` or `Boolean`, lists of one of these, or `Binary`, all of them optional. Inside a split, rows keep the order of the source. The
/// same rows under the same file names give the same bytes in every file.
#[derive(Debug, Clone)]
pub struct Examples {
    dir: PathBuf,
    manifest: ExamplesManifest,
    schema: SchemaRef,
}

/// Rows of a split that belong together: those of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExamplesPiece {
    /// The span.
    pub span: Option<i64>,
    /// How many rows.
    pub rows: u64,
    /// Digests of the files that hold them; none where there are no spans.
    pub digests: Vec<Digest>,
    shards: Range<usize>,
}

/// Why a path in a manifest is not one of a file inside the folder: a manifest from elsewhere must not name other files
/// of the machine.
fn leads_out(dir: &Path, file: &str) -> Option<&'static str> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if file.is_empty() || file.contains('\\') || !Path::new(file).components().all(is_plain) {
        return Some("is not a path inside the artifact");
    }
    // Each part, and not only the last: a folder may be a link, too.
    let mut path = dir.to_owned();
    for part in Path::new(file).components() {
        path.push(part);
        if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            return Some("is a symbolic link, or is in a folder that is one");
        }
    }
    None
}

impl Examples {
    /// Opens the artifact in folder `dir`.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join(MANIFEST_FILE);
        let bytes = std::fs::read(&path).map_err(|error| DataError::unreadable(&path, error))?;
        let manifest: ExamplesManifest = serde_json::from_slice(&bytes)
            .map_err(|error| DataError::malformed(&path, Some(error.line() as u64), error.to_string()))?;
        if manifest.version != FORMAT_VERSION {
            let message = format!("its version is {}, this program reads version {FORMAT_VERSION}", manifest.version);
            return Err(DataError::malformed(&path, None, message));
        }
        for shard in manifest.splits.iter().flat_map(|split| &split.shards) {
            if let Some(reason) = leads_out(dir, &shard.file) {
                return Err(DataError::malformed(
                    &path,
                    None,
                    format!("the file `{}` of a split {reason}", shard.file),
                ));
            }
        }
        let fields = manifest.columns.iter().map(|column| {
            let value_type = match column.feature_type {
                FeatureType::Int => DataType::Int64,
                FeatureType::Float => DataType::Float64,
                FeatureType::Bool => DataType::Boolean,
                FeatureType::String => DataType::Utf8,
                FeatureType::Bytes => DataType::Binary,
            };
            Field::new(&column.name, if column.is_list { list_of(value_type) } else { value_type }, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { dir: dir.to_owned(), manifest, schema })
    }

    /// The splits, in the order of the pipeline file.
    pub fn splits(&self) -> &[SplitInfo] {
        &self.manifest.splits
    }

    /// The columns, in the order of the source.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Everything that `examples.json` says.
    pub fn manifest(&self) -> &ExamplesManifest {
        &self.manifest
    }

    /// The rows of `split` in pieces: those of a span each, where the examples have spans; else all of them.
    pub fn pieces(&self, split: &str) -> Vec<ExamplesPiece> {
        let shards = self.manifest.splits.iter().find(|info| info.name == split).map_or(&[][..], |info| &info.shards);
        let mut pieces: Vec<ExamplesPiece> = Vec::new();
        for (at, shard) in shards.iter().enumerate() {
            match pieces.last_mut().filter(|piece| piece.span == shard.span) {
                Some(piece) => {
                    piece.rows += shard.rows;
                    piece.shards.end = at + 1;
                    piece.digests.extend(shard.digest.clone());
                }
                None => pieces.push(ExamplesPiece {
                    span: shard.span,
                    rows: shard.rows,
                    digests: shard.digest.clone().into_iter().collect(),
                    shards: at..at + 1,
                }),
            }
        }
        pieces
    }

    /// The rows of one of the [`pieces`](Self::pieces) of `split`, otherwise as [`batches`](Self::batches).
    pub fn piece_batches(
        &self,
        split: &str,
        piece: &ExamplesPiece,
        columns: Option<&[&str]>,
    ) -> Result<BatchReader, DataError> {
        self.shard_batches(split, piece.shards.clone(), columns)
    }

    /// The rows of `split`, in the order of the source. `columns` picks columns, in the order given; `None` is all.
    pub fn batches(&self, split: &str, columns: Option<&[&str]>) -> Result<BatchReader, DataError> {
        self.shard_batches(split, 0..usize::MAX, columns)
    }

    fn shard_batches(
        &self,
        split: &str,
        which: Range<usize>,
        columns: Option<&[&str]>,
    ) -> Result<BatchReader, DataError> {
        let Some(info) = self.manifest.splits.iter().find(|info| info.name == split) else {
            return Err(DataError::SplitNotFound {
                path: self.dir.clone(),
                split: split.to_owned(),
                known: self.manifest.splits.iter().map(|info| info.name.clone()).collect(),
            });
        };
        let schema = match columns {
            None => self.schema.clone(),
            Some(columns) => Arc::new(self.project(columns)?),
        };
        let chosen = &info.shards[which.start.min(info.shards.len())..which.end.min(info.shards.len())];
        let rows = chosen.iter().map(|shard| shard.rows).sum();
        let shards: Vec<PathBuf> = chosen.iter().map(|shard| self.dir.join(&shard.file)).collect();
        let shard_schema = schema.clone();
        let mut shards = shards.into_iter();
        let mut current = None;
        let batches = std::iter::from_fn(move || {
            loop {
                if let Some(item) = current.as_mut().and_then(Iterator::next) {
                    return Some(item);
                }
                match read_parquet(&shards.next()?, &shard_schema) {
                    Ok(reader) => current = Some(reader),
                    Err(error) => return Some(Err(error)),
                }
            }
        });
        Ok(BatchReader::new(schema, batches).with_row_count(rows))
    }

    fn project(&self, columns: &[&str]) -> Result<Schema, DataError> {
        let field = |name: &&str| {
            self.schema.field_with_name(name).cloned().map_err(|_| {
                let known = self.schema.fields().iter().map(|field| field.name().as_str());
                DataError::ColumnNotFound {
                    path: self.dir.clone(),
                    column: (*name).to_owned(),
                    nearest: suggest(name, known).map(str::to_owned),
                }
            })
        };
        Ok(Schema::new(columns.iter().map(field).collect::<Result<Vec<_>, _>>()?))
    }
}
