//! Entries as JSON lines: one object for each row.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::columns::{Columns, LogColumn};
use super::{Entry, rfc3339};
use crate::protocol::json::write;

/// Appends a line for each row of an entry.
pub(super) fn push(out: &mut Vec<u8>, columns: &Columns, entry: &Entry) {
    let mut own = Vec::new();
    own_fields(&mut own, columns, entry);
    for row in 0..entry.inputs.num_rows() {
        line(out, columns, entry, row, &own);
    }
}

/// The parts that are the same in all rows of an entry, each with a comma before it.
fn own_fields(out: &mut Vec<u8>, columns: &Columns, entry: &Entry) {
    for (own, name) in &columns.own {
        if matches!(own, LogColumn::Row | LogColumn::Route) {
            continue;
        }
        out.push(b',');
        write::string(out, name);
        out.push(b':');
        match own {
            LogColumn::Time => write::string(out, &rfc3339(entry.at)),
            LogColumn::Model => write::string(out, &entry.model),
            LogColumn::Version => write::integer(out, entry.version),
            LogColumn::RequestId => write::string(out, &entry.request_id),
            LogColumn::LatencyMicros => write::integer(out, entry.latency.as_micros() as i64),
            LogColumn::Row | LogColumn::Route => {}
        }
    }
}

fn line(out: &mut Vec<u8>, columns: &Columns, entry: &Entry, row: usize, own: &[u8]) {
    let start = out.len();
    let mut cells = |batch: &RecordBatch, chosen: &[(usize, String)]| {
        for (index, name) in chosen {
            out.push(b',');
            write::string(out, name);
            out.push(b':');
            cell(out, batch.column(*index), row);
        }
    };
    cells(&entry.inputs, &columns.inputs);
    cells(&entry.outputs, &columns.outputs);
    if let Some((_, name)) = columns.own.iter().find(|(own, _)| *own == LogColumn::Row) {
        out.push(b',');
        write::string(out, name);
        out.push(b':');
        write::integer(out, row as i64);
    }
    if let Some((_, name)) = columns.own.iter().find(|(own, _)| *own == LogColumn::Route) {
        out.push(b',');
        write::string(out, name);
        out.push(b':');
        write::string(out, entry.route_of(row).unwrap_or_default());
    }
    out.extend_from_slice(own);
    if out.len() == start {
        out.push(b',');
    }
    // The first comma becomes the brace.
    out[start] = b'{';
    out.extend_from_slice(b"}\n");
}

/// A value as JSON; null if it is missing or JSON cannot express it.
fn cell(out: &mut Vec<u8>, column: &dyn Array, row: usize) {
    if column.is_null(row) {
        return out.extend_from_slice(b"null");
    }
    match column.data_type() {
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            if value.is_finite() { write::float(out, value) } else { out.extend_from_slice(b"null") }
        }
        DataType::Int64 => write::integer(out, column.as_primitive::<Int64Type>().value(row)),
        DataType::Boolean => write::boolean(out, column.as_boolean().value(row)),
        DataType::List(_) => {
            let values = column.as_list::<i32>().value(row);
            write::list(out, 0..values.len(), |out, at| cell(out, &values, at));
        }
        DataType::Utf8 => write::string(out, column.as_string::<i32>().value(row)),
        _ => match ArrayFormatter::try_new(column, &FormatOptions::default()) {
            Ok(formatter) => write::string(out, &formatter.value(row).to_string()),
            Err(_) => out.extend_from_slice(b"null"),
        },
    }
}
