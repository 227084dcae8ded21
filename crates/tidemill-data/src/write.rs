//! Writing a table to one file.

use std::path::Path;

use arrow::array::RecordBatch;

use crate::DataError;

/// Writes `batches` to one CSV or Parquet file, by the extension of `path`, and gives the number of rows.
pub fn write_table(
    path: &Path,
    batches: impl Iterator<Item = Result<RecordBatch, DataError>>,
) -> Result<u64, DataError> {
    let _ = batches;
    Err(DataError::UnknownFormat { path: path.to_owned() })
}
