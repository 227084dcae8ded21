//! Rows to ask about: those of a file, or those recorded in a package.

use std::path::Path;

use arrow::array::RecordBatch;
use tidemill_core::{Code, Failure};
use tidemill_data::ReadOptions;
use tidemill_loadtest::Row;
use tidemill_model::Model;

use crate::cli::Global;
use crate::commands::cells::cell;
use crate::commands::input::open_input;
use crate::commands::model::find_package;

/// The first `limit` rows of a file or URL, with the columns that the model takes.
pub fn of_file(file: &Path, limit: usize, takes: Option<&[&str]>, global: &Global) -> Result<Vec<Row>, Failure> {
    let reader = open_input(file, &ReadOptions::default(), global)?.read()?;
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
