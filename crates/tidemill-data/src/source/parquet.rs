//! Apache Parquet.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use rayon::prelude::*;

use super::convert::{convert, target};
use crate::reader::batch_rows;
use crate::{BATCH_ROWS_MAX, DataError};

/// A row group of at most so many rows and bytes is decoded as a whole, beside others.
const ROW_GROUP_ROWS: i64 = 2 * BATCH_ROWS_MAX as i64;
const ROW_GROUP_BYTES: i64 = 32 << 20;

/// Row groups decoded side by side, at most.
const ROW_GROUPS_MAX: usize = 4;

/// The columns of a file, with the types they are read as, and its rows.
pub(super) fn columns(path: &Path) -> Result<(Vec<(String, DataType)>, u64), DataError> {
    let metadata = open(path)?;
    let mut seen = HashSet::new();
    let mut columns = Vec::new();
    for field in metadata.schema().fields() {
        let column = field.name().clone();
        if column.is_empty() {
            return Err(DataError::malformed(path, None, format!("column {} has no name", columns.len() + 1)));
        }
        if !seen.insert(field.name()) {
            return Err(DataError::DuplicateColumn { path: path.to_owned(), column });
        }
        let Some(kind) = target(field.data_type()) else {
            let message = format!("has type {}; only flat columns can be read", field.data_type());
            return Err(DataError::ColumnType { path: path.to_owned(), line: None, column, message });
        };
        columns.push((column, kind));
    }
    Ok((columns, metadata.metadata().file_metadata().num_rows().max(0) as u64))
}

/// Reads the columns of `schema`, by name, as the types of `schema`.
pub(crate) fn read(path: &Path, schema: &SchemaRef) -> Result<ParquetReader, DataError> {
    let metadata = open(path)?;
    let roots = schema
        .fields()
        .iter()
        .map(|field| {
            metadata.schema().index_of(field.name()).map_err(|_| DataError::ColumnNotFound {
                path: path.to_owned(),
                column: field.name().clone(),
                nearest: None,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let file = ColumnsOfFile { path: path.to_owned(), metadata, mask, schema: schema.clone() };
    Ok(ParquetReader { file, next_group: 0, ready: Vec::new().into_iter(), stream: None })
}

/// The rows of one file as batches.
pub(crate) struct ParquetReader {
    file: ColumnsOfFile,
    next_group: usize,
    ready: std::vec::IntoIter<RecordBatch>,
    stream: Option<ParquetRecordBatchReader>,
}

struct ColumnsOfFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    schema: SchemaRef,
}

impl Iterator for ParquetReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            if let Some(stream) = &mut self.stream {
                let batch = guarded(&self.file.path, || {
                    stream.next().transpose().map_err(|error| damaged(&self.file.path, error))
                });
                match batch {
                    Ok(Some(batch)) => return Some(self.file.convert(&batch)),
                    Ok(None) => self.stream = None,
                    Err(error) => return Some(Err(error)),
                }
            }
            let small = self.small_groups();
            match small.len() {
                0 if self.next_group == self.file.metadata.metadata().num_row_groups() => return None,
                0 => {
                    match self.file.open_group(self.next_group) {
                        Ok(stream) => self.stream = Some(stream),
                        Err(error) => return Some(Err(error)),
                    }
                    self.next_group += 1;
                }
                _ => {
                    self.next_group = small.end;
                    let decoded: Vec<_> = small.into_par_iter().map(|group| self.file.decode_group(group)).collect();
                    match decoded.into_iter().collect::<Result<Vec<_>, _>>() {
                        Ok(batches) => self.ready = batches.into_iter().flatten().collect::<Vec<_>>().into_iter(),
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        }
    }
}

impl ParquetReader {
    /// The next row groups that are small enough to be decoded as a whole.
    fn small_groups(&self) -> std::ops::Range<usize> {
        let groups = self.file.metadata.metadata().row_groups();
        let rest = groups.get(self.next_group..).unwrap_or_default();
        let count = rayon::current_num_threads().clamp(1, ROW_GROUPS_MAX);
        let small = |group: &&parquet::file::metadata::RowGroupMetaData| {
            group.num_rows() <= ROW_GROUP_ROWS && group.total_byte_size() <= ROW_GROUP_BYTES
        };
        self.next_group..self.next_group + rest.iter().take(count).take_while(small).count()
    }
}

impl ColumnsOfFile {
    fn open_group(&self, group: usize) -> Result<ParquetRecordBatchReader, DataError> {
        let file = File::open(&self.path).map_err(|error| DataError::unreadable(&self.path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(self.mask.clone())
            .with_batch_size(batch_rows(self.schema.fields().len()));
        guarded(&self.path, || builder.build().map_err(|error| damaged(&self.path, error)))
    }

    fn decode_group(&self, group: usize) -> Result<Vec<RecordBatch>, DataError> {
        guarded(&self.path, || {
            let batches = self.open_group(group)?;
            batches.map(|batch| self.convert(&batch.map_err(|error| damaged(&self.path, error))?)).collect()
        })
    }

    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch, DataError> {
        let column = |field: &arrow::datatypes::FieldRef| {
            let array = batch.column_by_name(field.name()).ok_or_else(|| DataError::ColumnNotFound {
                path: self.path.clone(),
                column: field.name().clone(),
                nearest: None,
            })?;
            convert(array, field.data_type()).map_err(|message| DataError::ColumnType {
                path: self.path.clone(),
                line: None,
                column: field.name().clone(),
                message,
            })
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

fn open(path: &Path) -> Result<ArrowReaderMetadata, DataError> {
    let file = File::open(path).map_err(|error| DataError::unreadable(path, error))?;
    if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: false });
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    guarded(path, || ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(path, error)))
}

/// Runs the decoder, which panics on some damaged files instead of giving an error.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(damaged(path, ParquetError::General("its pages contradict each other".to_owned()))))
}

fn damaged(path: &Path, error: impl Into<ParquetError>) -> DataError {
    DataError::malformed(path, None, format!("not Parquet, or cut short or damaged: {}", error.into()))
}
