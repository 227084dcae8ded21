//! How to read a table.

use arrow::datatypes::SchemaRef;

use super::CsvOptions;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text with one row a line and a delimiter between cells; plain, or compressed with gzip or Zstandard.
    Csv,
    /// JSON with one object a line; plain, or compressed with gzip or Zstandard.
    Json,
    /// Apache Parquet.
    Parquet,
    /// TFRecord of `tf.Example`, plain or compressed with gzip.
    TfRecord,
    /// Avro object container files.
    Avro,
    /// Images in folders: a file is a row, the folder its label.
    Images,
    /// Texts in folders: a file is a row, the folder its label.
    Texts,
}

impl Format {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON lines",
            Self::Parquet => "Parquet",
            Self::TfRecord => "TFRecord",
            Self::Avro => "Avro files",
            Self::Images => "images",
            Self::Texts => "texts",
        }
    }

    /// Whether a file is a row, and folders say what it is.
    pub(super) const fn is_blobs(self) -> bool {
        matches!(self, Self::Images | Self::Texts)
    }

    /// Whether a row, and so a file, may leave columns out that others have.
    pub(super) const fn has_optional_columns(self) -> bool {
        matches!(self, Self::Json | Self::TfRecord)
    }
}

/// How to read a table. The default decides everything from the data.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The format; from the extension of each file when absent.
    pub format: Option<Format>,
    /// Types that columns must have, by name, of those that [`is_column_type`](crate::is_column_type) names. A value that cannot have its
    /// type is an error that names file, line and column. Columns that are not named get their type from the data;
    /// names that the data does not have are an error.
    pub types: Option<SchemaRef>,
    /// The only columns to read, in this order; all when absent.
    pub columns: Option<Vec<String>>,
    /// How CSV files are written; of no matter for other formats.
    pub csv: CsvOptions,
}
