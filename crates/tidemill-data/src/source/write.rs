//! Writing a table to one file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use flate2::write::GzEncoder;
use tidemill_files::{AtomicFile, FileError};

use super::Format;
use crate::DataError;

/// Writes the rows of one file, in order.
pub(super) trait TableWriter {
    /// Appends rows.
    fn write(&mut self, batch: RecordBatch) -> Result<(), DataError>;

    /// Writes what is held back and the end of the file.
    fn finish(self: Box<Self>) -> Result<(), DataError>;
}

/// Begins to write a file of rows of a schema. The path is what the file will be called: its extension decides the
/// compression, and errors name it.
pub(super) type OpenWriter = for<'a> fn(&'a Path, &'a File, &SchemaRef) -> Result<Box<dyn TableWriter + 'a>, DataError>;

/// Writes `batches`, all of one schema, to one file and gives the number of rows.
///
/// The extension of `path` decides the format: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, each also with `.gz` or
/// `.zst`, `.parquet`, or `.tfrecord`, also with `.gz`. A missing value is an empty cell, or `null`. The file appears under its name only when
/// it is complete, replacing what was there; on an error nothing is left behind. No batch at all is an error, for then
/// there are no columns to write.
pub fn write_table(
    path: &Path,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
) -> Result<u64, DataError> {
    let Some(format) = Format::of_file(path) else {
        return Err(DataError::UnknownFormat { path: path.to_owned() });
    };
    let Some(open) = format.implementation().writer() else {
        let name = format.name();
        let message = format!("`{}`: {name} are read, not written; Parquet can hold the same", path.display());
        return Err(DataError::Params { message });
    };
    let mut batches = batches.peekable();
    let schema = match batches.peek() {
        Some(Ok(batch)) => batch.schema(),
        Some(Err(_)) => return Err(batches.next().and_then(Result::err).unwrap_or_else(|| nothing_to_write(path))),
        None => return Err(nothing_to_write(path)),
    };
    check_text_columns(path, format, &schema)?;
    let failed = |error: FileError| DataError::write(path, tidemill_files::reason(error.io()));
    let draft = AtomicFile::create(path).map_err(failed)?;
    let mut rows = 0;
    let mut writer = open(path, draft.file(), &schema)?;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(batch)?;
    }
    writer.finish()?;
    draft.commit().map_err(failed)?;
    Ok(rows)
}

/// Refuses a column that the format cannot hold, such as lists in CSV. `path` names the file in the error.
pub fn check_text_columns(path: &Path, format: Format, schema: &Schema) -> Result<(), DataError> {
    for field in schema.fields() {
        let Some(what) = format.implementation().cannot_hold(field.data_type()) else { continue };
        return Err(DataError::ColumnType {
            path: path.to_owned(),
            line: None,
            column: field.name().clone(),
            message: format!("is {what}, which {} cannot hold; Parquet can", format.name()),
        });
    }
    Ok(())
}

/// A text file, compressed where its name ends in `.gz` or `.zst`.
pub(super) enum TextOutput<'a> {
    Plain(BufWriter<&'a File>),
    Gzip(GzEncoder<BufWriter<&'a File>>),
    Zstandard(zstd::Encoder<'static, BufWriter<&'a File>>),
}

impl<'a> TextOutput<'a> {
    pub(super) fn open(path: &Path, file: &'a File) -> Result<Self, DataError> {
        Self::new(path, file).map_err(|error| DataError::write(path, error))
    }

    fn new(path: &Path, file: &'a File) -> io::Result<Self> {
        let buffer = BufWriter::with_capacity(1 << 18, file);
        let ends_in = |ending: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending));
        Ok(if ends_in("gz") {
            Self::Gzip(GzEncoder::new(buffer, flate2::Compression::new(4)))
        } else if ends_in("zst") {
            Self::Zstandard(zstd::Encoder::new(buffer, 3)?)
        } else {
            Self::Plain(buffer)
        })
    }

    /// Writes what is held back, and the end of what is compressed.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut buffer) => buffer.flush(),
            Self::Gzip(encoder) => encoder.finish()?.flush(),
            Self::Zstandard(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl Write for TextOutput<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(buffer) => buffer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstandard(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstandard(encoder) => encoder.flush(),
        }
    }
}

/// Writes the rows of a batch.
type WriteRows<'a> = fn(&mut TextOutput<'a>, &RecordBatch) -> io::Result<()>;

/// A format that writes one row after another, plain or compressed.
pub(super) struct RowByRow<'a> {
    path: &'a Path,
    output: TextOutput<'a>,
    write_rows: WriteRows<'a>,
}

impl<'a> RowByRow<'a> {
    pub(super) fn open(
        path: &'a Path,
        file: &'a File,
        write_rows: WriteRows<'a>,
    ) -> Result<Box<dyn TableWriter + 'a>, DataError> {
        Ok(Box::new(Self { path, output: TextOutput::open(path, file)?, write_rows }))
    }
}

impl TableWriter for RowByRow<'_> {
    fn write(&mut self, batch: RecordBatch) -> Result<(), DataError> {
        (self.write_rows)(&mut self.output, &batch).map_err(|error| DataError::write(self.path, error))
    }

    fn finish(self: Box<Self>) -> Result<(), DataError> {
        self.output.finish().map_err(|error| DataError::write(self.path, error))
    }
}

fn nothing_to_write(path: &Path) -> DataError {
    DataError::Params { message: format!("there are no rows to write to `{}`", path.display()) }
}
