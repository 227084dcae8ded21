//! `tidemill inference-log import`: rows of a file as if the server had answered them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::json;
use tidemill_core::{Code, Failure, Feedback};
use tidemill_data::ReadOptions;
use tidemill_model::LoadedModel;
use tidemill_monitor::{Micros, append_feedback, parse_time, rfc3339};
use tidemill_onnx::{OnnxOptions, load_model_with};
use tidemill_project::{connectors, find_version};

use crate::cli::{Global, LogImportArgs};
use crate::commands::input::open_input;
use crate::commands::model::find_package;
use crate::commands::{find_project, make_parent, print};
use crate::ui::count;

pub async fn import(args: &LogImportArgs, global: &Global) -> Result<u8, Failure> {
    let start =
        parse_time(&args.from).or_else(|| parse_time(&format!("{}T00:00:00Z", args.from))).ok_or_else(|| {
            let hint = "write `2026-03-01` or `2026-03-01T12:00:00Z`";
            Failure::new(Code::CommandLine, format!("`--from {}` is not a time", args.from)).with_hint(hint)
        })?;
    let workspace = find_project(None, global)?.open_to_read().await?;
    let version = find_version(&*workspace.metadata, &args.model).await?;
    let package = find_package(Some(&format!("{}:{}", version.model, version.version)), global).await?;
    let model = load_model_with(&package.path, &OnnxOptions::default())?;
    let table = open_input(&args.file, &args.input.options(), global)?;
    let wanted = model.batch_from_rows(&[])?.schema();
    let there = table.schema();
    let types = wanted.fields().iter().filter(|field| there.index_of(field.name()).is_ok()).cloned();
    let types = Schema::new(types.collect::<Vec<_>>());
    let table = table.reopen(&args.file, &ReadOptions { types: Some(Arc::new(types)), ..args.input.options() })?;
    // A file knows its rows beforehand only if it says so.
    let rows = match table.row_count() {
        Some(rows) => rows,
        None => table.read()?.try_fold(0, |sum, batch| Ok::<u64, Failure>(sum + batch?.num_rows() as u64))?,
    };
    let length = (args.seconds.max(1) * 1_000_000) as Micros;
    let time = |row: u64| start + (i128::from(length) * i128::from(row) / i128::from(rows.max(1))) as Micros;
    let label = match (&model, args.feedback_after) {
        (LoadedModel::Package(model), Some(_)) => Some(model.manifest().label.bind(&table.schema())?),
        (LoadedModel::Imported(_), Some(_)) => {
            let message = "the model does not say how its label is computed";
            return Err(Failure::new(Code::CommandLine, message).with_hint("leave out `--feedback-after`"));
        }
        _ => None,
    };
    let stamp = rfc3339(start).replace(['-', ':'], "");
    let path = args.log.join(&version.model).join(format!("{stamp}-{}-import.parquet", std::process::id()));
    make_parent(&path)?;
    let (mut next, mut feedback, mut batches) = (0, Vec::new(), Vec::new());
    for batch in table.read()? {
        let batch = batch?;
        if let (Some(label), Some(after)) = (&label, args.feedback_after) {
            for (row, value) in label.optional_values(&batch)?.into_iter().enumerate() {
                let Some(value) = value else { continue };
                let at = time(next + row as u64) + (after * 1_000_000) as Micros;
                feedback.push(Feedback {
                    request_id: Some(request_id(args, next + row as u64)),
                    model: Some(version.model.clone()),
                    label: Some(json!(value)),
                    time: Some(rfc3339(at)),
                    received: Some(rfc3339(at)),
                    ..Feedback::default()
                });
            }
        }
        batches.push(as_logged(&model, &batch, &version.model, version.version, next, &time, args)?);
        next += batch.num_rows() as u64;
    }
    connectors().write_table(&path, batches.into_iter().map(Ok))?;
    if !feedback.is_empty() {
        append_feedback(&args.log, &feedback, start)?;
    }
    let value = json!({ "file": path, "model": version.model, "version": version.version, "rows": next, "labels": feedback.len() });
    print(global, &value, || {
        let labels =
            if feedback.is_empty() { String::new() } else { format!(" and {} labels", count(feedback.len() as u64)) };
        format!("wrote {} rows{labels} of {} to `{}`\n", count(next), package.title, path.display())
    })?;
    Ok(0)
}

/// The name of a row: the period and its number, or what a flag says before the number.
fn request_id(args: &LogImportArgs, row: u64) -> String {
    let prefix = args.request_prefix.clone().unwrap_or_else(|| args.from.clone());
    format!("{prefix}-{row}")
}

/// Rows as the server logs them.
fn as_logged(
    model: &LoadedModel,
    batch: &RecordBatch,
    name: &str,
    version: u64,
    first: u64,
    time: &dyn Fn(u64) -> Micros,
    args: &LogImportArgs,
) -> Result<RecordBatch, Failure> {
    let wanted = model.batch_from_rows(&[])?.schema();
    let rows = batch.num_rows();
    let (mut fields, mut columns): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for input in wanted.fields() {
        let column =
            batch.column_by_name(input.name()).map_or_else(|| new_null_array(input.data_type(), rows), Arc::clone);
        fields.push(Field::new(input.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    let joined =
        |error: arrow::error::ArrowError| Failure::new(Code::Internal, format!("the rows cannot be joined: {error}"));
    let inputs = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.clone()).map_err(joined)?;
    let predictions = model.predict(&inputs)?;
    for (field, column) in predictions.schema().fields().iter().zip(predictions.columns()) {
        fields.push(Field::new(format!("_{}", field.name()), field.data_type().clone(), true));
        columns.push(Arc::clone(column));
    }
    let numbers = || (0..rows as u64).map(|row| first + row);
    let texts = |of: &dyn Fn(u64) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(numbers().map(of))) };
    let own: [(&str, ArrayRef); 5] = [
        ("_time", texts(&|row| rfc3339(time(row)))),
        ("_model", texts(&|_| name.to_owned())),
        ("_version", Arc::new(Int64Array::from(vec![version as i64; rows]))),
        ("_request_id", texts(&|row| request_id(args, row))),
        ("_row", Arc::new(Int64Array::from(vec![0; rows]))),
    ];
    for (name, column) in own {
        let of = if *column.data_type() == DataType::Utf8 { DataType::Utf8 } else { DataType::Int64 };
        fields.push(Field::new(name, of, true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(joined)
}
