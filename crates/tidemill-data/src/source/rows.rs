//! Rows whose values come one by one with a name, from formats that do not keep columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListArray, NullBufferBuilder, RecordBatch,
    RecordBatchOptions, StringBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef};

use super::COLUMNS_MAX;
use super::value::{CellKinds, Decimal, EXACT_MAX, Shape, is_null_word, parse_bool, parse_float, whole_number};
use crate::DataError;

/// One value of a row; a missing one is not given at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    /// A whole number beyond `i64`.
    Big(u64),
    /// A whole number beyond 64 bits, as it is written.
    Digits(&'a str),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    /// Bytes that may be text.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// The narrowest type that holds the value. Text is text, even where it reads like a number.
    pub(super) fn kinds(&self) -> CellKinds {
        match self {
            Self::Int(_) => CellKinds::INT,
            Self::Big(_) | Self::Digits(_) => CellKinds::BIG,
            // What is whole may be read as a whole number, if that is asked for.
            Self::Float(value) if value.fract() == 0.0 && value.abs() < EXACT_MAX => CellKinds::WHOLE,
            Self::Float(_) => CellKinds::FRACTION,
            Self::Bool(_) => CellKinds::BOOL,
            Self::Text(_) => CellKinds::TEXT,
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(_) => CellKinds::TEXT,
                Err(_) => CellKinds::BYTES,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Big(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Text(value) | Self::Digits(value) => (*value).to_owned(),
            Self::Bytes(value) => String::from_utf8_lossy(value).into_owned(),
        }
    }
}

/// The columns seen so far, in the order of their first appearance, with the type that holds all values.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    columns: Vec<(String, Shape)>,
    /// For each column, the row that had it last.
    rows: Vec<u64>,
    places: HashMap<String, usize>,
    /// Where the next name is expected: rows tend to have the same names in the same order.
    next: usize,
    row: u64,
}

impl Seen {
    /// Takes note of a column that has the shape `found` in this row; false if the row had it before.
    ///
    /// One column more than can be read is an error, to follow the name of the file.
    pub(super) fn note(&mut self, name: &str, found: Shape) -> Result<bool, String> {
        let place = match self.columns.get(self.next) {
            Some((expected, _)) if expected == name => self.next,
            _ => match self.places.get(name) {
                Some(place) => *place,
                None if self.columns.len() == COLUMNS_MAX => {
                    return Err(format!("there are more than the {COLUMNS_MAX} columns that are read"));
                }
                None => {
                    self.places.insert(name.to_owned(), self.columns.len());
                    self.columns.push((name.to_owned(), Shape::default()));
                    self.rows.push(0);
                    self.columns.len() - 1
                }
            },
        };
        self.next = place + 1;
        let known = &mut self.columns[place].1;
        *known = known.join(found);
        Ok(std::mem::replace(&mut self.rows[place], self.row) != self.row)
    }

    /// Takes note of a further value of the column noted last.
    pub(super) fn note_more(&mut self, kinds: CellKinds) {
        if let Some((_, known)) = self.next.checked_sub(1).and_then(|place| self.columns.get_mut(place)) {
            known.kinds = known.kinds.join(kinds);
        }
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
        other.columns.iter().try_for_each(|(name, shape)| self.note(name, *shape).map(|_| ()))
    }

    pub(super) fn into_columns(self) -> Vec<(String, Shape)> {
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
    Bytes(BinaryBuilder),
    List(Box<Lists>),
}

/// Lists under construction.
struct Lists {
    field: Arc<Field>,
    values: Builder,
    /// Values so far.
    len: usize,
    /// Where lists end.
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

/// The place of each column of a schema.
pub(super) fn places(schema: &SchemaRef) -> Arc<HashMap<String, usize>> {
    Arc::new(schema.fields().iter().enumerate().map(|(i, field)| (field.name().clone(), i)).collect())
}

impl Rows {
    /// No rows yet; `places` are those of the schema.
    pub(super) fn new(schema: &SchemaRef, places: Arc<HashMap<String, usize>>) -> Self {
        let columns = schema.fields().iter().map(|f| Column { values: Builder::new(f.data_type()), len: 0 }).collect();
        Self { schema: schema.clone(), places, columns, next: 0, count: 0 }
    }

    /// Gives a value to a column of the row under construction; a column that is not read is passed over. Where rows
    /// are lists, the value is a list of one.
    ///
    /// The error says what does not fit, to follow "column `x`".
    pub(super) fn set(&mut self, name: &str, value: &Value<'_>) -> Result<(), String> {
        let Some(column) = self.next_value(name)? else { return Ok(()) };
        match &mut column.values {
            Builder::List(lists) => {
                lists.push(Some(value))?;
                lists.end()
            }
            values => values.push(value),
        }
    }

    /// Begins a list in the row under construction, and gives the place of the column, if it is read. The values
    /// follow by [`push_element`](Self::push_element), and then [`end_list`](Self::end_list).
    pub(super) fn begin_list(&mut self, name: &str) -> Result<Option<usize>, String> {
        let Some(column) = self.next_value(name)? else { return Ok(None) };
        match &column.values {
            Builder::List(_) => Ok(Some(self.next - 1)),
            _ => Err("is a list, and a single value is expected".to_owned()),
        }
    }

    /// Appends a value to the list that was begun in the column at `place`.
    pub(super) fn push_element(&mut self, place: usize, value: Option<&Value<'_>>) -> Result<(), String> {
        match &mut self.columns[place].values {
            Builder::List(lists) => lists.push(value),
            _ => Ok(()),
        }
    }

    /// Ends the list that was begun in the column at `place`.
    pub(super) fn end_list(&mut self, place: usize) -> Result<(), String> {
        match &mut self.columns[place].values {
            Builder::List(lists) => lists.end(),
            _ => Ok(()),
        }
    }

    /// The column with the name, if it is read, ready for the value of this row.
    fn next_value(&mut self, name: &str) -> Result<Option<&mut Column>, String> {
        let place = match self.schema.fields().get(self.next) {
            Some(field) if field.name() == name => self.next,
            _ => match self.places.get(name) {
                Some(place) => *place,
                None => return Ok(None),
            },
        };
        self.next = place + 1;
        let column = &mut self.columns[place];
        if column.len > self.count {
            return Err("is there twice in a row".to_owned());
        }
        column.pad(self.count);
        column.len += 1;
        Ok(Some(column))
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
        self.values.push_nulls(nulls);
        self.len += nulls;
    }
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            DataType::List(field) => Self::List(Box::new(Lists {
                field: field.clone(),
                values: Self::new(field.data_type()),
                len: 0,
                ends: vec![0],
                nulls: NullBufferBuilder::new(0),
            })),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn push_nulls(&mut self, count: usize) {
        match self {
            Self::Int(builder) => builder.append_nulls(count),
            Self::Float(builder) => builder.append_nulls(count),
            Self::Bool(builder) => builder.append_nulls(count),
            Self::Text(builder) => builder.append_nulls(count),
            Self::Bytes(builder) => builder.append_nulls(count),
            Self::List(lists) => {
                let end = lists.ends.last().copied().unwrap_or_default();
                lists.ends.extend(std::iter::repeat_n(end, count));
                lists.nulls.append_n_nulls(count);
            }
        }
    }

    /// Appends a value. Text is read as a number or a boolean if such a type is asked for from outside; empty text and
    /// words such as `NA` are then missing.
    fn push(&mut self, value: &Value<'_>) -> Result<(), String> {
        // Bytes that are asked for as something else must be text.
        let text;
        let value = match (&*self, value) {
            (Self::Bytes(_), value) => value,
            (_, Value::Bytes(bytes)) => {
                text = Value::Text(std::str::from_utf8(bytes).map_err(|_| "holds bytes that are not UTF-8 text")?);
                &text
            }
            (_, value) => value,
        };
        let is_missing = |text: &str| text.is_empty() || is_null_word(text);
        let misfit = |kind: &str| {
            let shown: String = value.text().chars().take(40).collect();
            Err(format!("is `{shown}`, which is not {kind}"))
        };
        match self {
            Self::Int(builder) => {
                let int = match *value {
                    Value::Int(int) => Some(int),
                    Value::Float(float) => whole_number(float),
                    Value::Text(text) if is_missing(text) => {
                        builder.append_null();
                        return Ok(());
                    }
                    Value::Text(text) => Decimal::Point.parse_whole(text),
                    Value::Big(_) | Value::Digits(_) | Value::Bool(_) | Value::Bytes(_) => None,
                };
                let Some(int) = int else { return misfit("a whole number of 64 bits") };
                builder.append_value(int);
            }
            Self::Float(builder) => {
                let float = match *value {
                    Value::Int(int) => Some(int as f64),
                    Value::Big(int) => Some(int as f64),
                    Value::Digits(digits) => digits.parse().ok(),
                    Value::Float(float) => Some(float),
                    Value::Text(text) if is_missing(text) => {
                        builder.append_null();
                        return Ok(());
                    }
                    Value::Text(text) => parse_float(text),
                    Value::Bool(_) | Value::Bytes(_) => None,
                };
                let Some(float) = float else { return misfit("a number") };
                builder.append_value(float);
            }
            Self::Bool(builder) => {
                let flag = match *value {
                    Value::Bool(flag) => Some(flag),
                    Value::Text(text) if is_missing(text) => {
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
            Self::Bytes(builder) => match value {
                Value::Bytes(bytes) => builder.append_value(bytes),
                Value::Text(text) => builder.append_value(text),
                other => builder.append_value(other.text()),
            },
            Self::List(_) => return misfit("a list"),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::List(lists) => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut lists.ends)));
                let values = lists.values.finish();
                Arc::new(ListArray::new(lists.field.clone(), ends, values, lists.nulls.finish()))
            }
        }
    }
}

impl Lists {
    fn push(&mut self, value: Option<&Value<'_>>) -> Result<(), String> {
        self.len += 1;
        match value {
            Some(value) => self.values.push(value),
            None => {
                self.values.push_nulls(1);
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), String> {
        let end = i32::try_from(self.len).map_err(|_| "holds more values than fit into a batch".to_owned())?;
        self.ends.push(end);
        self.nulls.append_non_null();
        Ok(())
    }
}
