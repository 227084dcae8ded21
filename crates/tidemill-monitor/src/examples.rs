//! Rows that show what is unusual about a window.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

use crate::MonitorError;
use crate::log::{InferenceLog, times};
use crate::watch::{LOG_COLUMNS, Profile, WindowReport, most_grown};

/// Rows of the part of a column that grew most, and the name of that part.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ExampleRows {
    /// The column.
    pub column: String,
    /// The part: `above 30`, `Cash`.
    pub part: String,
    /// Some of its rows.
    pub rows: Vec<Map<String, Value>>,
}

/// Rows of the most important drifted column of a window, at most `limit`; `None` if none drifted.
pub fn example_rows(
    log: &InferenceLog,
    profile: &Profile,
    report: &WindowReport,
    limit: usize,
) -> Result<Option<ExampleRows>, MonitorError> {
    let drifted = report.columns().iter().filter(|column| column.drifted && !column.output);
    let worst = drifted.max_by(|a, b| (a.distance * a.importance).total_cmp(&(b.distance * b.importance)));
    let Some(at) = worst.and_then(|worst| profile.columns.iter().position(|column| column.name == worst.name)) else {
        return Ok(None);
    };
    let (name, cells) = (&profile.columns[at].name, &profile.columns[at].cells);
    let Some(cell) = most_grown(cells, &profile.counts.columns[at], &report.counts.columns[at]) else {
        return Ok(None);
    };
    let mut found = ExampleRows { column: name.clone(), part: cells.name(cell), rows: Vec::new() };
    for file in log.files()? {
        let apart = file.range.is_some_and(|(first, last)| last < report.start || first >= report.end);
        if apart || std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len() == 0 {
            continue;
        }
        for batch in file.read(Some(profile.types()), None)? {
            let batch = batch?;
            let times = times(&batch, &file.path)?;
            let Some(column) = batch.column_by_name(name) else { continue };
            let wanted = |row: &usize| {
                times[*row].is_some_and(|time| (report.start..report.end).contains(&time))
                    && cells.cell_of(column.as_ref(), *row) == Some(cell)
            };
            for row in (0..batch.num_rows()).filter(wanted) {
                found.rows.push(as_map(&batch, row));
                if found.rows.len() >= limit {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(Some(found))
}

/// A row without the columns of the log that say nothing about its content.
fn as_map(batch: &arrow::array::RecordBatch, row: usize) -> Map<String, Value> {
    let mut map = Map::new();
    let schema = batch.schema();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name();
        if LOG_COLUMNS.contains(&name.as_str()) && name != "_request_id" && name != "_time" || column.is_null(row) {
            continue;
        }
        let value = match column.data_type() {
            DataType::Float64 => serde_json::json!(column.as_primitive::<Float64Type>().value(row)),
            DataType::Int64 => serde_json::json!(column.as_primitive::<Int64Type>().value(row)),
            DataType::Boolean => serde_json::json!(column.as_boolean().value(row)),
            _ => match ArrayFormatter::try_new(column, &FormatOptions::default()) {
                Ok(texts) => Value::String(texts.value(row).to_string()),
                Err(_) => continue,
            },
        };
        map.insert(name.clone(), value);
    }
    map
}
