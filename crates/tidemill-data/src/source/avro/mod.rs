//! Avro object container files.
//!
//! * The schema is a record; its fields are columns, those of records in it columns with a dotted path. A union with
//!   null is a column with missing values; other unions, maps and arrays of arrays or records are left out, with a remark.
//! * `enum` and `uuid` are text, decimals numbers; dates, times and timestamps are text in ISO 8601, as in Parquet;
//!   `bytes` and `fixed` are text where all values of all rows are UTF-8, else bytes.
//! * Blocks may be compressed with deflate, snappy or Zstandard. Sync markers are checked, sizes bounded; an error names
//!   the block and its byte.
//!
//! The container is read here, so that nothing of a damaged file goes unnoticed; the records are decoded by `arrow-avro`.

mod container;
mod read;

use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::columns::FileColumns;
use super::files::InputFile;
use super::format::{Batches, SourceFormat};
use super::{CsvOptions, ReadOptions};
use crate::DataError;

/// The format, which is only read.
pub(super) struct Avro;

impl SourceFormat for Avro {
    fn name(&self) -> &'static str {
        "Avro files"
    }

    fn key(&self) -> &'static str {
        "avro"
    }

    fn about(&self) -> &'static str {
        "Avro object container files"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["avro"]
    }

    fn inspect(&self, file: &InputFile, _: &ReadOptions) -> Result<FileColumns, DataError> {
        read::columns(&file.path)
    }

    fn read(&self, file: &InputFile, _: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read::read(&file.path, schema)?))
    }
}

/// A block with something wrong with it.
fn of_block(path: &Path, number: u64, offset: u64, message: &str) -> DataError {
    DataError::malformed(path, None, format!("block {number} at byte {offset}: {message}"))
}

fn no_avro(path: &Path, message: &str) -> DataError {
    DataError::malformed(path, None, format!("not an Avro file, or damaged: {message}"))
}
