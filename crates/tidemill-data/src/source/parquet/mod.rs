//! Apache Parquet.

mod read;
mod write;

use arrow::datatypes::SchemaRef;

pub(crate) use self::read::read;
pub(crate) use self::write::ParquetFile;
use super::columns::FileColumns;
use super::files::InputFile;
use super::format::{Batches, SourceFormat};
use super::write::OpenWriter;
use super::{CsvOptions, ReadOptions};
use crate::DataError;

/// The format.
pub(super) struct Parquet;

impl SourceFormat for Parquet {
    fn name(&self) -> &'static str {
        "Parquet"
    }

    fn key(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "Apache Parquet"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn inspect(&self, file: &InputFile, _: &ReadOptions) -> Result<FileColumns, DataError> {
        read::columns(&file.path)
    }

    fn read(&self, file: &InputFile, _: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read(&file.path, schema)?))
    }

    fn writer(&self) -> Option<OpenWriter> {
        Some(write::open)
    }
}
