//! Rows of a request into a record batch of exactly the columns a model takes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, NullBufferBuilder, PrimitiveArray, RecordBatch, RecordBatchOptions, StringBuilder,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType as ArrowType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use serde_json::Value;
use tidemill_core::{DataType, Signature, TensorSpec, TensorView, suggest};

use crate::ModelError;

/// Builds a record batch for a model, column by column or cell by cell.
///
/// Get one from [`Model::batch_builder`](crate::Model::batch_builder), find columns with [`index`](Self::index),
/// push a value a row with [`column`](Self::column), and [`finish`](Self::finish). An optional column that was never
/// touched is all missing.
#[derive(Debug)]
pub struct BatchBuilder {
    shape: Arc<InputShape>,
    /// One for each column of the batch.
    columns: Vec<Cells>,
    presence: Presence,
}

/// What a model takes, prepared once.
#[derive(Debug)]
pub(crate) struct InputShape {
    /// The tensors, as a client sees them.
    specs: Vec<TensorSpec>,
    /// By tensor: its first column and how many it has.
    places: Vec<(usize, usize)>,
    pub(crate) schema: SchemaRef,
    by_name: HashMap<String, usize>,
}

/// Whether a required feature must have a value in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Checked,
    Free,
}

#[derive(Debug)]
enum Cells {
    Bool(BooleanBuilder),
    Int64(Numbers<Int64Type>),
    Fp64(Numbers<Float64Type>),
    Text(StringBuilder),
}

/// The numbers of a column. Arrow's builder aligns its memory for long columns, which for one row costs more than all
/// else that is done with it.
#[derive(Debug)]
struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), nulls: NullBufferBuilder::new(rows) }
    }

    fn append_value(&mut self, value: T::Native) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    fn append_nulls(&mut self, count: usize) {
        self.values.resize(self.values.len() + count, T::Native::default());
        self.nulls.append_n_nulls(count);
    }

    fn finish(&mut self) -> PrimitiveArray<T> {
        PrimitiveArray::new(std::mem::take(&mut self.values).into(), self.nulls.finish())
    }
}

impl InputShape {
    pub(crate) fn new(columns: &[TensorSpec]) -> Self {
        Self::of(&Signature { inputs: columns.to_vec(), ..Signature::default() })
    }

    pub(crate) fn of(signature: &Signature) -> Self {
        let field = |spec: &TensorSpec| Field::new(&spec.name, arrow_type(spec.datatype), true);
        let fields: Vec<Field> = signature.inputs.iter().map(field).collect();
        let (mut specs, mut places) = (Vec::new(), Vec::new());
        for TensorView { name, datatype, optional, first, width } in signature.input_tensors() {
            specs.push(TensorSpec { name: name.to_owned(), datatype, optional });
            places.push((first, width.unwrap_or(1)));
        }
        let by_name = specs.iter().enumerate().map(|(index, spec)| (spec.name.clone(), index)).collect();
        Self { specs, places, schema: Arc::new(Schema::new(fields)), by_name }
    }
}

/// The Arrow type that holds a tensor type.
pub fn arrow_type(datatype: DataType) -> ArrowType {
    match datatype {
        DataType::Bool => ArrowType::Boolean,
        DataType::Int64 => ArrowType::Int64,
        DataType::Fp64 => ArrowType::Float64,
        DataType::Bytes => ArrowType::Utf8,
    }
}

impl BatchBuilder {
    pub(crate) fn new(shape: &Arc<InputShape>, rows: usize, presence: Presence) -> Self {
        let cells = |datatype| match datatype {
            DataType::Bool => Cells::Bool(BooleanBuilder::with_capacity(rows)),
            DataType::Int64 => Cells::Int64(Numbers::with_capacity(rows)),
            DataType::Fp64 => Cells::Fp64(Numbers::with_capacity(rows)),
            DataType::Bytes => Cells::Text(StringBuilder::with_capacity(rows, rows * 16)),
        };
        let tensors = shape.specs.iter().zip(&shape.places);
        let columns = tensors.flat_map(|(spec, (_, count))| (0..*count).map(|_| cells(spec.datatype))).collect();
        Self { shape: Arc::clone(shape), columns, presence }
    }

    /// What the tensors must be, in order.
    pub fn specs(&self) -> &[TensorSpec] {
        &self.shape.specs
    }

    /// The index of the feature `name`.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.shape.by_name.get(name).copied()
    }

    /// How many values a row of the tensor at `index` has; 1 past the last.
    pub fn width(&self, index: usize) -> usize {
        self.shape.places.get(index).map_or(1, |(_, count)| *count)
    }

    /// The tensor at `index`, to push values on, row by row. `None` past the last.
    pub fn column(&mut self, index: usize) -> Option<InputColumn<'_>> {
        let spec = self.shape.specs.get(index)?;
        let (first, count) = *self.shape.places.get(index)?;
        let cells = self.columns.get_mut(first..first + count)?;
        Some(InputColumn { spec, cells, at: 0, presence: self.presence })
    }

    /// Pushes one row given as a JSON object keyed by feature.
    ///
    /// A key that is no feature, a required feature that is absent or null, and a value of the wrong type are errors
    /// that name the row and the feature.
    pub fn push_row(&mut self, row: &Value) -> Result<(), ModelError> {
        let at = self.columns.iter().map(Cells::len).max().unwrap_or(0);
        let Value::Object(object) = row else {
            return Err(ModelError::RowNotObject { row: at, found: json_type(row) });
        };
        let mut known = 0;
        for index in 0..self.shape.specs.len() {
            let name = self.shape.specs[index].name.as_str();
            let value = object.get(name);
            known += usize::from(value.is_some());
            if let Some(mut column) = self.column(index) {
                column.push_row_json(value.unwrap_or(&Value::Null))?;
            }
        }
        if known < object.len()
            && let Some(unknown) = object.keys().find(|key| self.index(key).is_none())
        {
            return Err(self.unknown(at, unknown));
        }
        Ok(())
    }

    /// The batch of `rows`, each a JSON object keyed by feature.
    pub(crate) fn with_rows(mut self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        for row in rows {
            self.push_row(row)?;
        }
        self.finish(rows.len())
    }

    /// The error for a feature the model does not know, with the nearest one it does.
    pub fn unknown(&self, row: usize, name: &str) -> ModelError {
        let near = suggest(name, self.shape.specs.iter().map(|spec| spec.name.as_str())).map(str::to_owned);
        ModelError::InputUnknown { row, feature: name.to_owned(), near }
    }

    /// The batch of `rows` rows. A column with fewer or more values is an error, but an optional one with none.
    pub fn finish(mut self, rows: usize) -> Result<RecordBatch, ModelError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let tensors = self.shape.specs.iter().zip(&self.shape.places);
        let specs = tensors.flat_map(|(spec, (_, count))| std::iter::repeat_n(spec, *count));
        for (spec, cells) in specs.zip(&mut self.columns) {
            let found = cells.len();
            if found == 0 && rows > 0 {
                if !spec.optional && self.presence == Presence::Checked {
                    return Err(missing(spec, 0));
                }
                cells.push_nulls(rows);
            } else if found != rows {
                return Err(ModelError::InputRows { feature: spec.name.clone(), expected: rows, found });
            }
            arrays.push(cells.finish());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.shape.schema), arrays, &options)?)
    }
}

/// One tensor of a [`BatchBuilder`]: each push is its next value, row by row.
#[derive(Debug)]
pub struct InputColumn<'a> {
    spec: &'a TensorSpec,
    /// The columns of the tensor, at least one.
    cells: &'a mut [Cells],
    /// Which of them is next.
    at: usize,
    presence: Presence,
}

impl InputColumn<'_> {
    /// What the tensor must be.
    pub fn spec(&self) -> &TensorSpec {
        self.spec
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.cells.len()
    }

    /// The column of the next value.
    fn next(&mut self) -> &mut Cells {
        let at = self.at;
        self.at = if at + 1 == self.cells.len() { 0 } else { at + 1 };
        &mut self.cells[at]
    }

    /// The row of the next value.
    fn row(&self) -> usize {
        self.cells[self.at].len()
    }

    /// A missing value. An error where the feature is required.
    pub fn push_null(&mut self) -> Result<(), ModelError> {
        if !self.spec.optional && self.presence == Presence::Checked {
            return Err(missing(self.spec, self.row()));
        }
        self.next().push_nulls(1);
        Ok(())
    }

    /// The values of a row: one, or a list of as many as there are columns. Null is a row without any.
    fn push_row_json(&mut self, value: &Value) -> Result<(), ModelError> {
        let width = self.width();
        match value {
            Value::Array(values) if width > 1 && values.len() == width => {
                values.iter().try_for_each(|value| self.push_json(value))
            }
            Value::Null => (0..width).try_for_each(|_| self.push_null()),
            value if width > 1 => Err(self.wrong(match value {
                Value::Array(values) => format!("a list of {} where {width} are expected", values.len()),
                other => json_type(other).to_owned(),
            })),
            value => self.push_json(value),
        }
    }

    /// True or false.
    pub fn push_bool(&mut self, value: bool) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Bool {
            return Err(self.wrong(value.to_string()));
        }
        if let Cells::Bool(cells) = self.next() {
            cells.append_value(value);
        }
        Ok(())
    }

    /// A whole number; it may stand for a real one.
    pub fn push_int(&mut self, value: i64) -> Result<(), ModelError> {
        if !matches!(self.spec.datatype, DataType::Int64 | DataType::Fp64) {
            return Err(self.wrong(value.to_string()));
        }
        match self.next() {
            Cells::Int64(cells) => cells.append_value(value),
            Cells::Fp64(cells) => cells.append_value(value as f64),
            _ => {}
        }
        Ok(())
    }

    /// A number. NaN is a missing value. A whole number does not stand for an integer here: `2.0` is no `INT64`.
    pub fn push_float(&mut self, value: f64) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Fp64 {
            return Err(self.wrong(format!("{value:?}")));
        }
        if value.is_nan() {
            return self.push_null();
        }
        if let Cells::Fp64(cells) = self.next() {
            cells.append_value(value);
        }
        Ok(())
    }

    /// Text.
    pub fn push_str(&mut self, value: &str) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Bytes {
            return Err(self.wrong(format!("text `{}`", excerpt(value))));
        }
        if let Cells::Text(cells) = self.next() {
            cells.append_value(value);
        }
        Ok(())
    }

    /// A JSON value: a number, text, true, false, or null for missing.
    ///
    /// Numbers that JSON cannot write come as the texts `NaN`, `Infinity` and `-Infinity`, for real numbers only.
    pub fn push_json(&mut self, value: &Value) -> Result<(), ModelError> {
        match value {
            Value::Null => self.push_null(),
            Value::Bool(value) => self.push_bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => self.push_int(whole),
                (None, Some(real)) if real.is_finite() => self.push_float(real),
                _ => Err(self.wrong(number.to_string())),
            },
            Value::String(text) if self.spec.datatype == DataType::Fp64 => match text.as_str() {
                "NaN" => self.push_float(f64::NAN),
                "Infinity" => self.push_float(f64::INFINITY),
                "-Infinity" => self.push_float(f64::NEG_INFINITY),
                _ => self.push_str(text),
            },
            Value::String(text) => self.push_str(text),
            Value::Array(_) | Value::Object(_) => Err(self.wrong(json_type(value).to_owned())),
        }
    }

    /// The error for a value of the wrong type in the next row; `found` says what it is.
    pub fn wrong(&self, found: String) -> ModelError {
        ModelError::InputType { row: self.row(), feature: self.spec.name.clone(), expected: self.spec.datatype, found }
    }
}

impl Cells {
    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Bool(cells) => cells.len(),
            Self::Int64(cells) => cells.values.len(),
            Self::Fp64(cells) => cells.values.len(),
            Self::Text(cells) => cells.len(),
        }
    }

    fn push_nulls(&mut self, count: usize) {
        match self {
            Self::Bool(cells) => cells.append_nulls(count),
            Self::Int64(cells) => cells.append_nulls(count),
            Self::Fp64(cells) => cells.append_nulls(count),
            Self::Text(cells) => cells.append_nulls(count),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(cells) => Arc::new(cells.finish()),
            Self::Int64(cells) => Arc::new(cells.finish()),
            Self::Fp64(cells) => Arc::new(cells.finish()),
            Self::Text(cells) => Arc::new(cells.finish()),
        }
    }
}

fn missing(spec: &TensorSpec, row: usize) -> ModelError {
    ModelError::InputMissing { row, feature: spec.name.clone(), datatype: spec.datatype }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The first 40 characters of a text, for messages.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
