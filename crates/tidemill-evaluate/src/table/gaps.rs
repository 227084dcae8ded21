//! Empty cells of stored predictions.

use arrow::array::{Array, ArrayRef};

/// Empty cells of one column, counted over all rows so that one message reports all.
pub(super) struct Gaps {
    pub role: &'static str,
    pub index: usize,
    pub rows: u64,
    pub missing: u64,
    pub first: u64,
}

impl Gaps {
    pub fn new(role: &'static str, index: usize) -> Self {
        Self { role, index, rows: 0, missing: 0, first: 0 }
    }

    pub fn add_column(&mut self, column: &ArrayRef) {
        if self.missing == 0
            && let Some(row) = (0..column.len()).find(|row| column.is_null(*row))
        {
            self.first = self.rows + row as u64 + 1;
        }
        self.rows += column.len() as u64;
        self.missing += column.null_count() as u64;
    }
}
