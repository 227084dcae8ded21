//! Writing an examples artifact.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use tidemill_core::FeatureType;

use super::{
    ColumnInfo, ExamplesManifest, FORMAT_VERSION, HistoryInfo, MANIFEST_FILE, Provenance, ShardInfo, SplitInfo,
};
use crate::DataError;
use crate::column_type::element_type;
use crate::example_gen::digest_of as digest_of_file;
use crate::source::ParquetFile;

/// Rows of a shard, at most.
const SHARD_ROWS: u64 = 1 << 20;

/// An examples artifact under construction. Memory is bounded by a row group for each split.
pub struct ExamplesWriter {
    dir: PathBuf,
    schema: SchemaRef,
    splits: Vec<SplitWriter>,
    shard_rows: u64,
    histories: Vec<HistoryInfo>,
}

struct SplitWriter {
    name: String,
    share: u32,
    shard: Option<Shard>,
    /// Rows and span of the shards that are complete.
    shards: Vec<(u64, Option<i64>)>,
    /// The span of the rows that come now.
    span: Option<i64>,
}

struct Shard {
    file: ParquetFile<BufWriter<File>>,
    rows: u64,
}

impl ExamplesWriter {
    /// Begins an artifact in the empty folder `dir`, with splits of the given names and shares.
    pub fn new(dir: &Path, schema: SchemaRef, splits: &[(String, u32)]) -> Self {
        let splits = splits
            .iter()
            .map(|(name, share)| SplitWriter {
                name: name.clone(),
                share: *share,
                shard: None,
                shards: Vec::new(),
                span: None,
            })
            .collect();
        Self { dir: dir.to_owned(), schema, splits, shard_rows: SHARD_ROWS, histories: Vec::new() }
    }

    /// The same artifact with what came before each row among its columns.
    #[must_use]
    pub fn with_histories(self, histories: Vec<HistoryInfo>) -> Self {
        Self { histories, ..self }
    }

    /// The rows that follow belong to this span. No shard holds rows of two.
    pub fn begin_span(&mut self, span: i64) -> Result<(), DataError> {
        for split in &mut self.splits {
            split.finish_shard()?;
            split.span = Some(span);
        }
        Ok(())
    }

    /// Appends the rows of a batch, each to the split that `assigned` gives for it.
    pub fn write(&mut self, batch: &RecordBatch, assigned: &[u16]) -> Result<(), DataError> {
        for (i, split) in self.splits.iter_mut().enumerate() {
            let mask: BooleanArray = assigned.iter().map(|&to| Some(usize::from(to) == i)).collect();
            let mut rows = filter_record_batch(batch, &mask)?;
            while rows.num_rows() > 0 {
                let done = split.shard.as_ref().map_or(0, |shard| shard.rows);
                let room = (self.shard_rows - done).min(rows.num_rows() as u64) as usize;
                split.push(&self.dir, &self.schema, rows.slice(0, room))?;
                if done + room as u64 == self.shard_rows {
                    split.finish_shard()?;
                }
                rows = rows.slice(room, rows.num_rows() - room);
            }
        }
        Ok(())
    }

    /// Completes the artifact. A split without rows is an error.
    pub fn finish(mut self, from: Provenance) -> Result<ExamplesManifest, DataError> {
        for split in &mut self.splits {
            split.finish_shard()?;
        }
        let rows = self.splits.iter().map(SplitWriter::rows).sum();
        if let Some(empty) = self.splits.iter().find(|split| split.rows() == 0) {
            return Err(DataError::EmptySplit { split: empty.name.clone(), rows });
        }
        let splits = self.splits.iter().map(|split| split.name_shards(&self.dir)).collect::<Result<_, _>>()?;
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| {
                let element = element_type(field.data_type());
                let feature_type = feature_type(element.unwrap_or(field.data_type()));
                ColumnInfo { name: field.name().clone(), feature_type, is_list: element.is_some() }
            })
            .collect();
        let Provenance { split_by, split_except, split_by_time, condition, spans, sources } = from;
        let manifest = ExamplesManifest {
            version: FORMAT_VERSION,
            rows,
            columns,
            split_by,
            split_except,
            split_by_time,
            condition,
            splits,
            spans,
            histories: self.histories,
            sources,
        };
        let path = self.dir.join(MANIFEST_FILE);
        let mut text = serde_json::to_string_pretty(&manifest).map_err(|error| DataError::write(&path, error))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|error| DataError::write(&path, error))?;
        Ok(manifest)
    }
}

impl SplitWriter {
    fn rows(&self) -> u64 {
        self.shards.iter().map(|(rows, _)| rows).sum()
    }

    fn folder(&self) -> String {
        format!("Split-{}", self.name)
    }

    fn push(&mut self, dir: &Path, schema: &SchemaRef, rows: RecordBatch) -> Result<(), DataError> {
        if self.shard.is_none() {
            let folder = dir.join(self.folder());
            std::fs::create_dir_all(&folder).map_err(|error| DataError::write(&folder, error))?;
            let path = folder.join(draft_name(self.shards.len()));
            let file = File::create(&path).map_err(|error| DataError::write(&path, error))?;
            self.shard = Some(Shard { file: ParquetFile::new(&path, BufWriter::new(file), schema)?, rows: 0 });
        }
        if let Some(shard) = &mut self.shard {
            shard.rows += rows.num_rows() as u64;
            shard.file.push(rows)?;
        }
        Ok(())
    }

    fn finish_shard(&mut self) -> Result<(), DataError> {
        if let Some(shard) = self.shard.take() {
            let mut file = shard.file.finish()?;
            file.flush().map_err(|error| DataError::write(Path::new(&self.folder()), error))?;
            self.shards.push((shard.rows, self.span));
        }
        Ok(())
    }

    /// Gives the shards their names, now that their number is known.
    fn name_shards(&self, dir: &Path) -> Result<SplitInfo, DataError> {
        let mut shards = Vec::with_capacity(self.shards.len());
        for (i, &(rows, span)) in self.shards.iter().enumerate() {
            let file = format!("{}/part-{i:05}-of-{:05}.parquet", self.folder(), self.shards.len());
            let path = dir.join(&file);
            std::fs::rename(dir.join(self.folder()).join(draft_name(i)), &path)
                .map_err(|error| DataError::write(&path, error))?;
            let digest = span.map(|_| digest_of_file(&path)).transpose()?;
            shards.push(ShardInfo { file, rows, span, digest });
        }
        Ok(SplitInfo { name: self.name.clone(), share: self.share, rows: self.rows(), shards })
    }
}

fn draft_name(shard: usize) -> String {
    format!("part-{shard:05}.draft")
}

fn feature_type(data_type: &DataType) -> FeatureType {
    match data_type {
        DataType::Int64 => FeatureType::Int,
        DataType::Float64 => FeatureType::Float,
        DataType::Boolean => FeatureType::Bool,
        DataType::Binary => FeatureType::Bytes,
        _ => FeatureType::String,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;
    use crate::Examples;

    fn table(rows: i64) -> RecordBatch {
        let text: StringArray = (0..rows).map(|i| (i % 3 > 0).then(|| format!("t{}", i % 7))).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef, true),
            ("text", Arc::new(text) as ArrayRef, true),
        ])
        .unwrap()
    }

    /// Writes `table` in pieces of `piece` rows, odd ids to the second split.
    fn written(table: &RecordBatch, piece: usize, shard_rows: u64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let splits = [("a".to_owned(), 1), ("b".to_owned(), 1)];
        let mut writer = ExamplesWriter::new(dir.path(), table.schema(), &splits);
        writer.shard_rows = shard_rows;
        let mut at = 0;
        while at < table.num_rows() {
            let batch = table.slice(at, piece.min(table.num_rows() - at));
            let assigned: Vec<u16> =
                batch.column(0).as_primitive::<Int64Type>().values().iter().map(|v| (v % 2) as u16).collect();
            writer.write(&batch, &assigned).unwrap();
            at += batch.num_rows();
        }
        writer.finish(Provenance::default()).unwrap();
        dir
    }

    fn bytes_of(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in ["", "Split-a", "Split-b"] {
            for entry in std::fs::read_dir(dir.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
                    files.push((name, std::fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_come_back_in_order_and_pieces_leave_no_trace(rows in 2i64..400, piece in 1usize..200, shard in 1u64..150) {
            let table = table(rows);
            let dir = written(&table, piece, shard);
            prop_assert_eq!(bytes_of(dir.path()), bytes_of(written(&table, 1_000, shard).path()));
            let examples = Examples::open(dir.path()).unwrap();
            prop_assert_eq!(examples.manifest().rows, rows as u64);
            for (split, odd) in [("a", 0), ("b", 1)] {
                let batches: Vec<_> = examples.batches(split, None).unwrap().collect::<Result<_, _>>().unwrap();
                let back = concat_batches(&examples.schema(), &batches).unwrap();
                let mask: BooleanArray = (0..rows).map(|i| Some(i % 2 == odd)).collect();
                prop_assert_eq!(back, filter_record_batch(&table, &mask).unwrap());
            }
        }
    }

    #[test]
    fn shards_are_named_and_columns_picked() {
        let dir = written(&table(10), 4, 3);
        let examples = Examples::open(dir.path()).unwrap();
        let files: Vec<&str> = examples.splits()[0].shards.iter().map(|shard| shard.file.as_str()).collect();
        assert_eq!(files, ["Split-a/part-00000-of-00002.parquet", "Split-a/part-00001-of-00002.parquet"]);
        let reader = examples.batches("b", Some(&["text"])).unwrap();
        assert_eq!(reader.row_count(), Some(5));
        assert!(reader.map(Result::unwrap).all(|batch| batch.num_columns() == 1));
        assert!(matches!(examples.batches("c", None), Err(DataError::SplitNotFound { .. })));
        assert!(matches!(
            examples.batches("b", Some(&["txt"])),
            Err(DataError::ColumnNotFound { nearest: Some(_), .. })
        ));
    }

    #[test]
    fn an_empty_split_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let table = table(4);
        let splits = [("a".to_owned(), 1), ("b".to_owned(), 1)];
        let mut writer = ExamplesWriter::new(dir.path(), table.schema(), &splits);
        writer.write(&table, &[0; 4]).unwrap();
        let error = writer.finish(Provenance::default()).unwrap_err();
        assert_eq!(error.to_string(), "split `b` has no rows: none of 4 rows fell into its share");
    }

    #[test]
    fn a_damaged_artifact_is_an_error() {
        let dir = written(&table(10), 4, 100);
        let manifest = dir.path().join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&manifest, text.replace("\"version\": 1", "\"version\": 9")).unwrap();
        assert!(Examples::open(dir.path()).unwrap_err().to_string().contains("its version is 9"));
        let shard = "Split-s/part-00000-of-00001.parquet";
        let shard = text.lines().find_map(|line| line.trim().strip_prefix("\"file\": \"")).map_or(shard, |rest| rest);
        let shard = shard.split('"').next().unwrap();
        for path in ["../x.parquet", "/etc/passwd", "a/../../x", "", "."] {
            std::fs::write(&manifest, text.replace(shard, path)).unwrap();
            let error = Examples::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains("is not a path inside the artifact"), "{path}: {error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
            std::fs::write(&manifest, text.replace(shard, "link/passwd")).unwrap();
            assert!(Examples::open(dir.path()).unwrap_err().to_string().contains("symbolic link"));
        }
        std::fs::write(&manifest, "{").unwrap();
        assert!(matches!(Examples::open(dir.path()), Err(DataError::SourceMalformed { .. })));
        std::fs::remove_file(&manifest).unwrap();
        assert!(matches!(Examples::open(dir.path()), Err(DataError::SourceNotFound { .. })));
    }
}
