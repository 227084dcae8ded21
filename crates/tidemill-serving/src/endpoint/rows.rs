//! Rows of batches: their keys, and batches put together from rows of others.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::inference::request_error::RequestError;

/// Appends the canonical bytes of a cell: equal values give equal bytes, whatever they look like in memory. NaN is a
/// missing value, and −0 is 0.
pub(super) fn push_cell(out: &mut Vec<u8>, column: &dyn Array, row: usize) {
    if column.is_null(row) {
        return out.push(0);
    }
    match column.data_type() {
        DataType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            value if value.is_nan() => out.push(0),
            value => {
                out.push(1);
                out.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes());
            }
        },
        DataType::Int64 => {
            out.push(2);
            out.extend_from_slice(&column.as_primitive::<Int64Type>().value(row).to_le_bytes());
        }
        DataType::Boolean => out.extend_from_slice(&[3, u8::from(column.as_boolean().value(row))]),
        DataType::Utf8 => push_bytes(out, 4, column.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => push_bytes(out, 5, column.as_binary::<i32>().value(row)),
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            out.push(6);
            out.extend_from_slice(&(values.len() as u64).to_le_bytes());
            (0..values.len()).for_each(|at| push_cell(out, &values, at));
        }
        // The inputs of models have no other types.
        other => push_bytes(out, 7, other.to_string().as_bytes()),
    }
}

fn push_bytes(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The key of each row over some columns of a batch; `None` stands for all. `seed` keeps the keys of models apart.
pub(super) fn row_keys(batch: &RecordBatch, columns: Option<&[usize]>, seed: u64) -> Vec<u128> {
    let mut bytes = Vec::with_capacity(128);
    let all: Vec<&ArrayRef> = match columns {
        Some(columns) => columns.iter().filter_map(|at| batch.columns().get(*at)).collect(),
        None => batch.columns().iter().collect(),
    };
    let key = |row| {
        bytes.clear();
        all.iter().for_each(|column| push_cell(&mut bytes, column, row));
        xxh3_128_with_seed(&bytes, seed)
    };
    (0..batch.num_rows()).map(key).collect()
}

/// Some rows of a batch, copied.
pub(super) fn take_rows(batch: &RecordBatch, rows: &[usize]) -> Result<RecordBatch, RequestError> {
    let indices = UInt32Array::from_iter_values(rows.iter().map(|row| *row as u32));
    let columns: Result<Vec<ArrayRef>, _> = batch.columns().iter().map(|column| take(column, &indices, None)).collect();
    with_columns(batch.schema(), columns.map_err(internal)?, rows.len())
}

/// A batch of these columns.
pub(super) fn with_columns(
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, RequestError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(internal)
}

/// A batch of these columns under the names of `names`, whatever their types are.
pub(super) fn named(names: &[String], columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, RequestError> {
    let fields = names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    with_columns(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns, rows)
}

/// One batch of the rows of several: `order` says for each row which batch it comes from, and which row of that. The
/// batches must have columns of the same types.
pub(super) fn interleaved(batches: &[&RecordBatch], order: &[(usize, usize)]) -> Result<RecordBatch, RequestError> {
    let first = batches.first().ok_or_else(|| RequestError::internal("no rows to put together"))?;
    let column = |at: usize| {
        let parts: Option<Vec<&dyn Array>> =
            batches.iter().map(|batch| batch.columns().get(at).map(|column| &**column)).collect();
        let parts = parts.ok_or_else(|| RequestError::internal("models answered with other outputs"))?;
        interleave(&parts, order).map_err(internal)
    };
    let columns: Result<Vec<ArrayRef>, _> = (0..first.num_columns()).map(column).collect();
    let fields = first.schema_ref().fields().iter();
    let fields: Vec<Field> = fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
    with_columns(Arc::new(Schema::new(fields)), columns?, order.len())
}

pub(super) fn internal(error: impl std::fmt::Display) -> RequestError {
    RequestError::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(numbers: Vec<Option<f64>>, texts: Vec<Option<&str>>) -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] =
            [("x", Arc::new(Float64Array::from(numbers))), ("t", Arc::new(StringArray::from(texts)))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn equal_rows_have_equal_keys_and_others_have_others() {
        let numbers = vec![Some(0.0), Some(-0.0), Some(f64::NAN), None, Some(1.0), Some(1.0)];
        let texts = vec![Some("a"), Some("a"), None, None, Some(""), None];
        let keys = row_keys(&batch(numbers, texts), None, 1);
        assert_eq!(keys[0], keys[1]);
        assert_eq!(keys[2], keys[3]);
        assert_ne!(keys[4], keys[5]);
        assert_ne!(keys[0], keys[2]);
        // A column that is left out does not count.
        let keys = row_keys(&batch(vec![Some(1.0), Some(1.0)], vec![Some("a"), Some("b")]), Some(&[0]), 1);
        assert_eq!(keys[0], keys[1]);
    }

    proptest! {
        #[test]
        fn texts_never_run_into_each_other(a in ".{0,4}", b in ".{0,4}", c in ".{0,4}", d in ".{0,4}") {
            let of = |first: &str, second: &str| {
                let columns: [(&str, ArrayRef); 2] = [
                    ("a", Arc::new(StringArray::from(vec![first]))),
                    ("b", Arc::new(StringArray::from(vec![second]))),
                ];
                row_keys(&RecordBatch::try_from_iter(columns).unwrap(), None, 0)[0]
            };
            prop_assert_eq!(of(&a, &b) == of(&c, &d), a == c && b == d);
        }
    }
}
