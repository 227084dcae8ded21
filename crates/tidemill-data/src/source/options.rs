//! How to read a table.

use arrow::datatypes::SchemaRef;

/// How to read a table. The default decides everything from the data.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Types that columns must have, by name: `Int64`, `Float64`, `Utf8` or `Boolean`. A value that cannot have its
    /// type is an error that names file, line and column. Columns that are not named get their type from the data;
    /// names that the data does not have are an error.
    pub types: Option<SchemaRef>,
    /// The only columns to read, in this order; all when absent.
    pub columns: Option<Vec<String>>,
    /// What stands between cells of a text file; from the extension when absent (comma, or tab for `.tsv`).
    pub delimiter: Option<u8>,
}
