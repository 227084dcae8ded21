//! Rows whose values come one by one with a name, from formats that do not keep columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};

use super::COLUMNS_MAX;
use super::value::{Guess, parse_bool, parse_float, parse_int, whole_number};
use crate::DataError;

/// One value of a row; a missing one is not given at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    /// A whole number beyond `i64`.
    Big(u64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

impl Value<'_> {
    /// The narrowest type that holds the value. Text is text, even where it reads like a number.
    pub(super) fn guess(&self) -> Guess {
        match self {
            Self::Int(_) => Guess::Int,
            Self::Big(_) | Self::Float(_) => Guess::Float,
            Self::Bool(_) => Guess::Bool,
            Self::Text(_) => Guess::Text,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Big(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Text(value) => (*value).to_owned(),
        }
    }
}

/// The columns seen so far, in the order of their first appearance, with the type that holds all values.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    columns: Vec<(String, Guess)>,
    /// For each column, the row that had it last.
    rows: Vec<u64>,
    places: HashMap<String, usize>,
    /// Where the next name is expected: rows tend to have the same names in the same order.
    next: usize,
    row: u64,
}

impl Seen {
    /// Takes note of a column that has the type `guess` in this row; false if the row had it before.
    ///
    /// One column more than can be read is an error, to follow the name of the file.
    pub(super) fn note(&mut self, name: &str, guess: Guess) -> Result<bool, String> {
        let place = match self.columns.get(self.next) {
            Some((expected, _)) if expected == name => self.next,
            _ => match self.places.get(name) {
                Some(place) => *place,
                None if self.columns.len() == COLUMNS_MAX => {
                    return Err(format!("there are more than the {COLUMNS_MAX} columns that are read"));
                }
                None => {
                    self.places.insert(name.to_owned(), self.columns.len());
                    self.columns.push((name.to_owned(), Guess::Nothing));
                    self.rows.push(0);
                    self.columns.len() - 1
                }
            },
        };
        self.next = place + 1;
        let known = &mut self.columns[place].1;
        *known = known.join(guess);
        Ok(std::mem::replace(&mut self.rows[place], self.row) != self.row)
    }

    /// Whether this row has had the column.
    pub(super) fn is_in_row(&self, name: &str) -> bool {
        self.places.get(name).is_some_and(|place| self.rows[*place] == self.row)
    }

    /// Begins the next row; to be called before the first.
    pub(super) fn new_row(&mut self) {
        self.next = 0;
        self.row += 1;
    }

    /// Takes note of everything seen in rows further down.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), String> {
        self.new_row();
        other.columns.iter().try_for_each(|(name, guess)| self.note(name, *guess).map(|_| ()))
    }

    pub(super) fn into_columns(self) -> Vec<(String, Guess)> {
        self.columns
    }
}

/// Columns under construction, one value at a time.
pub(super) struct Rows {
    schema: SchemaRef,
    places: Arc<HashMap<String, usize>>,
    columns: Vec<Column>,
    next: usize,
    /// Rows that are complete.
    count: usize,
}

struct Column {
    values: Builder,
    /// Rows that have a value or a null so far.
    len: usize,
}

enum Builder {
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
}

/// The place of each column of a schema.
pub(super) fn places(schema: &SchemaRef) -> Arc<HashMap<String, usize>> {
    Arc::new(schema.fields().iter().enumerate().map(|(i, field)| (field.name().clone(), i)).collect())
}

impl Rows {
    /// No rows yet; `places` are those of the schema.
    pub(super) fn new(schema: &SchemaRef, places: Arc<HashMap<String, usize>>) -> Self {
        let builder = |data_type: &DataType| match data_type {
            DataType::Int64 => Builder::Int(Int64Builder::new()),
            DataType::Float64 => Builder::Float(Float64Builder::new()),
            DataType::Boolean => Builder::Bool(BooleanBuilder::new()),
            _ => Builder::Text(StringBuilder::new()),
        };
        let columns = schema.fields().iter().map(|f| Column { values: builder(f.data_type()), len: 0 }).collect();
        Self { schema: schema.clone(), places, columns, next: 0, count: 0 }
    }

    /// Gives a value to a column of the row under construction; a column that is not read is passed over.
    ///
    /// The error says what does not fit, to follow "column `x`".
    pub(super) fn set(&mut self, name: &str, value: &Value<'_>) -> Result<(), String> {
        let place = match self.schema.fields().get(self.next) {
            Some(field) if field.name() == name => self.next,
            _ => match self.places.get(name) {
                Some(place) => *place,
                None => return Ok(()),
            },
        };
        self.next = place + 1;
        let column = &mut self.columns[place];
        if column.len > self.count {
            return Err("is there twice in a row".to_owned());
        }
        column.pad(self.count);
        column.len += 1;
        column.values.push(value)
    }

    /// Ends the row; columns without a value are null in it.
    pub(super) fn end_row(&mut self) {
        self.count += 1;
        self.next = 0;
    }

    /// The rows as a batch.
    pub(super) fn finish(self) -> Result<RecordBatch, DataError> {
        let rows = self.count;
        let columns = self.columns.into_iter().map(|mut column| {
            column.pad(rows);
            column.values.finish()
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema, columns.collect(), &options)?)
    }
}

impl Column {
    fn pad(&mut self, rows: usize) {
        let nulls = rows - self.len.min(rows);
        match &mut self.values {
            Builder::Int(builder) => builder.append_nulls(nulls),
            Builder::Float(builder) => builder.append_nulls(nulls),
            Builder::Bool(builder) => builder.append_nulls(nulls),
            Builder::Text(builder) => builder.append_nulls(nulls),
        }
        self.len += nulls;
    }
}

impl Builder {
    /// Appends a value. Text is read as a number or a boolean where such a type is asked for from outside, and empty
    /// text is then missing.
    fn push(&mut self, value: &Value<'_>) -> Result<(), String> {
        let misfit = |kind: &str| {
            let shown: String = value.text().chars().take(40).collect();
            Err(format!("is `{shown}`, which is not {kind}"))
        };
        match self {
            Self::Int(builder) => {
                let int = match *value {
                    Value::Int(int) => Some(int),
                    Value::Float(float) => whole_number(float),
                    Value::Text("") => {
                        builder.append_null();
                        return Ok(());
                    }
                    Value::Text(text) => parse_int(text),
                    Value::Big(_) | Value::Bool(_) => None,
                };
                let Some(int) = int else { return misfit("a whole number of 64 bits") };
                builder.append_value(int);
            }
            Self::Float(builder) => {
                let float = match *value {
                    Value::Int(int) => Some(int as f64),
                    Value::Big(int) => Some(int as f64),
                    Value::Float(float) => Some(float),
                    Value::Text("") => {
                        builder.append_null();
                        return Ok(());
                    }
                    Value::Text(text) => parse_float(text),
                    Value::Bool(_) => None,
                };
                let Some(float) = float else { return misfit("a number") };
                builder.append_value(float);
            }
            Self::Bool(builder) => {
                let flag = match *value {
                    Value::Bool(flag) => Some(flag),
                    Value::Text("") => {
                        builder.append_null();
                        return Ok(());
                    }
                    Value::Text(text) => parse_bool(text),
                    _ => None,
                };
                let Some(flag) = flag else { return misfit("`true` or `false`") };
                builder.append_value(flag);
            }
            Self::Text(builder) => match value {
                Value::Text(text) => builder.append_value(text),
                other => builder.append_value(other.text()),
            },
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}
