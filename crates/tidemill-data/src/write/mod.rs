//! Writing a table to one file.

mod json;
mod parquet;
mod tfrecord;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Schema};
use flate2::write::GzEncoder;
use tidemill_files::{AtomicFile, FileError};

pub(crate) use parquet::ParquetFile;

use crate::DataError;
use crate::source::{Format, format_of};

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
    let Some((format, delimiter)) = format_of(path) else {
        return Err(DataError::UnknownFormat { path: path.to_owned() });
    };
    if matches!(format, Format::Avro | Format::Images | Format::Texts) {
        let name = format.name();
        let message = format!("`{}`: {name} are read, not written; Parquet can hold the same", path.display());
        return Err(DataError::Params { message });
    }
    let mut batches = batches.peekable();
    let schema = match batches.peek() {
        Some(Ok(batch)) => batch.schema(),
        Some(Err(_)) => return Err(batches.next().and_then(Result::err).unwrap_or_else(|| nothing_to_write(path))),
        None => return Err(nothing_to_write(path)),
    };
    if matches!(format, Format::Csv | Format::Json) {
        check_text_columns(path, format, &schema)?;
    }
    let failed = |error: FileError| DataError::write(path, tidemill_files::reason(error.io()));
    let draft = AtomicFile::create(path).map_err(failed)?;
    let file = draft.file();
    let mut rows = 0;
    match format {
        Format::Parquet => {
            let mut parquet = ParquetFile::new(path, BufWriter::new(file), &schema)?;
            for batch in batches {
                let batch = batch?;
                rows += batch.num_rows() as u64;
                parquet.push(batch)?;
            }
            parquet.finish()?;
        }
        Format::Csv => {
            rows = write_text(path, text_output(path, file)?, delimiter, batches)?;
        }
        // What cannot be written was refused above.
        Format::Json | Format::TfRecord | Format::Avro | Format::Images | Format::Texts => {
            let mut output = text_output(path, file)?;
            for batch in batches {
                let batch = batch?;
                rows += batch.num_rows() as u64;
                let written = match format {
                    Format::TfRecord => tfrecord::write_rows(&mut output, &batch),
                    _ => json::write_rows(&mut output, &batch),
                };
                written.map_err(|error| DataError::write(path, error))?;
            }
            output.finish().map_err(|error| DataError::write(path, error))?;
        }
    }
    draft.commit().map_err(failed)?;
    Ok(rows)
}

/// Refuses a column that a text format cannot hold: lists in CSV, bytes in both. `path` names the file in the error.
pub fn check_text_columns(path: &Path, format: Format, schema: &Schema) -> Result<(), DataError> {
    for field in schema.fields() {
        let what = match field.data_type() {
            DataType::List(_) if format == Format::Csv => "a list",
            DataType::Binary => "of type bytes",
            _ => continue,
        };
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
enum TextOutput<'a> {
    Plain(BufWriter<&'a File>),
    Gzip(GzEncoder<BufWriter<&'a File>>),
    Zstandard(zstd::Encoder<'static, BufWriter<&'a File>>),
}

impl<'a> TextOutput<'a> {
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
    fn finish(self) -> io::Result<()> {
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

fn text_output<'a>(path: &Path, file: &'a File) -> Result<TextOutput<'a>, DataError> {
    TextOutput::new(path, file).map_err(|error| DataError::write(path, error))
}

fn write_text(
    path: &Path,
    output: TextOutput<'_>,
    delimiter: u8,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
) -> Result<u64, DataError> {
    let mut rows = 0;
    let mut writer = WriterBuilder::new().with_header(true).with_delimiter(delimiter).build(output);
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(|error| DataError::write(path, error))?;
    }
    writer.into_inner().finish().map_err(|error| DataError::write(path, error))?;
    Ok(rows)
}

fn nothing_to_write(path: &Path) -> DataError {
    DataError::Params { message: format!("there are no rows to write to `{}`", path.display()) }
}
