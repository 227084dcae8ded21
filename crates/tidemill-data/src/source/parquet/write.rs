//! Writing Parquet.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;

use crate::DataError;
use crate::reader::batch_rows;
use crate::source::write::TableWriter;

/// Bytes of values that a row group holds back before it is written early.
const GROUP_BYTES_MAX: usize = 256 << 20;

/// A Parquet file under construction: Zstandard-compressed row groups of at most 65,536 rows.
///
/// Where the batches that are pushed begin and end leaves no trace in the file: the same rows give the same bytes.
/// The columns of a row group are encoded side by side.
pub(crate) struct ParquetFile<W: Write + Send> {
    path: PathBuf,
    schema: SchemaRef,
    writer: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    pending_bytes: usize,
    group_rows: usize,
    groups: usize,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file that is called `path` in errors.
    pub(crate) fn new(path: &Path, output: W, schema: &SchemaRef) -> Result<Self, DataError> {
        let level = ZstdLevel::try_new(1).unwrap_or_default();
        let properties = WriterProperties::builder()
            // The library's version would make another artifact of the same rows.
            .set_created_by("tidemill".to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            // Lists are named as the Parquet specification says: `element`.
            .set_coerce_types(true)
            .build();
        // The column types are told apart by Parquet's own; a copy of the Arrow schema would say nothing more.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let (writer, factory) = ArrowWriter::try_new_with_options(output, schema.clone(), options)
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| DataError::write(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            schema: schema.clone(),
            writer,
            factory,
            pending: Vec::new(),
            pending_rows: 0,
            pending_bytes: 0,
            group_rows: batch_rows(schema.fields().len()),
            groups: 0,
        })
    }

    /// Appends rows.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), DataError> {
        self.pending_rows += batch.num_rows();
        self.pending_bytes += batch.columns().iter().map(Array::get_buffer_memory_size).sum::<usize>();
        self.pending.push(batch);
        while self.pending_rows >= self.group_rows || self.pending_bytes > GROUP_BYTES_MAX {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is held back and the end of the file.
    pub(crate) fn finish(mut self) -> Result<W, DataError> {
        if self.pending_rows > 0 {
            self.write_group()?;
        }
        let path = self.path;
        self.writer.into_inner().map_err(|error| DataError::write(&path, error))
    }

    fn write_group(&mut self) -> Result<(), DataError> {
        let (mut parts, mut rows) = (Vec::new(), 0);
        for batch in std::mem::take(&mut self.pending) {
            let taken = batch.num_rows().min(self.group_rows - rows);
            if taken < batch.num_rows() {
                // What is left holds on to its own batch only, not to the whole group.
                self.pending.push(batch.slice(taken, batch.num_rows() - taken));
            }
            if taken > 0 {
                parts.push(batch.slice(0, taken));
            }
            rows += taken;
        }
        self.pending_rows -= rows;
        self.pending_bytes = 0;
        if rows == 0 {
            return Ok(());
        }
        self.encode(&parts).map_err(|error| DataError::write(&self.path, error))
    }

    /// Writes the rows of `parts`, at least one part, as a row group.
    fn encode(&mut self, parts: &[RecordBatch]) -> Result<(), ParquetError> {
        let writers = self.factory.create_column_writers(self.groups)?;
        let encode = |(i, mut writer): (usize, ArrowColumnWriter)| -> Result<ArrowColumnChunk, ParquetError> {
            // Written part by part, pages would end where parts do; joined all at once, a group would be held twice.
            let columns: Vec<&dyn Array> = parts.iter().map(|part| part.column(i).as_ref()).collect();
            let column = concat(&columns)?;
            for leaf in compute_leaves(self.schema.field(i), &column)? {
                writer.write(&leaf)?;
            }
            writer.close()
        };
        let chunks = writers.into_par_iter().enumerate().map(encode).collect::<Result<Vec<_>, _>>()?;
        let mut row_group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.groups += 1;
        Ok(())
    }
}

pub(super) fn open<'a>(
    path: &'a Path,
    file: &'a File,
    schema: &SchemaRef,
) -> Result<Box<dyn TableWriter + 'a>, DataError> {
    Ok(Box::new(ParquetFile::new(path, BufWriter::new(file), schema)?))
}

impl<W: Write + Send> TableWriter for ParquetFile<W> {
    fn write(&mut self, batch: RecordBatch) -> Result<(), DataError> {
        self.push(batch)
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        ParquetFile::finish(*self).map(|_| ())
    }
}
