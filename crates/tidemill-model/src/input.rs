//! Converts rows of a request to a record batch with exactly the columns of a model.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tidemill_core::{DataType, RowShape, Signature, TensorSpec, TensorView, suggest};

use crate::cells::ColumnBuilder;
use crate::graph::{check_picture, list_length_mismatch};
use crate::{ModelError, Source, TransformGraph};

/// Builds a record batch for a model, column by column or cell by cell.
///
/// Get one from [`Model::batch_builder`](crate::Model::batch_builder), find columns with [`index`](Self::index),
/// push a value a row with [`column`](Self::column), and [`finish`](Self::finish). An optional column that was never
/// touched is all missing.
#[derive(Debug)]
pub struct BatchBuilder {
    shape: Arc<InputShape>,
    /// One for each column of the batch.
    columns: Vec<ColumnBuilder>,
    presence: Strictness,
}

/// The inputs of a model, prepared once.
#[derive(Debug)]
pub struct InputShape {
    /// The input tensors, as clients see them.
    specs: Vec<TensorSpec>,
    /// By tensor: its first column and its number of columns.
    places: Vec<(usize, usize)>,
    /// The columns of a batch.
    pub schema: SchemaRef,
    by_name: HashMap<String, usize>,
    /// Pairs of list columns that must have equally many values in each row.
    pairs: Vec<(usize, usize)>,
}

/// Whether a required feature must have a value in every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Required: for requests.
    Checked,
    /// Not required: for stored data.
    Free,
}

impl InputShape {
    /// The shape of these columns.
    pub fn new(columns: &[TensorSpec]) -> Self {
        Self::of(&Signature { inputs: columns.to_vec(), ..Signature::default() })
    }

    /// The shape of a signature's inputs.
    pub fn of(signature: &Signature) -> Self {
        let field = |spec: &TensorSpec| Field::new(&spec.name, input_type(spec), true);
        let fields: Vec<Field> = signature.inputs.iter().map(field).collect();
        let (mut specs, mut places) = (Vec::new(), Vec::new());
        for TensorView { name, datatype, optional, first, width, form } in signature.input_tensors() {
            specs.push(TensorSpec::new(name, datatype, optional).with_form(form));
            places.push((first, width.unwrap_or(1)));
        }
        let by_name = specs.iter().enumerate().map(|(index, spec)| (spec.name.clone(), index)).collect();
        Self { specs, places, schema: Arc::new(Schema::new(fields)), by_name, pairs: Vec::new() }
    }

    /// The inputs of a graph, with the constraints of its histories.
    pub fn of_graph(graph: &TransformGraph) -> Self {
        let inputs = graph.inputs();
        let at = |name: &str| inputs.iter().position(|input| input.name == name);
        let mut pairs = Vec::new();
        for feature in graph.definitions() {
            if let Source::History(history) = &feature.source
                && let (Some(times), Some(values)) = (at(&history.times), at(&history.values))
                && !pairs.contains(&(times, values))
            {
                pairs.push((times, values));
            }
        }
        Self { pairs, ..Self::new(inputs) }
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

/// The Arrow type of an input's column.
pub fn input_type(input: &TensorSpec) -> ArrowType {
    match input.form {
        RowShape::Value => arrow_type(input.datatype),
        RowShape::List => ArrowType::List(Arc::new(Field::new_list_field(arrow_type(input.datatype), true))),
        RowShape::Binary => ArrowType::Binary,
    }
}

/// The inputs of a model without the model: creates [`BatchBuilder`]s. Clones are cheap.
#[derive(Debug, Clone)]
pub struct InputLayout {
    shape: Arc<InputShape>,
    presence: Strictness,
}

impl InputLayout {
    /// A builder with room for `rows` rows.
    pub fn batch_builder(&self, rows: usize) -> BatchBuilder {
        BatchBuilder::new(&self.shape, rows, self.presence)
    }
}

impl BatchBuilder {
    /// The shape shared by all builders of this layout.
    pub fn layout(&self) -> InputLayout {
        InputLayout { shape: Arc::clone(&self.shape), presence: self.presence }
    }

    /// A builder for a batch of about `rows` rows.
    pub fn new(shape: &Arc<InputShape>, rows: usize, presence: Strictness) -> Self {
        let tensors = shape.specs.iter().zip(&shape.places);
        let columns =
            tensors.flat_map(|(spec, (_, count))| (0..*count).map(|_| ColumnBuilder::new(spec, rows))).collect();
        Self { shape: Arc::clone(shape), columns, presence }
    }

    /// The expected tensors, in order.
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
        Some(InputColumn { spec, cells, at: 0, presence: self.presence, list: None })
    }

    /// Pushes one row given as a JSON object keyed by feature.
    ///
    /// A key that is no feature, a required feature that is absent or null, and a value of the wrong type are errors
    /// that name the row and the feature.
    pub fn push_row(&mut self, row: &Value) -> Result<(), ModelError> {
        let at = self.columns.iter().map(ColumnBuilder::len).max().unwrap_or(0);
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
    pub fn with_rows(mut self, rows: &[Value]) -> Result<RecordBatch, ModelError> {
        for row in rows {
            self.push_row(row)?;
        }
        self.finish(rows.len())
    }

    /// The error for an unknown feature, with the nearest known one.
    pub fn unknown(&self, row: usize, name: &str) -> ModelError {
        let near = suggest(name, self.shape.specs.iter().map(|spec| spec.name.as_str())).map(str::to_owned);
        ModelError::InputUnknown { row, feature: name.to_owned(), near }
    }

    /// The batch of `rows` rows. A column with fewer or more values is an error, except an optional one with none.
    pub fn finish(mut self, rows: usize) -> Result<RecordBatch, ModelError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let tensors = self.shape.specs.iter().zip(&self.shape.places);
        let specs = tensors.flat_map(|(spec, (_, count))| std::iter::repeat_n(spec, *count));
        for (spec, cells) in specs.zip(&mut self.columns) {
            let found = cells.len();
            if found == 0 && rows > 0 {
                if !spec.optional && self.presence == Strictness::Checked {
                    return Err(missing(spec, 0));
                }
                cells.push_missing(rows);
            } else if found != rows {
                return Err(ModelError::InputRows { feature: spec.name.clone(), expected: rows, found });
            }
        }
        if rows == 1 {
            let words = Buffer::from_vec(self.columns.iter().map(ColumnBuilder::word).collect::<Vec<u64>>());
            arrays.extend(self.columns.iter_mut().enumerate().map(|(at, cells)| cells.finish_row(&words, at)));
        } else {
            arrays.extend(self.columns.iter_mut().map(ColumnBuilder::finish));
        }
        for (input, array) in self.shape.specs.iter().zip(&arrays).filter(|(input, _)| input.form == RowShape::Binary) {
            self.check_pictures(input, array)?;
        }
        for (times, values) in &self.shape.pairs {
            if let Some(uneven) = list_length_mismatch(&arrays[*times], &arrays[*values]) {
                let name = |at: usize| self.shape.specs[at].name.clone();
                return Err(ModelError::Uneven {
                    row: uneven.row,
                    times: (name(*times), uneven.times),
                    values: (name(*values), uneven.values),
                });
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.shape.schema), arrays, &options)?)
    }

    /// Rejects bytes that do not begin like a picture.
    fn check_pictures(&self, input: &TensorSpec, array: &ArrayRef) -> Result<(), ModelError> {
        let Some(bytes) = array.as_binary_opt::<i32>().filter(|_| self.presence == Strictness::Checked) else {
            return Ok(());
        };
        for (row, bytes) in bytes.iter().enumerate() {
            if let Some(Err(reason)) = bytes.map(check_picture) {
                return Err(ModelError::Picture { row, feature: input.name.clone(), reason });
            }
        }
        Ok(())
    }
}

/// One tensor of a [`BatchBuilder`]: each push is its next value, row by row.
#[derive(Debug)]
pub struct InputColumn<'a> {
    spec: &'a TensorSpec,
    /// The columns of the tensor, at least one.
    cells: &'a mut [ColumnBuilder],
    /// The column of the next value.
    at: usize,
    presence: Strictness,
    /// Current and expected number of values in a list, if all rows have equally many.
    list: Option<(usize, usize)>,
}

impl InputColumn<'_> {
    /// The expected tensor.
    pub fn spec(&self) -> &TensorSpec {
        self.spec
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.cells.len()
    }

    /// Whether rows are lists: values are pushed one after another, then [`end_list`](Self::end_list).
    pub fn is_list(&self) -> bool {
        self.spec.form == RowShape::List
    }

    /// Ends the list of a row.
    pub fn end_list(&mut self) {
        self.cells[0].end_list();
    }

    /// Lists of `width` values each, which end automatically; if `width` is 0, `rows` empty lists.
    pub fn lists_of(&mut self, width: usize, rows: usize) {
        if width == 0 {
            (0..rows).for_each(|_| self.end_list());
        } else {
            self.list = Some((0, width));
        }
    }

    /// Pushes the next value.
    fn push(&mut self, push: impl FnOnce(&mut ColumnBuilder)) {
        let at = self.at;
        self.at = if at + 1 == self.cells.len() { 0 } else { at + 1 };
        push(&mut self.cells[at]);
        if let Some((done, width)) = &mut self.list {
            *done += 1;
            if done == width {
                *done = 0;
                self.cells[at].end_list();
            }
        }
    }

    /// The row of the next value.
    fn row(&self) -> usize {
        self.cells[self.at].len()
    }

    /// Pushes a missing value; a list may have some. An error if the feature is required.
    pub fn push_null(&mut self) -> Result<(), ModelError> {
        if !self.is_list() && !self.spec.optional && self.presence == Strictness::Checked {
            return Err(missing(self.spec, self.row()));
        }
        self.push(ColumnBuilder::push_null);
        Ok(())
    }

    /// Pushes a row without values, or without a list. An error if the feature is required.
    pub fn push_missing(&mut self) -> Result<(), ModelError> {
        if !self.is_list() {
            return (0..self.width()).try_for_each(|_| self.push_null());
        }
        if !self.spec.optional && self.presence == Strictness::Checked {
            return Err(missing(self.spec, self.row()));
        }
        self.cells[0].push_missing(1);
        Ok(())
    }

    /// Starts the values of a row: one, or a list with one for each column. Null is a row without any.
    fn push_row_json(&mut self, value: &Value) -> Result<(), ModelError> {
        let width = self.width();
        match value {
            Value::Array(values) if self.is_list() => {
                values.iter().try_for_each(|value| self.push_json(value))?;
                self.end_list();
                Ok(())
            }
            Value::Array(values) if width > 1 && values.len() == width => {
                values.iter().try_for_each(|value| self.push_json(value))
            }
            Value::Null => self.push_missing(),
            value if self.is_list() => Err(self.wrong(json_type(value).to_owned())),
            value if width > 1 => Err(self.wrong(match value {
                Value::Array(values) => format!("a list of {} where {width} are expected", values.len()),
                other => json_type(other).to_owned(),
            })),
            value => self.push_json(value),
        }
    }

    /// Pushes a boolean.
    pub fn push_bool(&mut self, value: bool) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Bool {
            return Err(self.wrong(value.to_string()));
        }
        self.push(|cells| cells.push_bool(value));
        Ok(())
    }

    /// Pushes a whole number, which may stand for a real one.
    pub fn push_int(&mut self, value: i64) -> Result<(), ModelError> {
        if !matches!(self.spec.datatype, DataType::Int64 | DataType::Fp64) {
            return Err(self.wrong(value.to_string()));
        }
        self.push(|cells| cells.push_int(value));
        Ok(())
    }

    /// Pushes a number. NaN is a missing value. A real number does not stand for an integer: `2.0` is not an `INT64`.
    pub fn push_float(&mut self, value: f64) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Fp64 {
            return Err(self.wrong(format!("{value:?}")));
        }
        if value.is_nan() {
            return self.push_null();
        }
        self.push(|cells| cells.push_float(value));
        Ok(())
    }

    /// Pushes real numbers if none is missing and they need no conversion. Otherwise returns `false` without pushing
    /// any, and [`push_float`](Self::push_float) reports the reason.
    pub fn push_floats(&mut self, values: impl Iterator<Item = f64> + Clone) -> bool {
        let [ColumnBuilder::Fp64(cells)] = &mut *self.cells else { return false };
        if values.clone().any(f64::is_nan) {
            return false;
        }
        cells.extend(values);
        true
    }

    /// Pushes bytes, which must be UTF-8 if text is expected.
    pub fn push_bytes(&mut self, value: &[u8]) -> Result<(), ModelError> {
        if self.spec.form == RowShape::Binary {
            self.push(|cells| cells.push_bytes(value));
            return Ok(());
        }
        match std::str::from_utf8(value) {
            Ok(text) => self.push_str(text),
            Err(_) => Err(self.wrong("bytes that are not UTF-8 text".to_owned())),
        }
    }

    /// Pushes text.
    pub fn push_str(&mut self, value: &str) -> Result<(), ModelError> {
        if self.spec.datatype != DataType::Bytes {
            return Err(self.wrong(format!("text `{}`", excerpt(value))));
        }
        self.push(|cells| cells.push_str(value));
        Ok(())
    }

    /// Pushes a JSON value: a number, text, true, false, or null for missing.
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
            // A picture is written as `{"b64": …}`; plain text is never one.
            Value::String(_) if self.spec.form == RowShape::Binary => Err(self.wrong("text".to_owned())),
            Value::String(text) => self.push_str(text),
            Value::Object(object) if self.spec.form == RowShape::Binary && object.len() == 1 => {
                match object.get("b64").and_then(Value::as_str).map(|text| STANDARD.decode(text)) {
                    Some(Ok(bytes)) => self.push_bytes(&bytes),
                    Some(Err(_)) => Err(self.wrong("text that is not base64".to_owned())),
                    None => Err(self.wrong(json_type(value).to_owned())),
                }
            }
            Value::Array(_) | Value::Object(_) => Err(self.wrong(json_type(value).to_owned())),
        }
    }

    /// The error for a value of the wrong type in the next row; `found` says what it is.
    pub fn wrong(&self, found: String) -> ModelError {
        ModelError::InputType {
            row: self.row(),
            feature: self.spec.name.clone(),
            expected: self.spec.type_name(),
            found,
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
