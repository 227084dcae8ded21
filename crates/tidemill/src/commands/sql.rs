//! `tidemill sql`: a query over files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Value, json};
use tidemill_cli::JsonList;
use tidemill_cli::json::number;
use tidemill_core::{Code, Failure};
use tidemill_data::{DataError, Format, check_text_columns, dataset_name};
use tidemill_engine::{Answer, Engine, EngineError};
use tidemill_project::{connectors, cores};

use crate::cli::{Global, OutputFormat, SqlArgs};
use crate::commands::cells::result_cell;
use crate::commands::input::open_input;
use crate::commands::{print, write_out};
use crate::ui::{Align, Table, count, printable};

/// Rows that a table on the terminal has at most.
const ROWS_SHOWN: u64 = 1000;
/// Characters of JSON that a cell of it has at most.
const JSON_SHOWN: usize = 60;

pub async fn sql(args: &SqlArgs, global: &Global) -> Result<u8, Failure> {
    if args.csv && global.output == OutputFormat::Json {
        return Err(Failure::new(Code::CommandLine, "`--csv` and `-o json` name two formats for one output"));
    }
    let engine = Engine::new(args.threads.filter(|threads| *threads > 0).unwrap_or_else(cores))?;
    let options = args.input.options_by(args.schema.as_deref(), global)?;
    let mut names: Vec<String> = Vec::new();
    for table in &args.tables {
        let (name, path) = named(table);
        if names.contains(&name) {
            return Err(Failure::new(Code::CommandLine, format!("there are two tables `{name}`"))
                .with_hint("name them, as in `before=a.csv after=b.csv`"));
        }
        let rows = open_input(&path, &options, global)?;
        engine.add(&name, Arc::new(rows), false)?;
        names.push(name);
    }
    let answer = engine.query(&args.query).await.map_err(|error| explained(error, &names))?;
    match (&args.out, args.csv, global.output) {
        (Some(path), ..) => to_file(answer, path, global).await?,
        (None, true, _) => to_csv(answer).await?,
        (None, false, OutputFormat::Json) => to_json(answer).await?,
        (None, false, OutputFormat::Text) => to_table(answer).await?,
    }
    Ok(0)
}

/// `NAME=PATH`, or a path whose file gives the name.
fn named(text: &str) -> (String, PathBuf) {
    let is_word = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(char::is_numeric)
    };
    match text.split_once('=') {
        Some((name, path)) if is_word(name) => (name.to_owned(), PathBuf::from(path)),
        _ => {
            let file = dataset_name(Path::new(text));
            let stem = file.split('.').next().unwrap_or(&file);
            let word: String = stem.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            let name = if word.starts_with(char::is_numeric) || word.is_empty() { format!("_{word}") } else { word };
            (name, PathBuf::from(text))
        }
    }
}

fn explained(error: EngineError, names: &[String]) -> Failure {
    let failure = Failure::of(&error);
    let is_query = matches!(error, EngineError::Query { .. });
    if is_query && failure.message.contains("table '") && failure.message.contains("not found") {
        let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        return failure.with_hint(match known.as_slice() {
            [] => "name the files after the query, as in `trips=trips.csv`".to_owned(),
            known => format!("tables: {}", known.join(", ")),
        });
    }
    failure
}

async fn to_table(mut answer: Answer) -> Result<(), Failure> {
    let schema = answer.schema();
    let heads: Vec<String> = schema.fields().iter().map(|field| printable(field.name()).into_owned()).collect();
    let heads: Vec<(&str, Align)> =
        heads.iter().zip(schema.fields()).map(|(head, field)| (head.as_str(), side(field.data_type()))).collect();
    let mut table = Table::new(&heads);
    let mut rows = 0;
    while let Some(batch) = answer.next().await? {
        for row in 0..batch.num_rows() {
            rows += 1;
            if rows <= ROWS_SHOWN {
                table.row(cells(&answer, &batch, row)?);
            }
        }
    }
    let noun = if rows == 1 { "row" } else { "rows" };
    let note = if rows > ROWS_SHOWN {
        format!(", the first {ROWS_SHOWN} of them shown: `--out FILE` writes all")
    } else {
        String::new()
    };
    write_out(&format!("{table}\n{} {noun}{note}\n", count(rows)))
}

fn side(data_type: &DataType) -> Align {
    if data_type.is_numeric() { Align::Right } else { Align::Left }
}

fn cells(answer: &Answer, batch: &RecordBatch, row: usize) -> Result<Vec<String>, Failure> {
    let cell = |(column, array): (usize, &ArrayRef)| -> Result<String, Failure> {
        let formatter = ArrayFormatter::try_new(array, &FormatOptions::default().with_null("–"));
        let formatter = formatter.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        let text = printable(&formatter.value(row).to_string()).into_owned();
        if answer.is_json(column) && text.chars().count() > JSON_SHOWN {
            return Ok(text.chars().take(JSON_SHOWN - 1).chain(['…']).collect());
        }
        Ok(text)
    };
    batch.columns().iter().enumerate().map(cell).collect()
}

/// A list of objects, one row after the other.
async fn to_json(mut answer: Answer) -> Result<(), Failure> {
    let schema = answer.schema();
    let json: Vec<bool> = (0..schema.fields().len()).map(|column| answer.is_json(column)).collect();
    let mut list = JsonList::new();
    while let Some(batch) = answer.next().await? {
        (0..batch.num_rows()).try_for_each(|row| list.push(&object(&schema, &json, &batch, row)))?;
    }
    list.print()
}

fn object(schema: &SchemaRef, json: &[bool], batch: &RecordBatch, row: usize) -> Value {
    let value = |array: &ArrayRef, is_json: bool| {
        if array.is_null(row) {
            return Value::Null;
        }
        match array.data_type() {
            DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => number(array.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => json!(array.as_boolean().value(row)),
            DataType::Utf8 => {
                let text = array.as_string::<i32>().value(row);
                let parsed = is_json.then(|| serde_json::from_str(text).ok()).flatten();
                parsed.unwrap_or_else(|| json!(text))
            }
            DataType::List(_) => result_cell(array, row),
            _ => {
                json!(ArrayFormatter::try_new(array, &FormatOptions::default()).map(|f| f.value(row).to_string()).ok())
            }
        }
    };
    let members = schema.fields().iter().zip(batch.columns()).zip(json);
    Value::Object(members.map(|((field, array), json)| (field.name().clone(), value(array, *json))).collect())
}

async fn to_csv(mut answer: Answer) -> Result<(), Failure> {
    let mut head = true;
    check_text_columns(Path::new("-"), Format::Csv, &answer.schema()).map_err(|error| {
        Failure::from(error).with_hint("write it with `--out FILE.parquet`, or print JSON with `-o json`")
    })?;
    let empty = RecordBatch::new_empty(answer.schema());
    let mut written = |batch: &RecordBatch| -> Result<(), Failure> {
        let mut text = Vec::new();
        let mut writer = WriterBuilder::new().with_header(std::mem::take(&mut head)).build(&mut text);
        writer.write(batch).map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        drop(writer);
        write_out(&String::from_utf8_lossy(&text))
    };
    written(&empty)?;
    while let Some(batch) = answer.next().await? {
        written(&batch)?;
    }
    Ok(())
}

/// Writes the answer as it comes.
async fn to_file(mut answer: Answer, path: &Path, global: &Global) -> Result<(), Failure> {
    let (feed, batches) = std::sync::mpsc::sync_channel::<Result<RecordBatch, DataError>>(2);
    let to = path.to_owned();
    let written = tokio::task::spawn_blocking(move || connectors().write_table(&to, batches.into_iter()));
    let asked = async {
        while let Some(batch) = answer.next().await? {
            let feed = feed.clone();
            // The writer may be behind: wait for it where waiting is allowed. It tells itself why it stopped.
            let given = tokio::task::spawn_blocking(move || feed.send(Ok(batch)).is_ok()).await;
            if !given.unwrap_or(false) {
                break;
            }
        }
        Ok::<(), EngineError>(())
    };
    let asked = asked.await;
    if let Err(error) = asked {
        // The writer must not take what came so far for the whole.
        let stop = DataError::Params { message: error.to_string() };
        let _ = feed.send(Err(stop));
        drop(feed);
        let _ = written.await;
        return Err(error.into());
    }
    drop(feed);
    let rows = written.await.map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
    print(global, &json!({ "rows": rows, "file": path }), || {
        format!("wrote {} rows to `{}`\n", count(rows), path.display())
    })
}
