//! Turns cells into Arrow columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Array, Int64Array, NullBufferBuilder, StringBuilder};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;

use super::cells::Cell;
use crate::source::dialect::{Marks, Missing};
use crate::source::value::{Guess, parse_bool, parse_float, parse_int};

/// The text of a cell, with doubled quotes made single.
pub(super) fn text_of(text: &str, cell: Cell, marks: Marks) -> Cow<'_, str> {
    // Cells begin and end beside ASCII characters, so the range is on character borders.
    let raw = text.get(cell.range()).unwrap_or_default();
    match marks.quote.filter(|_| cell.is_escaped()) {
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
    pub(super) marks: Marks,
    pub(super) missing: &'a Missing,
}

impl<'a> ColumnCells<'a> {
    fn iter(self) -> impl Iterator<Item = Cell> + 'a {
        self.cells.iter().skip(self.column).step_by(self.stride).copied()
    }

    fn raw(self) -> impl Iterator<Item = &'a str> + 'a {
        self.iter().map(move |cell| self.text.get(cell.range()).unwrap_or_default())
    }

    /// The narrowest type that holds `guess` and every cell.
    pub(super) fn join_types(self, guess: Guess) -> Guess {
        let mut guess = guess;
        for raw in self.raw() {
            if guess == Guess::Text {
                break;
            }
            if !self.missing.is(raw) {
                guess = guess.with(raw);
            }
        }
        guess
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
            Self::Int(values, nulls) => append_numbers(values, nulls, cells, parse_int),
            Self::Float(values, nulls) => append_numbers(values, nulls, cells, parse_float),
            Self::Bool(builder) => {
                for (row, raw) in cells.raw().enumerate() {
                    if cells.missing.is(raw) {
                        builder.append_null();
                    } else {
                        builder.append_value(parse_bool(raw).ok_or(row)?);
                    }
                }
                Ok(())
            }
            Self::Text(builder) => {
                for cell in cells.iter() {
                    let text = text_of(cells.text, cell, cells.marks);
                    if cells.missing.is(&text) {
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
    parse: impl Fn(&str) -> Option<T>,
) -> Result<(), usize> {
    for (row, raw) in cells.raw().enumerate() {
        if cells.missing.is(raw) {
            values.push(T::default());
            nulls.append_null();
        } else {
            values.push(parse(raw).ok_or(row)?);
            nulls.append_non_null();
        }
    }
    Ok(())
}
