//! Reading and writing tables as people have them: files of comma-separated values, JSON lines, Parquet, TFRecord and Avro,
//! alone, in folders, by glob; folders of images and texts.
//!
//! A format is a folder here that implements [`SourceFormat`](format::SourceFormat), and a line in the registry in
//! `format.rs`. [`Table`] joins the columns of several files; `files.rs` finds the files; the other files are shared by formats.

mod avro;
mod blobs;
mod block;
mod columns;
mod convert;
mod csv;
mod dialect;
mod files;
mod format;
mod groups;
mod json;
mod nested;
mod options;
mod parquet;
mod remarks;
mod rows;
mod table;
mod tfrecord;
mod value;
mod write;

use std::path::Path;

pub use dialect::{CsvOptions, Header, parse_decimal, parse_delimiter, parse_quote};
pub(crate) use files::{InputFile, resolve};
pub use format::Format;
pub use options::ReadOptions;
pub(crate) use parquet::{ParquetFile, read as read_parquet};
pub use table::{Table, TableFile};
pub use value::Decimal;
pub use write::{check_text_columns, write_table};

use crate::{BatchReader, DataError};

/// Columns of the widest file that is read, where the format itself has no bound.
const COLUMNS_MAX: usize = 32_768;

/// Opens one file, a folder of files, or a glob, and decides the type of every column over all its rows.
///
/// [`Table`] does the same and can be read more than once.
pub fn open_table(path: &Path, options: &ReadOptions) -> Result<BatchReader, DataError> {
    Table::open(path, options)?.read()
}
