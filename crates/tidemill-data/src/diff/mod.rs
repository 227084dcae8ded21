//! Two tables row by row: which rows only one has, and which cells differ in rows of the same key.

mod cell;
mod columns;
mod compare;
mod spill;

use serde::Serialize;

pub use compare::diff_tables;

/// How two tables are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffOptions {
    /// Columns that together name a row in both tables. At least one.
    pub key: Vec<String>,
    /// Columns that are not compared.
    pub ignore: Vec<String>,
    /// Two numbers are the same if they differ by no more than this times the largest of 1 and their sizes.
    pub tolerance: f64,
    /// Sample rows of each kind.
    pub samples: usize,
}

/// What differs between a first table `a` and a second one `b`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct TableDiff {
    /// The key columns.
    pub key: Vec<String>,
    /// Rows of each.
    pub rows: Sides<u64>,
    /// Rows with a key that the other has not.
    pub only: Sides<u64>,
    /// Keys that both have once.
    pub matched: u64,
    /// Matched rows in which no cell differs.
    pub same: u64,
    /// Matched rows in which some cell differs.
    pub changed: u64,
    /// Rows with no value in a key column; they are not compared.
    pub without_key: Sides<u64>,
    /// Keys that a table has more than once; their rows are not compared.
    pub duplicate_keys: Sides<u64>,
    /// Columns that the other has not.
    pub columns_only: Sides<Vec<String>>,
    /// Columns compared, those with most changes first.
    pub columns: Vec<ColumnDiff>,
    /// Some rows of each kind, those with the smallest keys.
    pub samples: Samples,
}

impl TableDiff {
    /// Whether both tables hold the same rows, in whatever order, in the columns compared.
    pub fn is_same(&self) -> bool {
        let none = |sides: Sides<u64>| sides == Sides::default();
        none(self.only)
            && none(self.without_key)
            && none(self.duplicate_keys)
            && self.changed == 0
            && self.columns_only == Sides::default()
    }
}

/// The same of both tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sides<T> {
    /// Of the first.
    pub a: T,
    /// Of the second.
    pub b: T,
}

/// What differs in one column of the rows that match.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ColumnDiff {
    /// The column.
    pub column: String,
    /// Rows in which it differs.
    pub changed: u64,
    /// Of these, rows in which only the second has a value.
    pub appeared: u64,
    /// Of these, rows in which only the first has a value.
    pub vanished: u64,
    /// The largest difference of two numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_difference: Option<f64>,
    /// The most frequent changes, where they repeat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<FrequentChange>,
}

/// A change of one value into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrequentChange {
    /// The value in the first, `null` where it is missing.
    pub a: Option<String>,
    /// The value in the second.
    pub b: Option<String>,
    /// Rows.
    pub rows: u64,
}

/// Rows of each kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Samples {
    /// Rows with a key that the other table has not.
    pub only: Sides<Vec<SampleRow>>,
    /// Rows in which some cell differs.
    pub changed: Vec<ChangedRow>,
    /// Keys that a table has more than once.
    pub duplicate_keys: Sides<Vec<SampleRow>>,
}

/// A row by its key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SampleRow {
    /// Values of the key columns.
    pub key: Vec<String>,
    /// The first row with it, from 1, not counting a header.
    pub row: u64,
    /// Rows with it.
    pub rows: u64,
}

/// A row in which cells differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChangedRow {
    /// Values of the key columns.
    pub key: Vec<String>,
    /// Where it is in each table, from 1.
    pub rows: Sides<u64>,
    /// The cells that differ.
    pub cells: Vec<ChangedCell>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChangedCell {
    /// The column.
    pub column: String,
    /// The value in the first, `null` where it is missing.
    pub a: Option<String>,
    /// The value in the second.
    pub b: Option<String>,
}
