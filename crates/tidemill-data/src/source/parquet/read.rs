//! Row groups to columns.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use rayon::prelude::*;

use crate::reader::batch_rows;
use crate::source::columns::FileColumns;
use crate::source::convert::{Doubt, convert};
use crate::source::nested::{Leaf, Leaves, values_at};
use crate::{BATCH_ROWS_MAX, DataError};

/// A row group of at most so many rows and bytes is decoded as a whole, beside others.
const ROW_GROUP_ROWS: i64 = 2 * BATCH_ROWS_MAX as i64;
const ROW_GROUP_BYTES: i64 = 32 << 20;

/// Bytes of a batch, about.
const BATCH_BYTES: i64 = 32 << 20;

/// Row groups decoded side by side, at most.
const ROW_GROUPS_MAX: usize = 4;

/// The columns of a file, with the types they are read as, and its rows. What only the values of a column can tell,
/// such as whether its bytes are text, is looked up in every row.
pub(super) fn columns(path: &Path) -> Result<FileColumns, DataError> {
    let metadata = open(path)?;
    let mut leaves = Leaves::of(metadata.schema().fields());
    let mut seen = HashSet::new();
    if let Some(leaf) = leaves.read.iter().find(|leaf| !seen.insert(&leaf.name)) {
        return Err(DataError::DuplicateColumn { path: path.to_owned(), column: leaf.name.clone() });
    }
    let founded = founded_doubts(path, &metadata, &leaves.read)?;
    let long = leaves.settle(|i| founded.contains(&i));
    let rows = metadata.metadata().file_metadata().num_rows().max(0) as u64;
    let Leaves { read, left_out, warnings } = leaves;
    let columns = read.into_iter().map(|leaf| (leaf.name, leaf.data_type));
    Ok(FileColumns { left_out, long, warnings, ..FileColumns::fixed(columns, rows) })
}

/// The columns about which there is a doubt that some value bears out.
fn founded_doubts(path: &Path, metadata: &ArrowReaderMetadata, leaves: &[Leaf]) -> Result<HashSet<usize>, DataError> {
    let mut open: Vec<(usize, Doubt)> =
        leaves.iter().enumerate().filter_map(|(i, leaf)| Some((i, leaf.doubt?))).collect();
    let mut founded = HashSet::new();
    for group in 0..metadata.metadata().num_row_groups() {
        if open.is_empty() {
            break;
        }
        let wanted = open.iter().map(|(i, _)| leaves[*i].clone()).collect();
        let file = ColumnsOfFile::new(path, metadata.clone(), wanted, Arc::new(Schema::empty()));
        let mut stream = file.open_group(group)?;
        while open.iter().any(|(i, _)| !founded.contains(i))
            && let Some(batch) = file.next_of(&mut stream)?
        {
            for ((i, doubt), array) in open.iter().zip(file.arrays(&batch)?) {
                if !founded.contains(i) && !doubt.is_unfounded(&array) {
                    founded.insert(*i);
                }
            }
        }
        open.retain(|(i, _)| !founded.contains(i));
    }
    Ok(founded)
}

/// Reads the columns of `schema`, by name, as the types of `schema`.
pub(crate) fn read(path: &Path, schema: &SchemaRef) -> Result<ParquetReader, DataError> {
    let metadata = open(path)?;
    let leaves = Leaves::of(metadata.schema().fields()).read;
    let by_name: HashMap<&str, &Leaf> = leaves.iter().map(|leaf| (leaf.name.as_str(), leaf)).collect();
    let leaf = |field: &FieldRef| {
        by_name.get(field.name().as_str()).map(|leaf| (*leaf).clone()).ok_or_else(|| DataError::ColumnNotFound {
            path: path.to_owned(),
            column: field.name().clone(),
            nearest: None,
        })
    };
    let wanted = schema.fields().iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
    let file = ColumnsOfFile::new(path, metadata, wanted, schema.clone());
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
    /// What is read, in the order of the schema; paths are those in the columns that the mask leaves.
    leaves: Vec<Leaf>,
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
                match self.file.next_of(stream) {
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
    fn new(path: &Path, metadata: ArrowReaderMetadata, mut leaves: Vec<Leaf>, schema: SchemaRef) -> Self {
        let roots: BTreeSet<usize> = leaves.iter().map(|leaf| leaf.path[0]).collect();
        let places: HashMap<usize, usize> = roots.iter().enumerate().map(|(place, root)| (*root, place)).collect();
        for leaf in &mut leaves {
            leaf.path[0] = places[&leaf.path[0]];
        }
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        Self { path: path.to_owned(), metadata, mask, leaves, schema }
    }

    fn open_group(&self, group: usize) -> Result<ParquetRecordBatchReader, DataError> {
        let file = File::open(&self.path).map_err(|error| DataError::unreadable(&self.path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(self.mask.clone())
            .with_batch_size(self.rows_at_once(group));
        guarded(&self.path, || builder.build().map_err(|error| damaged(&self.path, error)))
    }

    /// Rows of a batch: few where they are large.
    fn rows_at_once(&self, group: usize) -> usize {
        let group = self.metadata.metadata().row_group(group);
        let row_bytes = group.total_byte_size().max(0) / group.num_rows().max(1);
        batch_rows(self.schema.fields().len()).min((BATCH_BYTES / row_bytes.max(1)).max(1) as usize)
    }

    fn next_of(&self, stream: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>, DataError> {
        guarded(&self.path, || stream.next().transpose().map_err(|error| damaged(&self.path, error)))
    }

    fn decode_group(&self, group: usize) -> Result<Vec<RecordBatch>, DataError> {
        guarded(&self.path, || {
            let batches = self.open_group(group)?;
            batches.map(|batch| self.convert(&batch.map_err(|error| damaged(&self.path, error))?)).collect()
        })
    }

    /// The columns that are read, as they are in the file.
    fn arrays(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, DataError> {
        let array = |leaf: &Leaf| {
            values_at(batch.columns(), &leaf.path).ok_or_else(|| {
                damaged(&self.path, ParquetError::General(format!("column `{}` is not where it was", leaf.name)))
            })
        };
        self.leaves.iter().map(array).collect()
    }

    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch, DataError> {
        let column = |(field, array): (&FieldRef, ArrayRef)| {
            convert(&array, field.data_type()).map_err(|message| DataError::ColumnType {
                path: self.path.clone(),
                line: None,
                column: field.name().clone(),
                message,
            })
        };
        let columns = self.schema.fields().iter().zip(self.arrays(batch)?).map(column).collect::<Result<_, _>>()?;
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
