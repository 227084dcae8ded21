//! The values of a column under construction.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanArray, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder,
    NullBufferBuilder, PrimitiveArray, StringArray, StringBuilder,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int64Type};
use smallvec::SmallVec;
use tidemill_core::{DataType, RowShape, TensorSpec};

/// The values of a column under construction.
///
/// Arrow's builders align their memory for long columns, which for one row costs more than all other work on it; so
/// single values have their own builders, and Arrow's are boxed: a request has a builder for each input, and they are
/// moved around.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    Bool(Flags),
    Int64(Numbers<Int64Type>),
    Fp64(Numbers<Float64Type>),
    Text(Texts),
    Binary(Box<BinaryBuilder>),
    Bools(Box<ListBuilder<BooleanBuilder>>),
    Int64s(Box<ListBuilder<Int64Builder>>),
    Fp64s(Box<ListBuilder<Float64Builder>>),
    Texts(Box<ListBuilder<StringBuilder>>),
}

/// Which values are missing, if any.
#[derive(Debug, Default)]
struct Nulls(Option<Box<NullBufferBuilder>>);

impl Nulls {
    fn append_values(&mut self, count: usize) {
        if let Some(nulls) = &mut self.0 {
            nulls.append_n_non_nulls(count);
        }
    }

    /// A missing value after `before` others.
    fn append_null(&mut self, before: usize) {
        let nulls = self.0.get_or_insert_with(|| {
            let mut nulls = Box::new(NullBufferBuilder::new(before + 1));
            nulls.append_n_non_nulls(before);
            nulls
        });
        nulls.append_null();
    }

    fn finish(&mut self) -> Option<NullBuffer> {
        self.0.take().and_then(|mut nulls| nulls.finish())
    }
}

/// The numbers of a column. A single number allocates no memory.
#[derive(Debug)]
pub(crate) struct Numbers<T: ArrowPrimitiveType> {
    values: SmallVec<[T::Native; 1]>,
    nulls: Nulls,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn with_capacity(rows: usize) -> Self {
        Self { values: SmallVec::with_capacity(rows), nulls: Nulls::default() }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn append_value(&mut self, value: T::Native) {
        self.values.push(value);
        self.nulls.append_values(1);
    }

    pub(crate) fn extend(&mut self, values: impl Iterator<Item = T::Native>) {
        let before = self.values.len();
        self.values.extend(values);
        self.nulls.append_values(self.values.len() - before);
    }

    fn append_null(&mut self) {
        self.nulls.append_null(self.values.len());
        self.values.push(T::Native::default());
    }

    fn finish(&mut self) -> PrimitiveArray<T> {
        PrimitiveArray::new(std::mem::take(&mut self.values).into_vec().into(), self.nulls.finish())
    }

    /// The column of the single number at a position of `words`.
    fn finish_word(&mut self, words: &Buffer, at: usize) -> PrimitiveArray<T> {
        self.values.clear();
        PrimitiveArray::new(ScalarBuffer::new(words.clone(), at, 1), self.nulls.finish())
    }
}

/// The booleans of a column.
#[derive(Debug)]
pub(crate) struct Flags {
    values: Vec<bool>,
    nulls: Nulls,
}

impl Flags {
    fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), nulls: Nulls::default() }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn append_value(&mut self, value: bool) {
        self.values.push(value);
        self.nulls.append_values(1);
    }

    fn append_null(&mut self) {
        self.nulls.append_null(self.values.len());
        self.values.push(false);
    }

    fn finish(&mut self) -> BooleanArray {
        BooleanArray::new(BooleanBuffer::from(std::mem::take(&mut self.values)), self.nulls.finish())
    }
}

/// The texts of a column, concatenated.
#[derive(Debug)]
pub(crate) struct Texts {
    text: String,
    /// The end of each text.
    ends: Vec<usize>,
    nulls: Nulls,
}

impl Texts {
    fn with_capacity(rows: usize) -> Self {
        Self { text: String::new(), ends: Vec::with_capacity(rows), nulls: Nulls::default() }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn append_value(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
        self.nulls.append_values(1);
    }

    fn append_null(&mut self) {
        self.nulls.append_null(self.ends.len());
        self.ends.push(self.text.len());
    }

    fn finish(&mut self) -> StringArray {
        let ends = std::mem::take(&mut self.ends);
        let mut before = 0;
        let lengths = ends.iter().map(|end| end - std::mem::replace(&mut before, *end));
        let offsets = OffsetBuffer::from_lengths(lengths);
        StringArray::new(offsets, Buffer::from(std::mem::take(&mut self.text).into_bytes()), self.nulls.finish())
    }
}

/// Calls a method on the builder of any column.
macro_rules! any {
    ($cells:expr, $builder:ident => $call:expr) => {
        match $cells {
            ColumnBuilder::Bool($builder) => $call,
            ColumnBuilder::Int64($builder) => $call,
            ColumnBuilder::Fp64($builder) => $call,
            ColumnBuilder::Text($builder) => $call,
            ColumnBuilder::Binary($builder) => $call,
            ColumnBuilder::Bools($builder) => $call,
            ColumnBuilder::Int64s($builder) => $call,
            ColumnBuilder::Fp64s($builder) => $call,
            ColumnBuilder::Texts($builder) => $call,
        }
    };
}

impl ColumnBuilder {
    /// For about `rows` rows of `spec`.
    pub(crate) fn new(spec: &TensorSpec, rows: usize) -> Self {
        match (spec.form, spec.datatype) {
            (RowShape::Value, DataType::Bool) => Self::Bool(Flags::with_capacity(rows)),
            (RowShape::Value, DataType::Int64) => Self::Int64(Numbers::with_capacity(rows)),
            (RowShape::Value, DataType::Fp64) => Self::Fp64(Numbers::with_capacity(rows)),
            (RowShape::Value, DataType::Bytes) => Self::Text(Texts::with_capacity(rows)),
            (RowShape::Binary, _) => Self::Binary(Box::default()),
            (RowShape::List, DataType::Bool) => Self::Bools(Box::new(ListBuilder::new(BooleanBuilder::new()))),
            (RowShape::List, DataType::Int64) => Self::Int64s(Box::new(ListBuilder::new(Int64Builder::new()))),
            (RowShape::List, DataType::Fp64) => Self::Fp64s(Box::new(ListBuilder::new(Float64Builder::new()))),
            (RowShape::List, DataType::Bytes) => Self::Texts(Box::new(ListBuilder::new(StringBuilder::new()))),
        }
    }

    /// The number of rows; an unfinished list does not count.
    pub(crate) fn len(&self) -> usize {
        any!(self, cells => cells.len())
    }

    /// Pushes a boolean, as a row or as the next value of a list.
    pub(crate) fn push_bool(&mut self, value: bool) {
        match self {
            Self::Bool(cells) => cells.append_value(value),
            Self::Bools(cells) => cells.values().append_value(value),
            _ => {}
        }
    }

    /// Pushes a whole number, which may stand for a real one.
    pub(crate) fn push_int(&mut self, value: i64) {
        match self {
            Self::Int64(cells) => cells.append_value(value),
            Self::Fp64(cells) => cells.append_value(value as f64),
            Self::Int64s(cells) => cells.values().append_value(value),
            Self::Fp64s(cells) => cells.values().append_value(value as f64),
            _ => {}
        }
    }

    /// A real number.
    pub(crate) fn push_float(&mut self, value: f64) {
        match self {
            Self::Fp64(cells) => cells.append_value(value),
            Self::Fp64s(cells) => cells.values().append_value(value),
            _ => {}
        }
    }

    /// Pushes text, which is also valid as bytes.
    pub(crate) fn push_str(&mut self, value: &str) {
        match self {
            Self::Text(cells) => cells.append_value(value),
            Self::Texts(cells) => cells.values().append_value(value),
            Self::Binary(cells) => cells.append_value(value),
            _ => {}
        }
    }

    /// Pushes bytes that need not be text.
    pub(crate) fn push_bytes(&mut self, value: &[u8]) {
        if let Self::Binary(cells) = self {
            cells.append_value(value);
        }
    }

    /// Pushes a missing value: a row without one, or one inside a list.
    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Bools(cells) => cells.values().append_null(),
            Self::Int64s(cells) => cells.values().append_null(),
            Self::Fp64s(cells) => cells.values().append_null(),
            Self::Texts(cells) => cells.values().append_null(),
            _ => self.push_missing(1),
        }
    }

    /// Pushes `rows` rows without a value, or without a list.
    pub(crate) fn push_missing(&mut self, rows: usize) {
        for _ in 0..rows {
            match self {
                Self::Bools(cells) => cells.append_null(),
                Self::Int64s(cells) => cells.append_null(),
                Self::Fp64s(cells) => cells.append_null(),
                Self::Texts(cells) => cells.append_null(),
                Self::Bool(cells) => cells.append_null(),
                Self::Int64(cells) => cells.append_null(),
                Self::Fp64(cells) => cells.append_null(),
                Self::Text(cells) => cells.append_null(),
                Self::Binary(cells) => cells.append_null(),
            }
        }
    }

    /// Ends the list of a row.
    pub(crate) fn end_list(&mut self) {
        match self {
            Self::Bools(cells) => cells.append(true),
            Self::Int64s(cells) => cells.append(true),
            Self::Fp64s(cells) => cells.append(true),
            Self::Texts(cells) => cells.append(true),
            _ => {}
        }
    }

    /// The bits of the single number; 0 if it is not a number.
    pub(crate) fn word(&self) -> u64 {
        match self {
            Self::Int64(cells) => cells.values.first().map_or(0, |value| *value as u64),
            Self::Fp64(cells) => cells.values.first().map_or(0, |value| value.to_bits()),
            _ => 0,
        }
    }

    /// As [`finish`](Self::finish) for one row: `words` contains the [`word`](Self::word) of each column, and this
    /// column's is at `at`. So all numbers of a request share one allocation.
    pub(crate) fn finish_row(&mut self, words: &Buffer, at: usize) -> ArrayRef {
        match self {
            Self::Int64(cells) => Arc::new(cells.finish_word(words, at)),
            Self::Fp64(cells) => Arc::new(cells.finish_word(words, at)),
            _ => self.finish(),
        }
    }

    /// Returns the column and empties the builder.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        any!(self, cells => Arc::new(cells.finish()))
    }
}
