//! Entries as Parquet.

use std::io;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::{Columns, LogColumn};
use super::file::OpenFile;
use super::{Entry, rfc3339};

/// Entries are collected until they have this many rows: a column is written in one piece.
const ROWS_TOGETHER: usize = 1024;
/// The maximum rows of a row group.
const ROWS_OF_GROUP: usize = 64 << 10;

/// A Parquet file.
pub(super) struct ParquetFile {
    partial: OpenFile,
    writer: ArrowWriter<std::fs::File>,
    schema: SchemaRef,
    waiting: Vec<Entry>,
    rows: usize,
    /// Rows were lost: the file must not be published as complete.
    is_broken: bool,
}

impl ParquetFile {
    pub(super) fn new(partial: OpenFile, columns: &Columns) -> io::Result<Self> {
        let schema = columns.schema();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROWS_OF_GROUP))
            .build();
        let file = partial.file.try_clone()?;
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
        Ok(Self { partial, writer, schema, waiting: Vec::new(), rows: 0, is_broken: false })
    }

    pub(super) fn push(&mut self, columns: &Columns, entry: Entry) -> io::Result<()> {
        self.rows += entry.inputs.num_rows();
        self.waiting.push(entry);
        if self.rows >= ROWS_TOGETHER { self.flush(columns) } else { Ok(()) }
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Passes the collected entries to the writer.
    pub(super) fn flush(&mut self, columns: &Columns) -> io::Result<()> {
        let entries = std::mem::take(&mut self.waiting);
        self.rows = 0;
        if entries.is_empty() {
            return Ok(());
        }
        let batch = together(columns, &self.schema, &entries);
        let written = batch.and_then(|batch| self.writer.write(&batch).map_err(io::Error::other));
        self.is_broken |= written.is_err();
        written
    }

    pub(super) fn finish(mut self, columns: &Columns) -> io::Result<()> {
        if self.is_broken {
            self.partial.discard();
            return Err(io::Error::other("rows of a Parquet file could not be written"));
        }
        let written = self.flush(columns).and_then(|()| self.writer.close().map_err(io::Error::other));
        match written {
            Ok(_) => self.partial.publish(),
            Err(error) => {
                self.partial.discard();
                Err(error)
            }
        }
    }
}

fn together(columns: &Columns, schema: &SchemaRef, entries: &[Entry]) -> io::Result<RecordBatch> {
    let join = |batch: fn(&Entry) -> &RecordBatch| {
        let batches = entries.iter().map(batch);
        concat_batches(batch(&entries[0]).schema_ref(), batches).map_err(io::Error::other)
    };
    let (inputs, outputs) = (join(|entry| &entry.inputs)?, join(|entry| &entry.outputs)?);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    arrays.extend(columns.inputs.iter().map(|(index, _)| Arc::clone(inputs.column(*index))));
    arrays.extend(columns.outputs.iter().map(|(index, _)| Arc::clone(outputs.column(*index))));
    arrays.extend(columns.own.iter().map(|(own, _)| own_column(*own, entries)));
    let options = RecordBatchOptions::new().with_row_count(Some(inputs.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(io::Error::other)
}

fn own_column(own: LogColumn, entries: &[Entry]) -> ArrayRef {
    let text = |value: &dyn Fn(&Entry) -> String| -> ArrayRef {
        let cells = entries.iter().flat_map(|entry| std::iter::repeat_n(value(entry), entry.inputs.num_rows()));
        Arc::new(StringArray::from(cells.collect::<Vec<_>>()))
    };
    let number = |value: &dyn Fn(&Entry) -> i64| -> ArrayRef {
        let cells = entries.iter().flat_map(|entry| std::iter::repeat_n(value(entry), entry.inputs.num_rows()));
        Arc::new(Int64Array::from(cells.collect::<Vec<_>>()))
    };
    match own {
        LogColumn::Time => text(&|entry| rfc3339(entry.at)),
        LogColumn::Model => text(&|entry| entry.model.clone()),
        LogColumn::RequestId => text(&|entry| entry.request_id.clone()),
        LogColumn::Version => number(&|entry| entry.version as i64),
        LogColumn::LatencyMicros => number(&|entry| entry.latency.as_micros() as i64),
        LogColumn::Route => {
            let of = |entry: &Entry| {
                let route = |row| entry.route_of(row).unwrap_or_default().to_owned();
                (0..entry.inputs.num_rows()).map(route).collect::<Vec<_>>()
            };
            Arc::new(StringArray::from(entries.iter().flat_map(of).collect::<Vec<_>>()))
        }
        LogColumn::Row => {
            let rows = entries.iter().flat_map(|entry| 0..entry.inputs.num_rows() as i64);
            Arc::new(Int64Array::from(rows.collect::<Vec<_>>()))
        }
    }
}
