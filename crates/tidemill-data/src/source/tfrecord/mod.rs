//! TFRecord files of `tf.Example` and `tf.SequenceExample`, as TensorFlow writes them.
//!
//! * A file is records one after another: the length (8 bytes, little-endian), its masked CRC-32C, the bytes, their
//!   masked CRC-32C. Both are checked; an error names the record and its byte. A file may be compressed with gzip.
//! * A record is a `tf.Example`; its features are columns, in the order in which they first appear.
//! * `int64_list` is read as `Int64`, `float_list` as `Float64`, `bytes_list` as `Utf8` where every value of every record
//!   is UTF-8 text, else as `Binary`. A feature of numbers in one record and bytes in another is an error.
//! * A feature with at most one value in every record is a column of values, in which a feature that is not there or
//!   has no value is missing. Any other is a column of lists, in which a feature without values is an empty list.
//! * Of a `tf.SequenceExample` the context is read so. A list of features is a column of lists: the values of its steps one
//!   after another. Where some step of some record has not exactly one value, a column `NAME.lengths` says how many each
//!   step has.
//!
//! A file is read twice, as CSV is: [`scan()`] checks every rule and decides the types, [`read()`] makes columns.

mod frame;
mod read;
mod scan;
mod write;

use std::path::Path;

use arrow::datatypes::SchemaRef;

use self::read::read;
use self::scan::scan;
use super::columns::FileColumns;
use super::files::InputFile;
use super::format::{Batches, SourceFormat};
use super::write::{OpenWriter, RowByRow};
use super::{CsvOptions, ReadOptions};
use crate::DataError;

/// The format.
pub(super) struct TfRecord;

impl SourceFormat for TfRecord {
    fn name(&self) -> &'static str {
        "TFRecord"
    }

    fn key(&self) -> &'static str {
        "tfrecord"
    }

    fn about(&self) -> &'static str {
        "TFRecord of tf.Example"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["tfrecord"]
    }

    /// Shards have names such as `train.tfrecord-00000-of-00010` and `data_tfrecord-00000-of-00001.gz`.
    fn has_name(&self, name: &str) -> bool {
        name.contains("tfrecord")
    }

    fn has_optional_columns(&self) -> bool {
        true
    }

    fn inspect(&self, file: &InputFile, _: &ReadOptions) -> Result<FileColumns, DataError> {
        let (columns, rows) = scan(&file.path)?;
        Ok(FileColumns::guessed(columns, rows))
    }

    fn read(&self, file: &InputFile, _: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read(&file.path, schema)?))
    }

    fn writer(&self) -> Option<OpenWriter> {
        Some(|path, file, _| RowByRow::open(path, file, write::write_rows))
    }
}

/// The column of the numbers of values in the steps of `name`.
fn lengths(name: &str) -> String {
    format!("{name}.lengths")
}

/// A record with something wrong with it.
fn of_record(path: &Path, number: u64, offset: u64, message: &str) -> DataError {
    DataError::malformed(path, None, format!("record {number} at byte {offset}: {message}"))
}
