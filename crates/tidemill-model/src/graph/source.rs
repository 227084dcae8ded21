//! The sources of raw values, resolved against columns.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, NullArray, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, Field, Int64Type, Schema};
use tidemill_core::{DataType, RowShape, TensorSpec};

use super::bind::{resolve, type_name};
use super::feature::CROSS;
use super::steps::HistoryInputs;
use super::text::TextChain;
use super::{Feature, History, Scalar, Source, Stage};
use crate::ModelError;
use crate::expr::{BoundExpression, Expression};
use crate::input::input_type;

/// A source whose columns are positions among the inputs of a graph.
#[derive(Debug)]
pub(super) struct CompiledSource {
    datatype: DataType,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Column(usize),
    Binary(usize),
    Expression(BoundExpression),
    Cross(Vec<usize>),
    Columns(Vec<usize>),
    History(HistoryInputs),
}

impl CompiledSource {
    /// The source of `feature` over `inputs`; errors name the feature.
    pub(super) fn new(feature: &Feature, inputs: &[TensorSpec]) -> Result<Self, ModelError> {
        let refuse = |reason: String| ModelError::Feature { feature: feature.name.clone(), reason };
        let position = |column: &String| {
            let found = inputs.iter().position(|input| input.name == *column);
            found.ok_or_else(|| refuse(format!("its column `{column}` is not among the inputs")))
        };
        let plain = |column: &String| {
            let at = position(column)?;
            match inputs[at].form {
                RowShape::Value => Ok(at),
                RowShape::List => {
                    Err(refuse(format!("its column `{column}` holds lists, which only a `history` is made of")))
                }
                RowShape::Binary => Err(refuse(format!("its column `{column}` holds bytes, which only `image` takes"))),
            }
        };
        let history = |named: &History| -> Result<HistoryInputs, ModelError> {
            let History { time, times, values, .. } = named;
            let found = HistoryInputs::new([plain(time)?, position(times)?, position(values)?], named);
            for at in [found.times, found.values] {
                if inputs[at].form != RowShape::List {
                    return Err(refuse(format!("its column `{}` holds no lists", inputs[at].name)));
                }
            }
            for at in [found.time, found.times] {
                if inputs[at].datatype == DataType::Bool {
                    return Err(refuse(format!("its column `{}` holds no times", inputs[at].name)));
                }
            }
            if matches!(inputs[found.values].datatype, DataType::Bytes) {
                return Err(refuse(format!("its column `{values}` holds text, and a history is of numbers")));
            }
            Ok(found)
        };
        match &feature.source {
            Source::History(names) => Ok(Self { datatype: DataType::Fp64, reader: Reader::History(history(names)?) }),
            Source::Column(column) if inputs[position(column)?].form == RowShape::Binary => {
                Ok(Self { datatype: DataType::Bytes, reader: Reader::Binary(position(column)?) })
            }
            Source::Column(column) => {
                let at = plain(column)?;
                Ok(Self { datatype: inputs[at].datatype, reader: Reader::Column(at) })
            }
            Source::Expression(text) => {
                let wrap = |source| ModelError::FeatureExpression { feature: feature.name.clone(), source };
                let parsed = Expression::parse(text).map_err(wrap)?;
                let field = |input: &TensorSpec| Field::new(&input.name, input_type(input), true);
                let schema = Schema::new(inputs.iter().map(field).collect::<Vec<_>>());
                let bound = parsed.bind(&schema).map_err(wrap)?;
                let datatype = match bound.datatype() {
                    ArrowType::Boolean => DataType::Bool,
                    ArrowType::Int64 => DataType::Int64,
                    ArrowType::Float64 => DataType::Fp64,
                    ArrowType::Utf8 => DataType::Bytes,
                    _ => return Err(wrap(bound.error("the expression is always null"))),
                };
                Ok(Self { datatype, reader: Reader::Expression(bound) })
            }
            Source::Cross(columns) => {
                if feature.source.columns().len() < 2 {
                    return Err(refuse("a cross needs at least two columns".to_owned()));
                }
                let mut positions = Vec::with_capacity(columns.len());
                for column in columns {
                    let at = plain(column)?;
                    if inputs[at].datatype == DataType::Fp64 {
                        return Err(refuse(format!(
                            "`{column}` holds real numbers, which cannot be crossed: only text, whole numbers, true and false"
                        )));
                    }
                    positions.push(at);
                }
                Ok(Self { datatype: DataType::Bytes, reader: Reader::Cross(positions) })
            }
            Source::Columns(columns) => {
                if feature.source.columns().len() < 2 || feature.source.columns().len() < columns.len() {
                    return Err(refuse("it needs at least two columns, each once".to_owned()));
                }
                let mut positions = Vec::with_capacity(columns.len());
                for column in columns {
                    let at = plain(column)?;
                    if inputs[at].datatype == DataType::Bytes {
                        return Err(refuse(format!("`{column}` holds text, and these columns are numbers together")));
                    }
                    positions.push(at);
                }
                Ok(Self { datatype: DataType::Fp64, reader: Reader::Columns(positions) })
            }
        }
    }

    /// The stage of its values before the first step.
    pub(super) fn stage(&self) -> Stage {
        match &self.reader {
            Reader::Columns(columns) => Stage::Vector(columns.len() as u32),
            Reader::History(_) => Stage::History,
            Reader::Binary(_) => Stage::Binary,
            _ => Stage::of(self.datatype),
        }
    }

    /// Whether it has several separate columns, so that it has no single values.
    pub(super) fn has_separate_columns(&self) -> bool {
        matches!(self.reader, Reader::Columns(_) | Reader::History(_))
    }

    /// The inputs, if it has several separate columns.
    pub(super) fn positions(&self) -> Option<&[usize]> {
        match &self.reader {
            Reader::Columns(columns) => Some(columns),
            _ => None,
        }
    }

    /// The inputs of a history.
    pub(super) fn history(&self) -> Option<HistoryInputs> {
        match &self.reader {
            Reader::History(inputs) => Some(*inputs),
            _ => None,
        }
    }

    /// The stage of its values.
    pub(super) fn datatype(&self) -> DataType {
        self.datatype
    }

    /// The raw column of a batch, if the source is one; `columns` has the inputs' positions.
    #[inline]
    pub(super) fn column<'a>(&self, batch: &'a RecordBatch, columns: &[usize]) -> Option<&'a ArrayRef> {
        match &self.reader {
            Reader::Column(input) | Reader::Binary(input) => batch.columns().get(*columns.get(*input)?),
            _ => None,
        }
    }

    /// The raw values of a batch; `None` if a column does not have the bound type.
    pub(super) fn values(&self, batch: &RecordBatch, columns: &[usize]) -> Option<ArrayRef> {
        let column = |input: usize| batch.columns().get(*columns.get(input)?);
        match &self.reader {
            Reader::Column(input) | Reader::Binary(input) => column(*input).cloned(),
            Reader::Expression(expression) => expression.evaluate_over(batch, columns),
            Reader::Columns(_) | Reader::History(_) => None,
            Reader::Cross(inputs) => {
                let arrays: Vec<&ArrayRef> = inputs.iter().map(|input| column(*input)).collect::<Option<_>>()?;
                cross(&arrays, batch.num_rows())
            }
        }
    }
}

/// The stage of an input with a column of this type; `None` if no feature can use it.
pub fn input_kind(column: &ArrowType) -> Option<(DataType, RowShape)> {
    Some(match column {
        ArrowType::Boolean => (DataType::Bool, RowShape::Value),
        ArrowType::Int64 => (DataType::Int64, RowShape::Value),
        ArrowType::Float64 => (DataType::Fp64, RowShape::Value),
        ArrowType::Utf8 => (DataType::Bytes, RowShape::Value),
        ArrowType::Binary => (DataType::Bytes, RowShape::Binary),
        ArrowType::List(element) => match input_kind(element.data_type())? {
            (datatype, RowShape::Value) => (datatype, RowShape::List),
            _ => return None,
        },
        _ => return None,
    })
}

/// The values of each row joined; null if one is null.
fn cross(arrays: &[&ArrayRef], rows: usize) -> Option<ArrayRef> {
    if arrays.iter().any(|array| *array.data_type() == ArrowType::Null) {
        return Some(Arc::new(NullArray::new(rows)));
    }
    let mut joined = StringBuilder::with_capacity(rows, rows * 24);
    for row in 0..rows {
        if arrays.iter().any(|array| array.is_null(row)) {
            joined.append_null();
            continue;
        }
        for (at, array) in arrays.iter().enumerate() {
            if at > 0 {
                joined.write_str(CROSS).ok()?;
            }
            match array.data_type() {
                ArrowType::Utf8 => joined.write_str(array.as_string::<i32>().value(row)).ok()?,
                ArrowType::Int64 => write!(joined, "{}", array.as_primitive::<Int64Type>().value(row)).ok()?,
                ArrowType::Boolean => write!(joined, "{}", array.as_boolean().value(row)).ok()?,
                _ => return None,
            }
        }
        // Ends the value written so far.
        joined.append_value("");
    }
    Some(Arc::new(joined.finish()))
}

/// The source of one feature over the columns of a schema, for fitting: the values before its steps.
#[derive(Debug)]
pub struct BoundSource {
    feature: String,
    compiled: CompiledSource,
    inputs: Vec<TensorSpec>,
    columns: Vec<usize>,
    /// Steps of text, and what fills missing whole numbers.
    text: Option<TextChain>,
    fill: Option<i64>,
}

impl Feature {
    /// Resolves the source in `schema`. Only the steps from text to text, and `impute`, matter.
    pub fn bind_source(&self, schema: &Schema) -> Result<BoundSource, ModelError> {
        if let Source::Expression(text) = &self.source {
            Expression::parse(text)
                .map_err(|source| ModelError::FeatureExpression { feature: self.name.clone(), source })?;
        }
        let mut inputs = Vec::new();
        for column in self.columns() {
            // `resolve` below reports a missing column, with the nearest name.
            let found = schema.field_with_name(&column).map_or(&ArrowType::Float64, Field::data_type);
            let Some((datatype, form)) = input_kind(found) else {
                return Err(ModelError::Feature {
                    feature: self.name.clone(),
                    reason: format!(
                        "its column `{column}` is of type {}, which no feature can be made of",
                        type_name(found)
                    ),
                });
            };
            inputs.push(TensorSpec::new(column, datatype, true).with_form(form));
        }
        let columns = resolve(&inputs, |_| self.name.clone(), schema)?;
        let compiled = CompiledSource::new(self, &inputs)?;
        let text = (compiled.stage() == Stage::Text && !self.mappers.is_empty()).then(|| TextChain::new(&self.mappers));
        let fill = self.mappers.iter().find_map(|mapper| match mapper.fill() {
            Some(Scalar::Int(value)) if compiled.datatype == DataType::Int64 => Some(*value),
            _ => None,
        });
        Ok(BoundSource { feature: self.name.clone(), compiled, inputs, columns, text, fill })
    }
}

impl BoundSource {
    /// The stage of its values.
    pub fn datatype(&self) -> DataType {
        self.compiled.datatype()
    }

    /// The stage of its values before the first step.
    pub fn stage(&self) -> Stage {
        self.compiled.stage()
    }

    /// The raw columns of the source and its steps, all optional.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The values of every row of a batch of the schema it was bound to, after the feature's steps of text and `impute`.
    pub fn values(&self, batch: &RecordBatch) -> Result<ArrayRef, ModelError> {
        let values = self.compiled.values(batch, &self.columns).and_then(|values| self.after_steps(values));
        values.ok_or_else(|| ModelError::Feature {
            feature: self.feature.clone(),
            reason: "the batch has other columns than were bound".to_owned(),
        })
    }

    fn after_steps(&self, values: ArrayRef) -> Option<ArrayRef> {
        if let Some(chain) = &self.text {
            let mut texts = StringBuilder::with_capacity(values.len(), values.len() * 16);
            return chain
                .run(&values, None, |_, text| texts.append_option(text))
                .then(|| Arc::new(texts.finish()) as ArrayRef);
        }
        let Some(fill) = self.fill else { return Some(values) };
        Some(match values.as_primitive_opt::<Int64Type>() {
            Some(wholes) => Arc::new(wholes.iter().map(|value| Some(value.unwrap_or(fill))).collect::<Int64Array>()),
            None => Arc::new(Int64Array::from(vec![fill; values.len()])),
        })
    }
}
