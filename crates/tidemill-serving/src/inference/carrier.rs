//! Requests of tensors as rows of a record batch.
//!
//! A model of another program takes tensors of any shape. What stands between a protocol and a model (batching, splits,
//! caches) handles rows. So each row of such a batch is a whole request: a column for each tensor, with its shape and
//! its elements. Joining requests joins rows, as for every other model; only the model takes them apart.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, ListArray,
    RecordBatch, RecordBatchOptions, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType as ArrowType, Field, Fields, Float32Type, Float64Type, Int64Type, Schema};
use tidemill_core::ElementType;
use tidemill_model::{TensorData, TensorInfo, TensorRuntime, TensorValue};

use super::request_error::RequestError;

/// The key in a schema's metadata that marks a batch of requests.
const MARK: &str = "tidemill.tensors";

/// Whether each row of the batch is a request of tensors.
pub(crate) fn is_carrier(batch: &RecordBatch) -> bool {
    batch.schema_ref().metadata().contains_key(MARK)
}

fn item(element: ElementType) -> ArrowType {
    match element {
        ElementType::Bytes => ArrowType::Utf8,
        ElementType::Bool => ArrowType::Boolean,
        ElementType::Fp64 => ArrowType::Float64,
        element if element.is_integer() => ArrowType::Int64,
        _ => ArrowType::Float32,
    }
}

fn list_of(array: ArrayRef) -> Result<ArrayRef, RequestError> {
    let field = Arc::new(Field::new("item", array.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths([array.len()]);
    let list = ListArray::try_new(field, offsets, array, None);
    Ok(Arc::new(list.map_err(|error| RequestError::internal(error.to_string()))?))
}

/// One request or one response as a batch of one row.
pub(crate) fn carry(infos: &[TensorInfo], values: Vec<Option<TensorValue>>) -> Result<RecordBatch, RequestError> {
    let (mut fields, mut columns) = (Vec::with_capacity(infos.len()), Vec::<ArrayRef>::with_capacity(infos.len()));
    for (info, value) in infos.iter().zip(values) {
        let is_there = value.is_some();
        let (shape, data): (Vec<i64>, ArrayRef) = match value {
            None => (Vec::new(), arrow::array::new_empty_array(&item(info.element))),
            Some(value) => {
                let array: ArrayRef = match value.data {
                    TensorData::F32(values) => Arc::new(Float32Array::from(values)),
                    TensorData::F64(values) => Arc::new(Float64Array::from(values)),
                    TensorData::Int(values) => Arc::new(Int64Array::from(values)),
                    TensorData::Bool(values) => Arc::new(BooleanArray::from(values)),
                    TensorData::Text(values) => Arc::new(StringArray::from(values)),
                    TensorData::List(_) | TensorData::Absent => {
                        return Err(RequestError::internal(format!("`{}` is a sequence", info.name)));
                    }
                };
                if array.data_type() != &item(info.element) {
                    return Err(RequestError::internal(format!("`{}` is not of {}", info.name, info.element)));
                }
                (value.shape.iter().map(|size| *size as i64).collect(), array)
            }
        };
        let shape = list_of(Arc::new(Int64Array::from(shape)))?;
        let data = list_of(data)?;
        let parts = Fields::from(vec![
            Field::new("shape", shape.data_type().clone(), false),
            Field::new("data", data.data_type().clone(), false),
        ]);
        let nulls = (!is_there).then(|| NullBuffer::new_null(1));
        let column = StructArray::try_new(parts, vec![shape, data], nulls);
        let column = column.map_err(|error| RequestError::internal(error.to_string()))?;
        fields.push(Field::new(&info.name, column.data_type().clone(), true));
        columns.push(Arc::new(column));
    }
    let mark = [(MARK.to_owned(), String::new())].into();
    let schema = Arc::new(Schema::new(fields).with_metadata(mark));
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| RequestError::internal(error.to_string()))
}

/// The tensors in a row of a batch.
pub(crate) fn carried(
    infos: &[TensorInfo],
    batch: &RecordBatch,
    row: usize,
) -> Result<Vec<Option<TensorValue>>, RequestError> {
    let broken = || RequestError::internal("a batch does not hold the tensors of the model");
    let mut values = Vec::with_capacity(infos.len());
    for (info, column) in infos.iter().zip(batch.columns()) {
        let column = column.as_struct_opt().ok_or_else(broken)?;
        if column.is_null(row) {
            values.push(None);
            continue;
        }
        let part = |at: usize| column.columns().get(at).and_then(|part| part.as_list_opt::<i32>());
        let (Some(shape), Some(data)) = (part(0), part(1)) else { return Err(broken()) };
        let shape = shape.value(row);
        let shape =
            shape.as_primitive_opt::<Int64Type>().ok_or_else(broken)?.values().iter().map(|size| *size as usize);
        let data = data.value(row);
        let data = match data.data_type() {
            ArrowType::Float32 => TensorData::F32(data.as_primitive::<Float32Type>().values().to_vec()),
            ArrowType::Float64 => TensorData::F64(data.as_primitive::<Float64Type>().values().to_vec()),
            ArrowType::Int64 => TensorData::Int(data.as_primitive::<Int64Type>().values().to_vec()),
            ArrowType::Boolean => TensorData::Bool(data.as_boolean().values().iter().collect()),
            ArrowType::Utf8 => TensorData::Text(
                data.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect(),
            ),
            _ => return Err(broken()),
        };
        values.push(Some(TensorValue { element: info.element, shape: shape.collect(), data }));
    }
    Ok(values)
}

/// How many rows of a model the requests of a batch hold: the first sizes of their first tensors.
pub(crate) fn rows(batch: &RecordBatch) -> usize {
    let first = |row: usize| {
        let column = batch.columns().first()?.as_struct_opt()?;
        let shape = column.columns().first()?.as_list_opt::<i32>()?.value(row);
        shape.as_primitive_opt::<Int64Type>()?.values().first().map(|size| *size as usize)
    };
    (0..batch.num_rows()).map(|row| first(row).unwrap_or(1).max(1)).sum()
}

/// Answers every request of a batch. Requests are joined only if the model treats each row by itself.
pub(crate) fn answer(model: &dyn TensorRuntime, batch: &RecordBatch) -> Result<RecordBatch, RequestError> {
    let requests: Vec<Vec<Option<TensorValue>>> =
        (0..batch.num_rows()).map(|row| carried(model.inputs(), batch, row)).collect::<Result<_, _>>()?;
    let joined = if requests.len() > 1 && model.rows_are_independent().is_ok() { join(&requests) } else { None };
    let answers: Vec<Vec<TensorValue>> = match joined {
        Some((joined, counts)) => split(&model.run(joined)?, &counts)
            .ok_or_else(|| RequestError::internal("the model did not return a row for each row"))?,
        None => requests.into_iter().map(|request| model.run(request)).collect::<Result<_, _>>()?,
    };
    let carry = |values: Vec<TensorValue>| carry(model.outputs(), values.into_iter().map(Some).collect());
    let rows: Vec<RecordBatch> = answers.into_iter().map(carry).collect::<Result<_, _>>()?;
    match rows.as_slice() {
        [] => Err(RequestError::internal("a batch of no requests")),
        [row] => Ok(row.clone()),
        [first, ..] => {
            concat_batches(first.schema_ref(), &rows).map_err(|error| RequestError::internal(error.to_string()))
        }
    }
}

/// The requests along their first dimension, and how many rows each has; `None` if their other sizes differ.
fn join(requests: &[Vec<Option<TensorValue>>]) -> Option<(Vec<Option<TensorValue>>, Vec<usize>)> {
    let count = requests.first()?.len();
    let rows = |request: &Vec<Option<TensorValue>>| request.first()?.as_ref()?.shape.first().copied();
    let counts: Vec<usize> = requests.iter().map(rows).collect::<Option<_>>()?;
    let mut joined = Vec::with_capacity(count);
    for at in 0..count {
        let mut whole = requests.first()?.get(at)?.clone()?;
        for (request, rows) in requests.iter().zip(&counts).skip(1) {
            let part = request.get(at)?.as_ref()?;
            if part.shape.first() != Some(rows) || part.shape.get(1..) != whole.shape.get(1..) {
                return None;
            }
            whole.shape[0] += rows;
            append(&mut whole.data, &part.data)?;
        }
        joined.push(Some(whole));
    }
    Some((joined, counts))
}

fn append(to: &mut TensorData, from: &TensorData) -> Option<()> {
    match (to, from) {
        (TensorData::F32(to), TensorData::F32(from)) => to.extend_from_slice(from),
        (TensorData::F64(to), TensorData::F64(from)) => to.extend_from_slice(from),
        (TensorData::Int(to), TensorData::Int(from)) => to.extend_from_slice(from),
        (TensorData::Bool(to), TensorData::Bool(from)) => to.extend_from_slice(from),
        (TensorData::Text(to), TensorData::Text(from)) => to.extend_from_slice(from),
        _ => return None,
    }
    Some(())
}

/// The part of the outputs for each request.
fn split(outputs: &[TensorValue], counts: &[usize]) -> Option<Vec<Vec<TensorValue>>> {
    let all: usize = counts.iter().sum();
    let mut first = 0;
    let mut answers = Vec::with_capacity(counts.len());
    for count in counts {
        let part = |output: &TensorValue| {
            if output.shape.first() != Some(&all) {
                return None;
            }
            let width: usize = output.shape[1..].iter().product();
            let range = first * width..(first + count) * width;
            let data = match &output.data {
                TensorData::F32(values) => TensorData::F32(values.get(range)?.to_vec()),
                TensorData::F64(values) => TensorData::F64(values.get(range)?.to_vec()),
                TensorData::Int(values) => TensorData::Int(values.get(range)?.to_vec()),
                TensorData::Bool(values) => TensorData::Bool(values.get(range)?.to_vec()),
                TensorData::Text(values) => TensorData::Text(values.get(range)?.to_vec()),
                TensorData::List(_) | TensorData::Absent => return None,
            };
            let mut shape = output.shape.clone();
            shape[0] = *count;
            Some(TensorValue { element: output.element, shape, data })
        };
        answers.push(outputs.iter().map(part).collect::<Option<_>>()?);
        first += count;
    }
    Some(answers)
}

/// The rows of a request or a response for a table: a column for each tensor of one value a row, and for wider ones a
/// column for each value (`X[0]`) or, if `in_lists`, one of lists. `None` if the tensors are not of the same rows.
pub(crate) fn as_rows(infos: &[TensorInfo], batch: &RecordBatch, in_lists: bool) -> Option<RecordBatch> {
    let values = carried(infos, batch, 0).ok()?;
    let rows = *values.iter().flatten().next()?.shape.first()?;
    let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
    let mut add = |name: String, array: ArrayRef| {
        fields.push(Field::new(name, array.data_type().clone(), true));
        columns.push(array);
    };
    for (info, value) in infos.iter().zip(&values) {
        let Some(value) = value else { continue };
        if value.shape.first() != Some(&rows) {
            return None;
        }
        let width: usize = value.shape[1..].iter().product();
        if width == 1 {
            add(info.name.clone(), cells(&value.data, 0, 1)?);
        } else if in_lists {
            let all = cells(&value.data, 0, 1)?;
            let item = Arc::new(Field::new("item", all.data_type().clone(), true));
            let list = FixedSizeListArray::try_new(item, i32::try_from(width).ok()?, all, None).ok()?;
            add(info.name.clone(), Arc::new(list));
        } else {
            for at in 0..width {
                add(format!("{}[{at}]", info.name), cells(&value.data, at, width)?);
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).ok()
}

/// Every `step`-th element from `first` on, in the types of columns.
fn cells(data: &TensorData, first: usize, step: usize) -> Option<ArrayRef> {
    fn every<T: Clone>(values: &[T], first: usize, step: usize) -> impl Iterator<Item = T> + '_ {
        values.iter().skip(first).step_by(step).cloned()
    }
    Some(match data {
        TensorData::F32(values) => Arc::new(Float64Array::from_iter_values(every(values, first, step).map(f64::from))),
        TensorData::F64(values) => Arc::new(Float64Array::from_iter_values(every(values, first, step))),
        TensorData::Int(values) => Arc::new(Int64Array::from_iter_values(every(values, first, step))),
        TensorData::Bool(values) => Arc::new(every(values, first, step).map(Some).collect::<BooleanArray>()),
        TensorData::Text(values) => Arc::new(StringArray::from_iter_values(every(values, first, step))),
        TensorData::List(_) | TensorData::Absent => return None,
    })
}
