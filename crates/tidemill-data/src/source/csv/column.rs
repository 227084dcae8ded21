//! Turns cells into Arrow columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Array, Int64Array, NullBufferBuilder, StringBuilder};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;

use super::cells::Cell;
use super::notes::Notes;
use crate::source::dialect::Dialect;
use crate::source::value::{CellKinds, Decimal, is_null_word, parse_bool};

/// The text of a cell, with doubled quotes made single.
pub(super) fn text_of<'a>(text: &'a str, cell: Cell, dialect: &Dialect) -> Cow<'a, str> {
    // Cells begin and end beside ASCII characters, so the range is on character borders.
    let raw = text.get(cell.range()).unwrap_or_default();
    match dialect.marks.quote.filter(|_| cell.is_escaped()) {
        Some(quote) => {
            let quote = char::from(quote);
            Cow::Owned(raw.replace([quote, quote].iter().collect::<String>().as_str(), quote.encode_utf8(&mut [0; 4])))
        }
        None => Cow::Borrowed(raw),
    }
}

/// The cells of one column, `stride` cells apart, in a run of rows.
#[derive(Clone, Copy)]
pub(super) struct ColumnCells<'a> {
    pub(super) text: &'a str,
    pub(super) cells: &'a [Cell],
    pub(super) column: usize,
    pub(super) stride: usize,
    pub(super) dialect: &'a Dialect,
}

impl<'a> ColumnCells<'a> {
    fn iter(self) -> impl Iterator<Item = Cell> + 'a {
        self.cells.iter().skip(self.column).step_by(self.stride).copied()
    }

    fn raw(self) -> impl Iterator<Item = &'a str> + 'a {
        self.iter().map(move |cell| self.text.get(cell.range()).unwrap_or_default())
    }

    fn is_missing(self, text: &str) -> bool {
        self.dialect.missing.is(text)
    }

    /// Adds the kinds of the cells to those seen so far, and takes note of what may stand for missing values.
    pub(super) fn look(self, kinds: &mut CellKinds, notes: &mut Notes) {
        let decimal = self.dialect.decimal;
        for raw in self.raw() {
            if kinds.is_settled() {
                return;
            }
            if self.is_missing(raw) || kinds.covers(raw, decimal) {
                continue;
            }
            let kind = CellKinds::of(raw, decimal);
            if kind.is_null_token() {
                notes.count(raw);
            }
            *kinds = kinds.join(kind);
        }
    }
}

/// A column under construction.
pub(super) enum ColumnBuilder {
    Int(Vec<i64>, NullBufferBuilder),
    Float(Vec<f64>, NullBufferBuilder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
}

impl ColumnBuilder {
    /// A builder for one of the four types, with room for `rows`.
    pub(super) fn new(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::Int64 => Self::Int(Vec::with_capacity(rows), NullBufferBuilder::new(rows)),
            DataType::Float64 => Self::Float(Vec::with_capacity(rows), NullBufferBuilder::new(rows)),
            DataType::Boolean => Self::Bool(BooleanBuilder::with_capacity(rows)),
            _ => Self::Text(StringBuilder::with_capacity(rows, rows * 8)),
        }
    }

    /// Appends a run of cells. On a cell that does not fit the type: its place in the run.
    pub(super) fn append(&mut self, cells: ColumnCells<'_>) -> Result<(), usize> {
        match self {
            Self::Int(values, nulls) => {
                // A whole number cannot be NaN: among whole numbers it is a missing value.
                let is_nan = |text: &str| Decimal::Point.parse(text).is_some_and(f64::is_nan);
                let parse = |text: &str, decimal: Decimal| decimal.parse_whole(text);
                append_numbers(values, nulls, cells, parse, |text| is_null_word(text) || is_nan(text))
            }
            Self::Float(values, nulls) => {
                append_numbers(values, nulls, cells, |text, decimal| decimal.parse(text), is_null_word)
            }
            Self::Bool(builder) => {
                for (row, raw) in cells.raw().enumerate() {
                    match parse_bool(raw) {
                        Some(value) if !cells.is_missing(raw) => builder.append_value(value),
                        None if !cells.is_missing(raw) && !is_null_word(raw) => return Err(row),
                        _ => builder.append_null(),
                    }
                }
                Ok(())
            }
            Self::Text(builder) => {
                for cell in cells.iter() {
                    let text = text_of(cells.text, cell, cells.dialect);
                    if cells.is_missing(&text) {
                        builder.append_null();
                    } else {
                        builder.append_value(text);
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Int(values, mut nulls) => Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls.finish())),
            Self::Float(values, mut nulls) => Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls.finish())),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn append_numbers<T: Default>(
    values: &mut Vec<T>,
    nulls: &mut NullBufferBuilder,
    cells: ColumnCells<'_>,
    parse: impl Fn(&str, Decimal) -> Option<T>,
    is_null: impl Fn(&str) -> bool,
) -> Result<(), usize> {
    let decimal = cells.dialect.decimal;
    for (row, raw) in cells.raw().enumerate() {
        match parse(raw, decimal) {
            Some(value) if !cells.is_missing(raw) => {
                values.push(value);
                nulls.append_non_null();
            }
            None if !cells.is_missing(raw) && !is_null(raw) => return Err(row),
            _ => {
                values.push(T::default());
                nulls.append_null();
            }
        }
    }
    Ok(())
}
