//! Cells of a batch as JSON.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::{Number, Value};
use tidemill_cli::json;

/// The value of a row as JSON for a request: `null` if it is missing, not a finite number, or of a type that JSON has no
/// word for.
pub fn cell(column: &dyn Array, row: usize) -> Value {
    value(column, row, |x| Number::from_f64(x).map_or(Value::Null, Value::Number))
}

/// The value of a row as JSON for the reader of a result: the same, with every number.
pub fn result_cell(column: &dyn Array, row: usize) -> Value {
    value(column, row, json::number)
}

fn value(column: &dyn Array, row: usize, float: fn(f64) -> Value) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            (0..values.len()).map(|at| value(&values, at, float)).collect()
        }
        _ => Value::Null,
    }
}
