//! Rows to ask about: those of a file, or those recorded in a package.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use serde_json::{Number, Value};
use tidemill_core::Code;
use tidemill_data::{ReadOptions, open_table};
use tidemill_loadtest::Row;
use tidemill_model::Model;

use crate::cli::Global;
use crate::commands::model::find_package;
use crate::error::Failure;

/// The first `limit` rows of a file, with the columns that the model takes.
pub fn of_file(file: &Path, limit: usize, takes: Option<&[&str]>) -> Result<Vec<Row>, Failure> {
    let reader = open_table(file, &ReadOptions::default())?;
    let wanted = |name: &str| takes.is_none_or(|names| names.contains(&name));
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            rows.push(of_batch(&batch, row, wanted));
            if rows.len() == limit {
                return Ok(rows);
            }
        }
    }
    if rows.first().is_none_or(Row::is_empty) {
        let message = format!("`{}` has no rows with columns that the model takes", file.display());
        return Err(Failure::new(Code::LoadRequest, message));
    }
    Ok(rows)
}

fn of_batch(batch: &RecordBatch, row: usize, wanted: impl Fn(&str) -> bool) -> Row {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns()).filter(|(field, _)| wanted(field.name()));
    columns.map(|(field, column)| (field.name().clone(), cell(column, row))).collect()
}

fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => {
            Number::from_f64(column.as_primitive::<Float64Type>().value(row)).map_or(Value::Null, Value::Number)
        }
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        _ => Value::Null,
    }
}

/// The rows recorded when the package was made.
pub async fn of_package(spec: &str, global: &Global) -> Result<Vec<Row>, Failure> {
    let package = find_package(Some(spec), global).await?;
    let model = Model::load(&package.path)?;
    let rows: Vec<Row> = model.sample_rows().iter().filter_map(|row| row.row.as_object().cloned()).collect();
    if rows.is_empty() {
        return Err(Failure::new(Code::LoadRequest, format!("{} holds no recorded rows", package.title)));
    }
    Ok(rows)
}
