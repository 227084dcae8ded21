//! Writing JSON lines.

use std::io::{self, Write};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::to_writer;

/// Writes one object a row, all with the same keys; a missing value is `null`, a list an array.
///
/// A float that is not finite is an error: JSON has no way to write it.
pub(super) fn write_rows(output: &mut impl Write, batch: &RecordBatch) -> io::Result<()> {
    let schema = batch.schema();
    let keys =
        schema.fields().iter().map(|field| serde_json::to_string(field.name())).collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        let mut separator = '{';
        for (key, column) in keys.iter().zip(batch.columns()) {
            write!(output, "{separator}{key}:")?;
            separator = ',';
            write_value(output, key, column, row)?;
        }
        output.write_all(b"}\n")?;
    }
    Ok(())
}

fn write_value<W: Write>(output: &mut W, key: &str, column: &ArrayRef, row: usize) -> io::Result<()> {
    if column.is_null(row) {
        return output.write_all(b"null");
    }
    match column.data_type() {
        DataType::Int64 => to_writer(&mut *output, &column.as_primitive::<Int64Type>().value(row))?,
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            if !value.is_finite() {
                return Err(io::Error::other(format!("{key} is {value}, which JSON cannot hold")));
            }
            to_writer(&mut *output, &value)?;
        }
        DataType::Boolean => to_writer(&mut *output, &column.as_boolean().value(row))?,
        DataType::Utf8 => to_writer(&mut *output, column.as_string::<i32>().value(row))?,
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            output.write_all(b"[")?;
            for i in 0..values.len() {
                if i > 0 {
                    output.write_all(b",")?;
                }
                write_value(output, key, &values, i)?;
            }
            output.write_all(b"]")?;
        }
        other => return Err(io::Error::other(format!("{key} has type {other}, which is not written"))),
    }
    Ok(())
}
