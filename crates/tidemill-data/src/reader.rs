//! A stream of record batches.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::DataError;

/// Rows of the largest batch that a [`BatchReader`] gives.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Cells of a batch, about: wide tables get fewer rows a batch, so that memory stays bounded.
const BATCH_CELLS: usize = 2 << 20;

/// Rows of a batch of so many columns.
pub(crate) fn batch_rows(columns: usize) -> usize {
    (BATCH_CELLS / columns.max(1)).clamp(256, BATCH_ROWS_MAX)
}

/// Batches of rows in a fixed order, all of one schema.
///
/// Columns are of the types that [`is_column_type`](crate::is_column_type) names; null means missing. A batch holds at least one row and at
/// most [`BATCH_ROWS_MAX`]. After an error the reader gives nothing more.
pub struct BatchReader {
    schema: SchemaRef,
    rows: Option<u64>,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + Send>,
    failed: bool,
}

impl BatchReader {
    /// A reader over `batches`, which must all have `schema`.
    pub fn new(
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, DataError>> + Send + 'static,
    ) -> Self {
        Self { schema, rows: None, batches: Box::new(batches), failed: false }
    }

    /// The same reader, which knows that `rows` rows are ahead.
    pub fn with_row_count(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// The columns of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// How many rows the reader gives from start to end, where that is known beforehand.
    pub fn row_count(&self) -> Option<u64> {
        self.rows
    }
}

impl Iterator for BatchReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.batches.next();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

impl std::fmt::Debug for BatchReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchReader").field("schema", &self.schema).field("rows", &self.rows).finish_non_exhaustive()
    }
}
